"""The control port tells what was seen, and takes faults while the exchange runs."""

import json
from email.message import EmailMessage

import aiosmtplib
import pytest

from raw_client import ask, request
from sentio_async.sim.exchange import Exchange


@pytest.fixture
async def exchange():
    async with Exchange(venues=["webhook", "smtp"]) as exchange:
        yield exchange


async def control(exchange, method, path, body=b""):
    heard = await ask(exchange.addresses.control, request(method, path, body))
    return heard.status, json.loads(heard.body) if heard.body else None


async def test_it_tells_addresses_requests_hooks_and_clock(exchange):
    await ask(exchange.addresses.webhook, request(path="/hook/a"))
    await ask(exchange.addresses.webhook, request(path="/hook/b"))

    assert (await control(exchange, "GET", "/"))[1]["webhook"] == exchange.addresses.webhook
    _, requests = await control(exchange, "GET", "/requests?venue=webhook")
    assert [(row["path"], row["status"]) for row in requests] == [
        ("/hook/a", 200),
        ("/hook/b", 200),
    ]
    assert (await control(exchange, "GET", "/requests?venue=polygon"))[1] == []
    _, hooks = await control(exchange, "GET", "/hooks?limit=1")
    assert [row["path"] for row in hooks] == ["/hook/b"]
    assert (await control(exchange, "GET", "/clock"))[1]["now"].endswith("+00:00")


async def test_it_shows_mails_with_their_envelope(exchange):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@x.test", "b@x.test", "Filled ✓"
    message.set_content("10 AAPL")
    port = exchange.addresses.smtp_port
    await aiosmtplib.send(
        message, recipients=["b@x.test", "hidden@x.test"], hostname="127.0.0.1", port=port
    )
    _, (mail,) = await control(exchange, "GET", "/inbox")

    assert mail["recipients"] == ["b@x.test", "hidden@x.test"]
    assert (mail["subject"], mail["text"].strip()) == ("Filled ✓", "10 AAPL")


async def test_faults_are_added_shown_and_taken_away(exchange):
    rules = [{"kind": "status", "status": 500, "times": 1}, {"kind": "delay", "nth": 9}]
    status, added = await control(exchange, "POST", "/faults", json.dumps(rules).encode())
    heard = await ask(exchange.addresses.webhook)
    _, shown = await control(exchange, "GET", "/faults")
    cleared = await control(exchange, "DELETE", "/faults")

    assert (status, added, heard.status) == (201, {"added": 2}, 500)
    assert shown["rules"] == rules
    assert [(row["path"], row["executed"]) for row in shown["applied"]] == [("/hook", False)]
    assert cleared == (204, None)
    assert exchange.state.faults.rules == ()


async def test_no_fault_strikes_the_control_port_itself(exchange):
    await control(exchange, "POST", "/faults", b'{"kind": "drop_before"}')

    assert (await control(exchange, "GET", "/faults"))[0] == 200


@pytest.mark.parametrize(
    ("path", "body", "complaint"),
    [
        ("/faults", b"{", "body is not JSON"),
        ("/faults", b'{"kind": "explode"}', "kind: 'explode' is none of"),
        ("/faults", b'["drop"]', "a fault rule is an object, not str"),
        ("/clock/advance", b'{"seconds": -1}', "seconds: a number from 0 up is needed"),
        ("/clock/advance", b"[]", "seconds: a number from 0 up is needed"),
    ],
)
async def test_what_cannot_be_meant_is_refused_with_a_reason(exchange, path, body, complaint):
    status, answer = await control(exchange, "POST", path, body)

    assert status == 422
    assert complaint in answer["message"]
    assert exchange.state.faults.rules == ()


async def test_time_can_be_moved_forward(exchange):
    before = exchange.state.clock.now()
    status, _ = await control(exchange, "POST", "/clock/advance", b'{"seconds": 3600}')

    assert status == 200
    assert (exchange.state.clock.now() - before).total_seconds() >= 3600


async def test_accounts_are_listed_without_secrets(exchange):
    _, rows = await control(exchange, "GET", "/accounts")

    assert {row["vendor"] for row in rows} >= {"smtp", "polygon"}
    assert exchange.smtp_password not in json.dumps(rows)


async def test_what_was_seen_can_be_forgotten(exchange):
    await ask(exchange.addresses.webhook)
    await control(exchange, "DELETE", "/seen")

    assert not exchange.requests
    assert not exchange.hooks


async def test_a_web_page_elsewhere_cannot_steer_it(exchange):
    data = request("DELETE", "/faults", b"").replace(b"Host: 127.0.0.1", b"Host: evil.example")
    heard = await ask(exchange.addresses.control, data)

    assert heard.status == 403


@pytest.mark.parametrize("seconds", ["1e12", "1e308", "Infinity", "NaN"])
async def test_time_cannot_be_moved_where_no_clock_goes(exchange, seconds):
    body = f'{{"seconds": {seconds}}}'.encode()
    status, _ = await control(exchange, "POST", "/clock/advance", body)

    assert status == 422
    assert (await control(exchange, "GET", "/clock"))[0] == 200


async def test_a_form_on_a_web_page_cannot_steer_it(exchange):
    posted = request("POST", "/faults", b"[]", headers=[("Origin", "http://evil.example")])

    assert (await ask(exchange.addresses.control, posted)).status == 403
