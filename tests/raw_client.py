"""A client that hides nothing: what bytes came, and how the connection ended."""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Heard:
    """All bytes of one connection; `end` is fin, rst, or open when patience ran out."""

    raw: bytes
    end: str

    @property
    def status(self) -> int:
        return int(self.raw.split(b" ", 2)[1])

    @property
    def head(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[0].lower()

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]


def request(method="POST", path="/hook", body=b'{"n": 1}', *, keep=False, headers=()) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += ["Content-Type: application/json", f"Connection: {'keep-alive' if keep else 'close'}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def connect(url):
    at = urlsplit(url)
    return await asyncio.open_connection(at.hostname, at.port)


async def hear(reader, patience=2.0) -> Heard:
    raw = bytearray()
    try:
        async with asyncio.timeout(patience):
            while part := await reader.read(65536):
                raw += part
    except TimeoutError:
        return Heard(bytes(raw), "open")
    except ConnectionError:
        return Heard(bytes(raw), "rst")
    return Heard(bytes(raw), "fin")


async def ask(url, data: bytes | None = None, patience=2.0) -> Heard:
    """Send these bytes and listen until the other side ends the connection."""
    try:
        reader, writer = await connect(url)
    except ConnectionError:
        return Heard(b"", "rst")
    try:
        writer.write(request() if data is None else data)
        return await hear(reader, patience)
    finally:
        writer.transport.abort()
