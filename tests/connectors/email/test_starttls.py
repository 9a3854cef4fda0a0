"""What is said before TLS is nobody's word: it is not believed after it."""

import asyncio
import contextlib
import ssl

import pytest
import trustme

from sentio_async import errors
from sentio_async.connectors.email.notifier import EmailNotifier
from sentio_async.models import Delivery

OFFER = b"250-x.test\r\n250-AUTH PLAIN\r\n250-SMTPUTF8\r\n250 STARTTLS\r\n"


class Intruded:
    """A server whose plain text somebody has added ``added`` to; inside TLS it offers nothing."""

    def __init__(self, added=b"", *, late=False):
        self.added, self.late = added, late
        self.inside = []
        self._authority = trustme.CA()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("127.0.0.1").configure_cert(self._context)
        self._ended = asyncio.Event()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_):
        self._server.close()
        async with asyncio.timeout(5):
            await self._ended.wait()
        await self._server.wait_closed()

    def notifier(self, tmp_path, **more):
        self._authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        port = self._server.sockets[0].getsockname()[1]
        known = {"host": "127.0.0.1", "port": port, "sender": "bot@x.test", "retry_attempts": 1}
        return EmailNotifier({**known, "ca_file": tmp_path / "ca.pem", **more})

    async def _serve(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            for reply in (b"220 hi\r\n", OFFER):
                writer.write(reply)
                await reader.readline()
            writer.write(b"220 go ahead\r\n" + (b"" if self.late else self.added))
            if self.late:
                writer.write(await reader.readexactly(1) and self.added)
                await reader.read()
            else:
                await writer.start_tls(self._context)
                await self._talk(reader, writer)
        writer.close()
        self._ended.set()

    async def _talk(self, reader, writer):
        while line := await reader.readline():
            self.inside.append(line.decode().split()[0])
            writer.write(b"354 go ahead\r\n" if line == b"DATA\r\n" else b"250 OK\r\n")
            if line == b"DATA\r\n":
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"250 OK\r\n")


@pytest.mark.parametrize(
    "added", [b"250-evil\r\n250 AUTH PLAIN\r\n", b"250-half a reply\r\n", b"535 no\r\n" * 3]
)
async def test_what_was_added_before_tls_is_no_reply_inside_it(added, tmp_path):
    async with Intruded(added) as server:
        receipt = await server.notifier(tmp_path).send_notification("a@x.test", "s", "m")

    assert receipt.results[0].delivery is Delivery.ACCEPTED
    assert server.inside == ["EHLO", "MAIL", "RCPT", "DATA"]


async def test_what_is_added_into_the_handshake_ends_it(tmp_path):
    async with Intruded(b"250 OK\r\n", late=True) as server:
        with pytest.raises(errors.ConnectionError) as caught:
            await server.notifier(tmp_path).send_notification("a@x.test", "s", "m")

    assert caught.value.phase == "STARTTLS"
    assert server.inside == []


async def test_what_was_offered_before_tls_is_forgotten(tmp_path):
    login = {"username": "bot", "password": "s3cret-word"}
    async with Intruded() as server:
        with pytest.raises(errors.PermissionError, match="it offers none"):
            await server.notifier(tmp_path, **login).send_notification("a@x.test", "s", "m")

    async with Intruded() as server:
        with pytest.raises(errors.InvalidRequestError, match="ASCII"):
            await server.notifier(tmp_path).send_notification("jörg@x.test", "s", "m")

    assert server.inside == ["EHLO"]
