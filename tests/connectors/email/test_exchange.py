"""E-mail into the embedded exchange's server, over real sockets and real TLS."""

import asyncio
import random
import ssl
from collections import Counter

import pytest
import trustme

from sentio_async import errors
from sentio_async.connectors.email.notifier import EmailNotifier
from sentio_async.errors import Outcome
from sentio_async.models import Attachment, Delivery
from sentio_async.sim.exchange import Exchange
from sentio_async.sim.faults import FaultRule
from sentio_async.sim.settings import MailSettings

pytestmark = pytest.mark.exchange(venues=("smtp",))

TRADE = {"symbol": "AAPL", "side": "sell", "qty": "10", "price": "187.20"}


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def server_context(authority, name="127.0.0.1"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def secured(security, context):
    """An exchange whose mail server speaks TLS; it is read when the server starts."""
    return Exchange(
        venues=("smtp",), mail=MailSettings(security=security, tls=context, auth_required=True)
    )


def notifier(exchange, **more):
    mail = EmailNotifier({**exchange.settings("email"), **more})
    mail._pipeline._luck = lambda: 0.01
    return mail


@pytest.mark.parametrize("security", ["starttls", "implicit"])
async def test_mail_goes_through_tls_with_a_login(security, authority, ca_file):
    async with (
        secured(security, server_context(authority)) as exchange,
        notifier(exchange, ca_file=ca_file) as mail,
    ):
        receipt = await mail.send_notification("a@x.test", "filled", "10 AAPL")

    assert receipt.is_delivered
    (got,) = exchange.inbox
    assert got.encrypted
    assert got.username == exchange.smtp_username


@pytest.mark.parametrize("security", ["starttls", "implicit"])
async def test_an_untrusted_certificate_ends_it_before_the_password(security, authority):
    async with secured(security, server_context(authority)) as exchange:
        with pytest.raises(errors.CertificateError) as caught:
            await notifier(exchange).send_notification("a@x.test", "s", "m")

    assert caught.value.outcome is Outcome.NOT_SENT
    assert len(caught.value.attempts) == 1
    assert exchange.inbox == []


async def test_a_certificate_for_somebody_else_is_not_trusted(authority, ca_file):
    async with secured("starttls", server_context(authority, "other.example")) as exchange:
        with pytest.raises(errors.CertificateError, match="not trusted"):
            await notifier(exchange, ca_file=ca_file).send_notification("a@x.test", "s", "m")


async def test_starttls_that_was_stripped_ends_it_before_the_password(exchange, ca_file):
    mail = notifier(exchange, tls="starttls", ca_file=ca_file)

    with pytest.raises(errors.PermissionError, match="STARTTLS"):
        await mail.send_notification("a@x.test", "s", "m")

    assert exchange.inbox == []


async def test_implicit_tls_to_a_plain_port_says_what_may_be_wrong(exchange, ca_file):
    mail = notifier(exchange, tls="implicit", ca_file=ca_file, retry_attempts=1)

    with pytest.raises(errors.ConnectionError, match="starttls"):
        await mail.send_notification("a@x.test", "s", "m")


async def test_starttls_to_an_implicit_port_says_what_may_be_wrong(authority, ca_file):
    more = {"timeouts": {"connect": 0.05}, "retry_attempts": 1}
    async with secured("implicit", server_context(authority)) as exchange:
        mail = notifier(exchange, tls="starttls", ca_file=ca_file, **more)
        with pytest.raises(errors.ConnectionError, match="implicit"):
            await mail.send_notification("a@x.test", "s", "m")


@pytest.mark.parametrize("content", [None, "this is not a certificate"])
async def test_a_ca_file_that_cannot_be_read_is_a_wrong_setting(exchange, tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    mail = notifier(exchange, tls="starttls", ca_file=path)

    with pytest.raises(errors.ConfigurationError, match="ca_file"):
        await mail.send_notification("a@x.test", "s", "m")


async def test_a_wrong_password_is_refused_by_a_real_server(authority, ca_file):
    async with secured("starttls", server_context(authority)) as exchange:
        mail = notifier(exchange, ca_file=ca_file, password="wrong")
        with pytest.raises(errors.AuthenticationError):
            await mail.send_notification("a@x.test", "s", "m")


async def test_a_token_is_accepted_by_a_real_server(authority, ca_file):
    given = iter(["stale-token", "good-token"])

    async def provide():
        return next(given)

    async with secured("starttls", server_context(authority)) as exchange:
        exchange.state.mail.tokens = {"good-token"}
        mail = notifier(exchange, ca_file=ca_file, password=None, token_provider=provide)
        receipt = await mail.send_notification("a@x.test", "s", "m")

    assert receipt.is_delivered


async def test_everything_a_message_may_have_arrives(exchange):
    logo = Attachment(filename="l.png", content=b"png", content_type="image/png", content_id="logo")
    table = Attachment(filename="a.csv", content=b"a;b", content_type="text/csv")

    async with notifier(exchange) as mail:
        receipt = await mail.send_notification(
            ["A <a@x.test>", "b@x.test"],
            "Köln\nfilled",
            "text\n.\nmore",
            html='<p>ü</p><img src="cid:logo">',
            attachments=[logo, table],
            priority="critical",
            event_id="fill-1",
            cc=["c@x.test"],
            bcc=["d@x.test"],
            reply_to="desk@x.test",
            thread_id="incident-1",
            headers={"X-Strategy": "momentum"},
        )

    (got,) = exchange.inbox
    assert receipt.id == "<fill-1@sentio.test>"
    assert got.recipients == ("a@x.test", "b@x.test", "c@x.test", "d@x.test")
    assert [r.recipient for r in receipt.results] == list(got.recipients)
    message = got.message
    assert message["Subject"] == "Köln filled"
    assert message["Message-ID"] == receipt.id
    assert message["References"] == "<incident-1@sentio.test>"
    assert message["Reply-To"] == "desk@x.test"
    assert message["X-Priority"] == "1"
    assert message["X-Strategy"] == "momentum"
    assert b"d@x.test" not in got.raw
    assert message.get_body(("plain",)).get_content().splitlines() == ["text", ".", "more"]
    assert [part.get_filename() for part in message.iter_attachments()] == ["a.csv"]


async def test_alerts_and_trades_go_to_the_configured_recipients(exchange):
    async with notifier(exchange, recipients="desk@x.test, risk@x.test") as mail:
        await mail.send_alert("drawdown", "5 %", event_id="a-1")
        await mail.send_trade_notification(TRADE)

    alert, trade = exchange.inbox
    assert alert.recipients == trade.recipients == ("desk@x.test", "risk@x.test")
    assert alert.message["Subject"] == "[high] drawdown"
    assert alert.message["Importance"] == "high"
    assert trade.message["Subject"] == "SELL 10 AAPL @ 187.20"
    assert "Total: 1872.00" in trade.message.get_content()


async def test_without_recipients_alerts_come_back_to_the_sender(exchange):
    async with notifier(exchange) as mail:
        await mail.send_alert("drawdown", "5 %")

    assert exchange.inbox[0].recipients == (exchange.smtp_username,)


async def test_refused_recipients_do_not_cost_the_others(exchange):
    exchange.state.mail.refuse = {"b@x.test": "550 5.1.1 no such mailbox"}

    async with notifier(exchange) as mail:
        receipt = await mail.send_notification(["a@x.test", "b@x.test"], "s", "m")

    assert [r.delivery for r in receipt.results] == [Delivery.ACCEPTED, Delivery.REFUSED]
    assert receipt.failed[0].code == "550 5.1.1"
    assert exchange.inbox[0].recipients == ("a@x.test",)


@pytest.mark.parametrize("kind", ["drop_before", "reset_before", "status"])
@pytest.mark.parametrize("command", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_a_fault_before_the_message_is_made_good_by_another_try(exchange, command, kind):
    if command == "CONNECT" and kind == "drop_before":
        kind = "drop_accept"
    rule = FaultRule(kind=kind, venue="smtp", method=command, status=421, nth=1)
    exchange.add_fault(rule)

    receipt = await notifier(exchange).send_notification("a@x.test", "s", "m")

    assert receipt.is_delivered
    assert receipt.attempts == 2
    assert len(exchange.inbox) == 1


@pytest.mark.parametrize("kind", ["drop_after", "reset_after", "cut", "garbage"])
async def test_a_message_that_was_taken_without_a_word_is_not_sent_twice(exchange, kind):
    exchange.add_fault(FaultRule(kind=kind, venue="smtp", method="DOT", nth=1))

    receipt = await notifier(exchange).send_notification("a@x.test", "s", "m")

    assert receipt.results[0].delivery is Delivery.UNKNOWN
    assert len(exchange.inbox) == 1


async def test_at_least_once_sends_twice_what_was_taken_without_a_word(exchange):
    exchange.add_fault(FaultRule(kind="drop_after", venue="smtp", method="DOT", nth=1))

    receipt = await notifier(exchange, resend="always").send_notification("a@x.test", "s", "m")

    assert receipt.is_delivered
    first, second = exchange.inbox
    assert first.message["Message-ID"] == second.message["Message-ID"] == receipt.id


async def test_what_e_mail_does_not_know_is_said(exchange):
    mail = notifier(exchange)

    with pytest.raises(errors.InvalidRequestError, match="colour"):
        await mail.send_notification("a@x.test", "s", "m", colour="red")
    with pytest.raises(errors.InvalidRequestError, match="recipient"):
        await mail.send_notification("a@x.test, b@x.test", "s", "m")
    with pytest.raises(errors.InvalidRequestError, match="nobody"):
        await mail.send_notification([], "s", "m")
    assert exchange.inbox == []


async def test_nobody_there_is_said_and_known_not_to_have_been_sent(exchange):
    settings = exchange.settings("email")
    await exchange.stop()
    mail = EmailNotifier({**settings, "retry_attempts": 1})

    with pytest.raises(errors.ConnectionError, match=r"(?i)cannot connect.*refused") as caught:
        await mail.send_notification("a@x.test", "s", "m")

    assert caught.value.outcome is Outcome.NOT_SENT
    assert caught.value.phase == "CONNECT"
    assert f"{settings['host']}:{settings['port']}: " in caught.value.message


async def test_after_any_number_of_cancels_every_mail_is_the_one_its_receipt_says(exchange):
    luck = random.Random(7)
    receipts = {}

    async def tell(mail, number):
        receipts[number] = await mail.send_notification(
            f"{number}@x.test", f"s{number}", f"m{number}", event_id=f"e{number}"
        )

    async def leave_early(mail, number):
        sending = asyncio.create_task(tell(mail, number))
        for _ in range(luck.randrange(60)):
            await asyncio.sleep(0)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

    async with notifier(exchange) as mail:
        for start in range(0, 200, 4):
            await asyncio.gather(*(leave_early(mail, start + n) for n in range(4)))
        await asyncio.gather(*(tell(mail, 1000 + n) for n in range(20)))
        status = mail.get_status()

    assert {1000 + n for n in range(20)} <= set(receipts)
    assert len(receipts) < 220
    arrived = Counter(mail.recipients for mail in exchange.inbox)
    for number, receipt in receipts.items():
        assert receipt.is_delivered
        assert arrived[(f"{number}@x.test",)] == 1
    for got in exchange.inbox:
        number = got.recipients[0].partition("@")[0]
        assert got.message["Subject"] == f"s{number}"
        assert got.message["Message-ID"] == f"<e{number}@sentio.test>"
    assert max(arrived.values()) == 1
    assert status.in_flight == 0
    assert set(status.breakers.values()) == {"closed"}


async def test_whatever_goes_wrong_a_receipt_never_says_what_is_not_so(exchange):
    luck = random.Random(11)
    kinds = ("drop_before", "reset_before", "drop_after", "reset_after", "cut", "half", "status")
    for kind in (*kinds, "garbage", "unsolicited"):
        for command in ("EHLO", "AUTH", "MAIL", "RCPT", "DATA", "DOT"):
            exchange.add_fault(
                FaultRule(kind=kind, venue="smtp", method=command, probability=0.02, status=451)
            )
    ends = {}

    async def tell(mail, number):
        try:
            end = await mail.send_notification(f"{number}@x.test", f"s{number}", "m")
        except errors.ConnectorError as exc:
            end = exc
        ends[number] = end

    async def tell_or_leave(mail, number):
        sending = asyncio.create_task(tell(mail, number))
        if luck.random() < 0.3:
            for _ in range(luck.randrange(60)):
                await asyncio.sleep(0)
            sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

    mail = notifier(exchange, breaker_failures=10_000, login_pause=0)
    mail._keeps_connections = True
    for start in range(0, 200, 4):
        await asyncio.gather(*(tell_or_leave(mail, start + n) for n in range(4)))
    await mail._close()

    arrived = Counter(int(got.recipients[0].partition("@")[0]) for got in exchange.inbox)
    assert len(ends) > 100
    for number, end in ends.items():
        if isinstance(end, errors.ConnectorError):
            assert arrived[number] == 0, (number, end)
        elif end.is_delivered:
            assert arrived[number] == 1, (number, end)
        else:
            assert arrived[number] <= 1, (number, end)
    for got in exchange.inbox:
        assert got.message["Subject"] == f"s{got.recipients[0].partition('@')[0]}"
