"""A server that does what a test tells it, byte by byte."""

import asyncio
import re
from contextlib import asynccontextmanager, suppress


class Peer:
    """One connection, as the server sees it."""

    def __init__(self, reader, writer, number):
        self._reader = reader
        self._writer = writer
        self.number = number
        """Which connection this is, from 1."""

    async def request(self):
        """The next request, head and body; None when the client has left."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            found = re.search(rb"(?i)content-length: (\d+)", head)
            return head + (await self._reader.readexactly(int(found[1])) if found else b"")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def read(self, size):
        return await self._reader.read(size)

    def write(self, *pieces):
        self._writer.write(b"".join(pieces))

    async def send(self, *pieces):
        """Write, and wait until the client takes it."""
        self._writer.write(b"".join(pieces))
        await self._writer.drain()

    async def dribble(self, data, pause=0.0):
        for at in range(len(data)):
            await self.send(data[at : at + 1])
            await asyncio.sleep(pause)

    def close(self):
        self._writer.close()

    def reset(self):
        self._writer.transport.abort()


def answer(body=b"{}", *lines, status=b"200 OK"):
    """A whole answer with its length."""
    more = b"".join(line + b"\r\n" for line in lines)
    return b"HTTP/1.1 %b\r\ncontent-length: %d\r\n%b\r\n%b" % (status, len(body), more, body)


class Server:
    """Where it is, and what it has seen."""

    def __init__(self):
        self.url = ""
        self.port = 0
        self.connections = 0
        self.requests = []
        self.peers = []


@asynccontextmanager
async def serving(talk, *, tls=None):
    """Run ``talk(peer, server)`` for every connection."""
    server, tasks = Server(), set()

    async def connected(reader, writer):
        server.connections += 1
        peer = Peer(reader, writer, server.connections)
        server.peers.append(peer)
        tasks.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.CancelledError):
            await talk(peer, server)
        writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls, backlog=1024)
    server.port = listener.sockets[0].getsockname()[1]
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.port}"
    try:
        yield server
    finally:
        listener.close()
        for peer in server.peers:
            peer.reset()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


def always(*pieces):
    """Answers every request with these bytes."""

    async def talk(peer, server):
        while (request := await peer.request()) is not None:
            server.requests.append(request)
            await peer.send(*pieces)

    return talk
