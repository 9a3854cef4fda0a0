"""The message itself: how much of it has left, and what an answer before its end means."""

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.email.scripted import DEAF, HASTY, Scripted
from connectors.email.test_connection import ONCE, notifier, tell
from sentio_async import errors
from sentio_async.connectors.email.connection import _dotted
from sentio_async.errors import Outcome
from sentio_async.models import Attachment, Delivery

TABLE = bytes(b"\r\n.a"[number % 4] for number in range(256))
LARGE = Attachment(filename="a.bin", content=bytes(6_000_000))


@pytest.fixture(params=["plain", "tls"])
def scripted(request, tmp_path):
    """Makes servers, in the clear and behind TLS."""

    def make(**replies):
        server = Scripted(**replies)
        return server.secured(tmp_path) if request.param == "tls" else server

    return make


@pytest.mark.slow
async def test_a_message_whose_end_never_left_was_not_sent(scripted):
    async with scripted(DATA=DEAF) as server:
        mail = notifier(server, **ONCE, final_reply_timeout=0.04)
        with pytest.raises(errors.ConnectionError, match="not sent to its end") as caught:
            await tell(mail, attachments=[LARGE], timeout=0.8)

    assert caught.value.outcome is Outcome.NOT_SENT


async def test_a_yes_before_the_message_was_sent_to_its_end_is_none(scripted):
    async with scripted(DATA=HASTY) as server, notifier(server, **ONCE) as mail:
        receipt = await tell(mail, attachments=[LARGE])
        assert not mail._connections._idle

    (result,) = receipt.results
    assert result.delivery is Delivery.UNKNOWN
    assert result.reason == "reply to the message came before its end"


async def test_after_an_early_no_the_next_message_is_right(scripted):
    async with scripted(DOT="552 5.3.4 too big") as server, notifier(server, **ONCE) as mail:
        server.replies["DATA"] = [HASTY, "354 go ahead"]
        with pytest.raises(errors.BadRequestError, match="too big"):
            await tell(mail, attachments=[LARGE])
        server.replies["DOT"] = "250 OK"

        assert (await tell(mail, timeout=5)).is_delivered
        assert server.connections == 2
        assert len(server.messages) == 1


async def test_a_large_message_is_written_while_others_go_on():
    server = Scripted()
    server.limit = 1 << 24
    async with server:
        sending = asyncio.create_task(tell(notifier(server), attachments=[LARGE]))
        turns = 0
        while not server.connections:
            await asyncio.sleep(0)
            turns += 1

        assert (await sending).is_delivered
    assert turns > 50


@given(st.binary(max_size=40).map(lambda text: text.translate(TABLE)))
def test_a_message_is_dotted_as_smtp_has_it(data):
    lines = re.split(rb"\r\n|\n|\r", data)
    if not lines[-1]:
        lines.pop()

    told = bytes(_dotted(data))

    assert told.endswith(b"\r\n.\r\n")
    assert told.removesuffix(b".\r\n").split(b"\r\n") == [
        *(b"." + line if line.startswith(b".") else line for line in lines or [b""]),
        b"",
    ]


async def test_what_waits_to_be_sent_is_not_sent_after_a_cancel():
    async with Scripted(DATA=DEAF) as server, notifier(server) as mail:
        transport = mail._connections._idle[0]._smtp.transport
        sending = asyncio.create_task(tell(mail, attachments=[LARGE]))
        for _ in range(5_000):
            if waits := transport.get_write_buffer_size():
                break
            await asyncio.sleep(0.001)
        sending.cancel()
        await asyncio.wait((sending,))

        assert waits > 0
        assert transport.get_write_buffer_size() == 0
        assert transport.is_closing()
