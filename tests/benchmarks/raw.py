"""The limit: a socket, a parser, one future a request.  No timeouts, no bounds, no pool."""

import asyncio
from urllib.parse import urlsplit

import httptools


class RawConnection(asyncio.BufferedProtocol):
    def __init__(self):
        self._buffer = memoryview(bytearray(65536))
        self._parser = httptools.HttpResponseParser(self)
        self._fields = []
        self._body = []

    def connection_made(self, transport):
        self._transport = transport

    def get_buffer(self, sizehint):
        return self._buffer

    def buffer_updated(self, size):
        self._parser.feed_data(self._buffer[:size])

    def on_header(self, name, value):
        self._fields.append((name, value))

    def on_body(self, body):
        self._body.append(body)

    def on_message_complete(self):
        fields, self._fields = self._fields, []
        body, self._body = self._body, []
        self._waiter.set_result((self._parser.get_status_code(), fields, body[0]))

    async def ask(self, data):
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return await self._waiter

    def close(self):
        self._transport.abort()


async def connect(url, count):
    """So many raw connections."""
    at = urlsplit(url)
    loop = asyncio.get_running_loop()
    pairs = [
        await loop.create_connection(RawConnection, at.hostname, at.port) for _ in range(count)
    ]
    return [connection for _, connection in pairs]


def request(url, path):
    host = urlsplit(url).netloc
    lines = f"GET {path} HTTP/1.1\r\nhost: {host}\r\naccept-encoding: gzip\r\n"
    return f"{lines}user-agent: raw\r\naccept: application/json\r\n\r\n".encode()
