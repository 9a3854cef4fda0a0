"""The mail server takes mail as real ones do, and loses it exactly as told."""

import asyncio
import base64
import ssl
from email.message import EmailMessage

import aiosmtplib
import pytest
import trustme

from raw_client import hear
from sentio_async.sim.exchange import Exchange
from sentio_async.sim.faults import DELAYS, ON_ACCEPT, SILENT, FaultRule
from sentio_async.sim.settings import MailSettings
from sentio_async.sim.venues.mail_faults import AFTER, BEFORE, KINDS

TO = ("b@x.test", "c@x.test")
TEXT = b"Subject: filled\r\n\r\n10 AAPL\r\n..and a line with a dot\r\n"


@pytest.fixture
async def exchange():
    async with Exchange(venues=["smtp"]) as exchange:
        yield exchange


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def server_tls(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def client_tls(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def a_mail():
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@x.test", TO[0], "Filled"
    message.set_content("10 AAPL at 187.25 €")
    return message


def client(exchange, **more):
    at = exchange.addresses
    more.setdefault("start_tls", False)
    return aiosmtplib.SMTP(hostname=at.smtp_host, port=at.smtp_port, timeout=2, **more)


async def talk(exchange, *lines, patience=2.0):
    """Say these lines one after another, each after a reply; answers all that was heard."""
    at = exchange.addresses
    reader, writer = await asyncio.open_connection(at.smtp_host, at.smtp_port)
    try:
        replies = b""
        for line in lines:
            async with asyncio.timeout(patience):
                while part := await reader.readline():
                    replies += part
                    if part[3:4] != b"-":
                        break
            writer.write(line + b"\r\n")
        heard = await hear(reader, patience)
    finally:
        writer.transport.abort()
    return replies + heard.raw, heard.end


SESSION = (b"EHLO me", b"MAIL FROM:<a@x.test>", b"RCPT TO:<b@x.test>", b"DATA", TEXT + b".")


async def test_it_keeps_the_message_and_the_envelope_it_came_in(exchange):
    async with client(exchange) as smtp:
        await smtp.login(exchange.smtp_username, exchange.smtp_password)
        await smtp.send_message(a_mail(), recipients=[*TO, "hidden@x.test"])

    (mail,) = exchange.inbox
    assert (mail.sender, mail.recipients) == ("a@x.test", (*TO, "hidden@x.test"))
    assert mail.message["Subject"] == "Filled"
    assert mail.message.get_content().strip() == "10 AAPL at 187.25 €"
    assert (mail.username, mail.encrypted) == (exchange.smtp_username, False)
    assert mail.as_json()["text"].strip() == "10 AAPL at 187.25 €"


async def test_dots_that_begin_a_line_arrive_once(exchange):
    await talk(exchange, *SESSION, b"QUIT")

    assert b"\r\n.and a line" in exchange.inbox[0].raw


@pytest.mark.parametrize("mechanism", ["plain", "login"])
async def test_a_password_is_checked(exchange, mechanism):
    async with client(exchange) as smtp:
        await smtp.ehlo()
        with pytest.raises(aiosmtplib.SMTPAuthenticationError, match=r"5\.7\.8"):
            await getattr(smtp, f"auth_{mechanism}")(exchange.smtp_username, "wrong")
        await getattr(smtp, f"auth_{mechanism}")(exchange.smtp_username, exchange.smtp_password)


async def test_a_token_is_checked(exchange):
    exchange.state.mail.tokens.add("fresh")
    async with client(exchange) as smtp:
        with pytest.raises(aiosmtplib.SMTPAuthenticationError, match=r"5\.7\.8"):
            await smtp.auth_xoauth2(exchange.smtp_username, "stale")
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await smtp.auth_xoauth2("stranger@x.test", "fresh")
        await smtp.auth_xoauth2(exchange.smtp_username, "fresh")
        await smtp.send_message(a_mail())

    assert exchange.inbox[0].username == exchange.smtp_username


async def test_a_damaged_token_response_is_a_syntax_error(exchange):
    replies, _ = await talk(exchange, b"EHLO me", b"AUTH XOAUTH2 %%%", b"QUIT")

    assert b"501 5.5.2" in replies


async def test_mail_without_signing_in_is_refused_where_that_is_needed(exchange):
    exchange.state.mail.auth_required = True
    async with client(exchange) as smtp:
        with pytest.raises(aiosmtplib.SMTPSenderRefused, match=r"5\.7\.0"):
            await smtp.mail("a@x.test")
        await smtp.login(exchange.smtp_username, exchange.smtp_password)
        await smtp.send_message(a_mail())

    assert len(exchange.inbox) == 1


@pytest.mark.parametrize("security", ["starttls", "implicit"])
async def test_both_ways_of_encryption(authority, security):
    settings = MailSettings(security=security, tls=server_tls(authority))
    async with Exchange(venues=["smtp"], mail=settings) as exchange:
        assert exchange.settings("email")["tls"] == security
        way = {"use_tls": True} if security == "implicit" else {"start_tls": True}
        async with client(exchange, tls_context=client_tls(authority), **way) as smtp:
            await smtp.login(exchange.smtp_username, exchange.smtp_password)
            await smtp.send_message(a_mail())

        assert exchange.inbox[0].encrypted


async def test_no_password_is_taken_before_encryption(authority):
    settings = MailSettings(security="starttls", tls=server_tls(authority))
    async with Exchange(venues=["smtp"], mail=settings) as exchange:
        token = base64.b64encode(b"\0user\0secret")
        replies, _ = await talk(exchange, b"EHLO me", b"AUTH PLAIN " + token, b"QUIT")

    assert b"AUTH PLAIN" not in replies
    assert b"538 5.7.11" in replies


async def test_a_certificate_nobody_trusts_is_noticed_and_the_server_goes_on(authority):
    settings = MailSettings(security="starttls", tls=server_tls(authority))
    async with Exchange(venues=["smtp"], mail=settings) as exchange:
        with pytest.raises(ssl.SSLCertVerificationError):
            await client(exchange, start_tls=True).connect()
        context = client_tls(authority)
        async with client(exchange, start_tls=True, tls_context=context) as smtp:
            await smtp.send_message(a_mail())

        assert len(exchange.inbox) == 1


async def test_a_message_beyond_the_limit_is_refused_in_advance_and_afterwards():
    settings = MailSettings(size_limit=1000)
    async with Exchange(venues=["smtp"], mail=settings) as exchange:
        message = a_mail()
        message.set_content("x " * 2000)
        async with client(exchange) as smtp:
            with pytest.raises(aiosmtplib.SMTPSenderRefused) as early:
                await smtp.send_message(message)
        async with client(exchange) as smtp:
            await smtp.ehlo()
            await smtp.mail("a@x.test")
            await smtp.rcpt(TO[0])
            with pytest.raises(aiosmtplib.SMTPDataError) as late:
                await smtp.data(bytes(message))

        assert (early.value.code, late.value.code) == (552, 552)
        assert not exchange.inbox


async def test_recipients_are_refused_one_by_one(exchange):
    exchange.state.mail.refuse[TO[1]] = "450 4.2.1 mailbox busy"
    async with client(exchange) as smtp:
        refused, _ = await smtp.send_message(a_mail(), recipients=list(TO))

    assert refused == {TO[1]: aiosmtplib.SMTPResponse(450, "4.2.1 mailbox busy")}
    assert exchange.inbox[0].recipients == (TO[0],)


async def test_everybody_may_be_refused(exchange):
    exchange.state.mail.refuse["*"] = "550 5.1.1 no such mailbox"
    async with client(exchange) as smtp:
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
            await smtp.send_message(a_mail(), recipients=list(TO))

    assert not exchange.inbox


COMMANDS = ("EHLO", "MAIL", "RCPT", "DATA", "DOT")


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_refusal_strikes_the_command_it_names(exchange, command):
    rule = FaultRule(kind="status", venue="smtp", method=command, status=451, times=1)
    exchange.add_fault(rule)
    replies, _ = await talk(exchange, *SESSION[: COMMANDS.index(command) + 1], b"QUIT")

    assert replies.endswith(b"451 4.3.0 try again later\r\n221 Bye\r\n")
    assert not exchange.inbox
    assert [each.method for each in exchange.state.faults.applied] == [command]


async def test_421_also_hangs_up(exchange):
    rule = FaultRule(kind="status", method="MAIL", status=421, body="4.7.0 too many messages")
    exchange.add_fault(rule)
    replies, end = await talk(exchange, *SESSION[:2])

    assert (replies.splitlines()[-1], end) == (b"421 4.7.0 too many messages", "fin")


# kind -> how the connection ends, and what is heard in place of the reply to the final dot
AT_THE_DOT = {
    "drop_before": ("fin", b""),
    "reset_before": ("rst", b""),
    "silence": ("open", b""),
    "status": ("open", b"451 4.3.0 try again later\r\n"),
    "drop_after": ("fin", b""),
    "reset_after": ("rst", b""),
    "silence_after": ("open", b""),
    "status_after": ("open", b"451 4.3.0 try again later\r\n"),
    "unsolicited": ("open", b"250 2.0.0 OK: queued\r\n250 2.0.0 nobody asked for this\r\n"),
    "cut": ("fin", b"250 2.0.0 O"),
    "half": ("fin", b"250 2.0.0 O"),
    "cut_reset": ("rst", None),
    "dribble": ("open", b"250 2.0.0 OK: queued\r\n"),
    "garbage": ("fin", b"\xff\xfb\x01 *** not a reply ***\r\n"),
    "delay": ("open", b"250 2.0.0 OK: queued\r\n"),
    "delay_after": ("open", b"250 2.0.0 OK: queued\r\n"),
}


def test_every_kind_that_mail_can_suffer_is_tried_here():
    assert set(AT_THE_DOT) == BEFORE | AFTER | DELAYS == KINDS - ON_ACCEPT


@pytest.mark.parametrize("kind", sorted(AT_THE_DOT))
async def test_after_the_dot_the_message_is_there_exactly_if_it_was_executed(exchange, kind):
    end, words = AT_THE_DOT[kind]
    rule = FaultRule(kind=kind, venue="smtp", method="DOT", status=451)
    exchange.add_fault(rule)
    replies, ended = await talk(exchange, *SESSION, patience=0.06 if end == "open" else 2.0)

    said = replies.partition(b"<CR><LF>.<CR><LF>\r\n")[2]
    assert ended == end
    assert words is None or said == words
    (applied,) = exchange.state.faults.applied
    assert applied.is_executed == bool(exchange.inbox) == (kind in AFTER | DELAYS)


@pytest.mark.parametrize("kind", sorted(SILENT))
async def test_silence_lasts_as_long_as_it_is_told_to(exchange, kind):
    exchange.add_fault(FaultRule(kind=kind, method="DOT", delay=0.01))
    began = asyncio.get_running_loop().time()
    _, end = await talk(exchange, *SESSION)

    assert end == "fin"
    assert asyncio.get_running_loop().time() - began < 1


async def test_a_message_whose_sender_left_before_the_end_is_not_taken(exchange):
    await talk(exchange, *SESSION[:4], TEXT, patience=0.02)

    assert not exchange.inbox


# kind -> how the connection ends, and what the greeting is
AT_CONNECT = {
    "delay": ("open", b"220 mail.sentio.test ESMTP\r\n"),
    "status": ("open", b"421 4.3.2 service not available\r\n"),
    "drop_before": ("fin", b""),
    "reset_before": ("rst", b""),
    "silence": ("open", b""),
    "garbage": ("fin", b"\xff\xfb\x01 *** not a reply ***\r\n"),
    "cut": ("fin", b"220 mail.senti"),
    "drop_accept": ("fin", b""),
    "reset_accept": ("rst", b""),
}


@pytest.mark.parametrize("kind", sorted(AT_CONNECT))
async def test_the_greeting_may_be_late_missing_or_a_refusal(exchange, kind):
    end, words = AT_CONNECT[kind]
    method = "*" if kind in ON_ACCEPT else "CONNECT"
    exchange.add_fault(FaultRule(kind=kind, method=method, status=421, times=1))
    try:
        replies, ended = await talk(exchange, patience=0.03 if end == "open" else 2.0)
    except ConnectionError:
        replies, ended = b"", "rst"

    assert (replies, ended) == (words, "fin" if kind == "status" else end)


async def test_after_a_late_greeting_the_conversation_goes_on(exchange):
    exchange.add_fault(FaultRule(kind="delay", method="CONNECT", delay=0.01))
    async with client(exchange) as smtp:
        await smtp.send_message(a_mail())

    assert len(exchange.inbox) == 1


@pytest.mark.parametrize("kind", ["delay", "reset_after", "cut"])
async def test_faults_strike_an_encrypted_connection_too(authority, kind):
    settings = MailSettings(security="implicit", tls=server_tls(authority))
    faults = [
        FaultRule(kind="delay", method="CONNECT", delay=0.001),
        FaultRule(kind=kind, method="DOT"),
    ]
    async with Exchange(venues=["smtp"], mail=settings, faults=faults) as exchange:
        smtp = client(exchange, use_tls=True, tls_context=client_tls(authority))
        await smtp.connect()
        try:
            await smtp.send_message(a_mail())
            is_told = True
        except aiosmtplib.SMTPException:
            is_told = False
        began = asyncio.get_running_loop().time()
    took = asyncio.get_running_loop().time() - began
    smtp.close()

    assert is_told == (kind == "delay")
    assert len(exchange.inbox) == 1
    assert took < 0.3


@pytest.mark.parametrize("command", ["AUTH", "RCPT"])
async def test_a_lost_reply_to_a_command_says_that_it_was_carried_out(exchange, command):
    exchange.add_fault(FaultRule(kind="drop_after", method=command))
    async with client(exchange) as smtp:
        with pytest.raises(aiosmtplib.SMTPServerDisconnected):
            await smtp.login(exchange.smtp_username, exchange.smtp_password)
            await smtp.send_message(a_mail())

    (applied,) = exchange.state.faults.applied
    assert (applied.method, applied.is_executed) == (command, True)
    assert not exchange.inbox


async def test_what_only_http_can_suffer_never_strikes_mail(exchange):
    rule = FaultRule(kind="bomb", nth=1)
    exchange.add_fault(rule)
    async with client(exchange) as smtp:
        await smtp.send_message(a_mail())

    assert len(exchange.inbox) == 1
    assert not exchange.state.faults.applied
