"""What a real server once said, line by line, said again."""

import json

import pytest

from connectors.email.scripted import Scripted
from sentio_async import errors
from sentio_async.connectors.email.notifier import EmailNotifier
from sentio_async.models import Delivery

EXPECTED = {
    "smtp/ok_single": "accepted",
    "smtp/partial_550_and_451": "partial",
    "smtp/all_refused_550": errors.BadRequestError,
    "smtp/all_refused_451": errors.ServerError,
    "smtp/data_550": errors.BadRequestError,
    "smtp/data_451": errors.ServerError,
    "smtp/size_552_at_mail": errors.BadRequestError,
    "smtp/auth_ok": "accepted",
    "smtp/auth_535_two_attempts": errors.AuthenticationError,
    "smtp/greeting_451": errors.ServerError,
}


def conversation(lines):
    """Recipients, and the server's replies by the command each was for."""
    replies, recipients, word, reply = {}, [], "CONNECT", []
    for line in lines:
        side, _, text = line.partition(": ")
        if side == "S" and not text.startswith("<closed"):
            reply.append(text)
            if text[3:4] != "-":
                replies.setdefault(word, []).append("\r\n".join(reply))
                reply = []
        elif side == "C" and text == ".":
            word = "DOT"
        elif side == "C" and word != "DATA":
            word = text.split(" ")[0]
            if word == "RCPT":
                recipients.append(text.removeprefix("RCPT TO:<").removesuffix(">"))
    return recipients or ["a@x.test"], replies


def test_the_recorded_conversations_are_read_whole():
    lines = ["S: 220 hi", "C: EHLO x", "S: 250-a", "S: 250 b", "C: DATA", "S: 354 go", "C: MAIL x"]

    _, replies = conversation([*lines, "C: .", "S: 250 OK"])

    assert replies == {
        "CONNECT": ["220 hi"],
        "EHLO": ["250-a\r\n250 b"],
        "DATA": ["354 go"],
        "DOT": ["250 OK"],
    }


@pytest.mark.parametrize("name", EXPECTED)
async def test_recorded_conversations_end_as_they_should(shared, name):
    files = (shared / "payloads" / "smtp").glob("*.json")
    recorded = {each["id"]: each for each in (json.loads(f.read_text()) for f in files)}[name]
    recipients, replies = conversation(recorded["lines"])
    login = {"username": "bot", "password": "s3cret"} if "AUTH" in replies else {}
    expected = EXPECTED[name]

    async with Scripted(**replies) as server:
        mail = EmailNotifier(server.settings(**login, retry_attempts=1))
        if isinstance(expected, type):
            with pytest.raises(expected):
                await mail.send_notification(recipients, "t", "m")
            return
        receipt = await mail.send_notification(recipients, "t", "m")

    found = {r.recipient: r.delivery for r in receipt.results}
    outcome = recorded["suggested_outcome"]
    assert [r for r, d in found.items() if d is Delivery.REFUSED] == outcome.get("permanent", [])
    assert [r for r, d in found.items() if d is Delivery.DEFERRED] == outcome.get("transient", [])
    assert Delivery.ACCEPTED in found.values()
