"""A mail server that says exactly what a test has it say, and writes down what it is told."""

import asyncio
import contextlib
import socket
import ssl

import trustme

EHLO = "250-scripted.test\r\n250-SIZE 1000000\r\n250-AUTH PLAIN LOGIN XOAUTH2\r\n250 SMTPUTF8"
DEAF = "354 go ahead, nobody reads it"
HASTY = "354 go ahead, the answer comes before the end"
SLOW = "220 go ahead, and no handshake follows"
LATE = 0.5


class Scripted:
    """Replies by command word; a list is used up in turn, None means silence.

    The word `DOT` is the message, `CONNECT` the greeting, `MORE` a line in answer to a challenge.
    `hang up` closes instead of replying; `late 250 OK` replies when the next line has come.
    """

    def __init__(self, **replies):
        self.replies = {
            "CONNECT": "220 scripted.test ESMTP",
            "EHLO": EHLO,
            "MAIL": "250 2.1.0 OK",
            "RCPT": "250 2.1.5 OK",
            "DATA": "354 go ahead",
            "DOT": "250 2.0.0 OK id=1",
            "RSET": "250 2.0.0 OK",
            "NOOP": "250 2.0.0 OK",
            "QUIT": "221 2.0.0 bye",
            "AUTH": "235 2.7.0 OK",
            **replies,
        }
        self.limit = 1 << 16
        """How many bytes of a message are read, and twice as many if its end is not waited for."""
        self.lines = []
        self.messages = []
        self.connections = 0
        self.open = 0
        self.deserted = asyncio.Event()
        self.paused = asyncio.Event()
        self._tls = None
        self._security = {"tls": "none"}
        self._held = {}
        self._writers = []
        self._tasks = set()

    async def __aenter__(self):
        listener = socket.create_server(("127.0.0.1", 0))
        # Small, so that a message may be too large for it.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._server = await asyncio.start_server(
            self._serve, sock=listener, limit=self.limit, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def settings(self, **more):
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "sender": "bot@x.test",
            "ehlo_name": "client.test",
            **self._security,
            **more,
        }

    def secured(self, folder):
        """The same behind TLS from the first byte."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self._tls)
        self._security = {"tls": "implicit", "ca_file": folder / "ca.pem"}
        return self

    def words(self):
        """The commands, without what follows them."""
        return [line.split(" ", 1)[0] for line in self.lines]

    def hang_up(self):
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        self._writers.append(writer)
        self.connections += 1
        self.open += 1
        self.deserted.clear()
        try:
            await self._talk(reader, writer)
        finally:
            self.open -= 1
            if not self.open:
                self.deserted.set()

    async def _talk(self, reader, writer):
        gone = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.suppress(*gone):
            if not await self._reply("CONNECT", writer):
                return
            while raw := await reader.readline():
                line = raw.decode().rstrip("\r\n")
                self.lines.append(line)
                if held := self._held.pop(writer, ""):
                    writer.write(held.encode() + b"\r\n")
                word = line.split(" ", 1)[0].upper()
                if not await self._reply(word if word in self.replies else "MORE", writer):
                    return
                is_hasty = self._last == HASTY
                if is_hasty:
                    await reader.readexactly(1)
                    await self._reply("DOT", writer)
                if is_hasty or self._last in (DEAF, SLOW):
                    await asyncio.get_running_loop().create_future()
                if word == "DATA" and self._last.startswith("354"):
                    self.messages.append(await reader.readuntil(b"\r\n.\r\n"))
                    if not await self._reply("DOT", writer):
                        return
        writer.close()

    async def _reply(self, word, writer):
        reply = self.replies[word]
        if isinstance(reply, list):
            reply = reply.pop(0) if len(reply) > 1 else reply[0]
        self._last = reply or ""
        if reply == SLOW:
            await asyncio.sleep(LATE)
        if reply is None or reply.startswith("late "):
            self._held[writer] = (reply or "").removeprefix("late ")
            self.paused.set()
            return True
        if reply == "hang up":
            writer.transport.abort()
            return False
        writer.write(reply.encode() + b"\r\n")
        await writer.drain()
        if reply.startswith("421"):
            writer.close()
            return False
        return True
