"""What is written into a header is shown as it was given, and nothing else comes of it."""

import email
import re
from email.header import decode_header, make_header
from email.utils import getaddresses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.email.scripted import Scripted
from connectors.email.test_connection import notifier, tell
from connectors.email.test_message import a_letter, headers_of, sent
from sentio_async.connectors.email.headers import one_line
from sentio_async.connectors.email.message import build_message, flatten
from sentio_async.models import Attachment

ENCODED = "=?utf-8?q?=0D=0ABcc=3A_evil=40x=2Etest=0D=0A=0D=0A?="
"""Holds line ends, which the library would read and write as such."""


def shown(letter, name):
    """Names and addresses as a mail program shows them (RFC 2047 6.2: no space in between)."""
    raw = email.message_from_string(headers_of(letter))[name].replace("\r\n", "")
    found = getaddresses([raw])
    return [(str(make_header(decode_header(phrase))), address) for phrase, address in found]


@pytest.mark.parametrize(
    "text", [ENCODED, f"a {ENCODED}", f"a{ENCODED}", "=?utf-8?b?DQpCY2M6IGVAeA==?="]
)
def test_a_text_that_looks_encoded_is_shown_as_it_is_and_starts_no_header(text):
    letter = a_letter(
        subject=text,
        headers={"X-Note": text},
        sender=f"{text} <bot@x.test>",
        to=(f'"{text}" <a@x.test>', "b@x.test"),
        reply_to=f"{text} <c@x.test>",
    )

    message = sent(letter)

    assert message["Bcc"] is None
    assert message["Subject"] == message["X-Note"] == text
    for name in ("From", "To", "Reply-To"):
        assert shown(letter, name)[0][0] == text
    assert [address for _, address in shown(letter, "To")] == ["a@x.test", "b@x.test"]
    assert message.get_content().strip() == letter.text


PIECES = tuple('a "\\()<>@;:,ü日')
ODD_NAMES = st.lists(
    st.sampled_from([*PIECES, "@x.test", "x" * 40, "=?", "?=", "evil@x.test,", ENCODED]),
    max_size=12,
).map("".join)


@settings(deadline=None)
@given(ODD_NAMES)
def test_any_name_is_shown_as_it_is_and_names_nobody_else(name):
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')

    letter = a_letter(to=(f'"{quoted}" <a@x.test>', "b@x.test"), subject=name)

    message = sent(letter)
    assert shown(letter, "To") == [(one_line(name), "a@x.test"), ("", "b@x.test")]
    assert [a.addr_spec for a in message["To"].addresses] == ["a@x.test", "b@x.test"]
    assert message["Subject"] == one_line(name)
    assert message["Bcc"] is None


def test_what_machines_read_is_not_encoded_however_long_it_is():
    thread = f"<{'a' * 64}@mail.some.where.test>"
    link = f"<https://x.test/leave?token={'a' * 30}>"

    cid = f"{'c' * 60}@{'x' * 60}.test"
    chart = Attachment(
        filename="c.png", content=b"x", content_type="image/png", content_id=f"<{cid}>"
    )
    letter = a_letter(
        thread_id=thread, headers={"List-Unsubscribe": link}, html="<p>", attachments=(chart,)
    )

    unfolded = flatten(build_message(letter)).decode().replace("\r\n ", " ")
    assert f"\r\nContent-ID: <{cid}>\r\n" in unfolded
    assert f"\r\nIn-Reply-To: {thread}\r\n" in unfolded
    assert f"\r\nReferences: {thread}\r\n" in unfolded
    assert re.search(rf"\r\nList-Unsubscribe: +{re.escape(link)}\r\n", unfolded)


def test_no_header_line_is_longer_than_a_server_takes():
    long = "x" * 300
    letter = a_letter(subject="y" * 900, headers={"X-Note": long}, to=(f"{long} <a@x.test>",) * 3)

    assert max(map(len, headers_of(letter).split("\r\n"))) <= 998
    assert sent(letter)["X-Note"] == long
    assert shown(letter, "To") == [(long, "a@x.test")] * 3


@given(st.text(max_size=200))
def test_one_line_is_one_line(text):
    assert len(one_line(text).splitlines()) <= 1
    assert one_line(text).isprintable()


async def test_an_empty_thread_is_none_and_groups_no_messages():
    async with Scripted() as server:
        await tell(notifier(server), thread_id="")
        await tell(notifier(server), thread_id="incident-1")

    assert [b"\r\nReferences: " in message for message in server.messages] == [False, True]
