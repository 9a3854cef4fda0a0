"""How far a message got, seen from every command: fakes that answer, or do not."""

import asyncio

import pytest

from connectors.email.scripted import LATE, SLOW, Scripted
from sentio_async import errors
from sentio_async.connectors.email.notifier import EmailNotifier
from sentio_async.errors import Outcome
from sentio_async.models import Delivery
from sentio_async.models.health import HealthStatus

ONCE = {"retry_attempts": 1}
QUICK = {"timeouts": {"connect": 0.04, "read": 0.04}, "final_reply_timeout": 0.04}


def notifier(server, **more):
    mail = EmailNotifier(server.settings(**more))
    mail._pipeline._luck = lambda: 0.01  # no long waits between tries
    return mail


async def tell(mail, to="a@x.test", **more):
    return await mail.send_notification(to, "s", "m", **more)


@pytest.mark.parametrize("word", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("fault", ["hang up", None, "gibberish"])
async def test_before_the_message_is_handed_over_nothing_was_sent(word, fault):
    async with Scripted(**{word: fault}) as server:
        mail = notifier(server, **ONCE, **QUICK)
        with pytest.raises(errors.ConnectorError) as caught:
            await tell(mail)

    assert caught.value.outcome is Outcome.NOT_SENT
    assert caught.value.phase == word
    assert server.messages == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("hang up", "connection lost before the reply to the message"),
        (None, "no reply to the message within the time allowed"),
        ("gibberish", "reply to the message is not SMTP"),
        ("999 what?", "reply to the message is not SMTP"),
        ("354 what?", "reply to the message is not what SMTP has"),
    ],
)
async def test_a_message_without_an_answer_is_in_doubt_and_not_sent_again(fault, reason):
    async with Scripted(DOT=fault) as server:
        mail = notifier(server, **QUICK)
        receipt = await tell(mail, event_id="e1")

    (result,) = receipt.results
    assert (result.delivery, result.reason) == (Delivery.UNKNOWN, reason)
    assert not receipt.is_delivered
    assert len(server.messages) == 1


async def test_a_critical_message_in_doubt_is_sent_again_where_that_is_wanted():
    async with Scripted(DOT=["hang up", "250 OK"]) as server:
        mail = notifier(server, resend="critical")
        receipt = await tell(mail, priority="critical", event_id="e1")

    assert receipt.is_delivered
    assert receipt.attempts == 2
    first, second = server.messages
    assert first == second
    assert b"Message-ID: <e1@x.test>" in first


async def test_a_single_message_can_ask_to_arrive_at_least_once():
    async with Scripted(DOT=["hang up", "250 OK"]) as server:
        assert (await tell(notifier(server), at_least_once=True)).is_delivered

    async with Scripted(DOT=["hang up", "250 OK"]) as server:
        mail = notifier(server, resend="always")
        receipt = await tell(mail, at_least_once=False)
        assert receipt.results[0].delivery is Delivery.UNKNOWN


async def test_doubt_is_not_forgotten_when_the_next_try_fails():
    async with Scripted(DOT="hang up", CONNECT=["220 hi", "554 no"]) as server:
        receipt = await tell(notifier(server, resend="always"))

    assert receipt.results[0].delivery is Delivery.UNKNOWN


async def test_only_recipients_that_were_put_off_are_tried_again_alone():
    replies = ["250 OK", "550 5.1.1 no such user", "451 4.2.1 busy", "250 OK"]
    async with Scripted(RCPT=replies) as server:
        receipt = await tell(notifier(server), to=["a@x.test", "b@x.test", "c@x.test"])

    recipients = [line[8:] for line in server.lines if line.startswith("RCPT")]
    assert recipients == ["<a@x.test>", "<b@x.test>", "<c@x.test>", "<c@x.test>"]
    assert [r.delivery for r in receipt.results] == [
        Delivery.ACCEPTED,
        Delivery.REFUSED,
        Delivery.ACCEPTED,
    ]
    assert receipt.results[1].code == "550 5.1.1"
    assert receipt.results[1].reason == "5.1.1 no such user"
    assert len(server.messages) == 2


async def test_a_recipient_that_stays_put_off_is_reported_as_deferred():
    async with Scripted(
        RCPT=["250 OK", "451 4.7.1 greylisted, try again in 300 seconds"]
    ) as server:
        receipt = await tell(notifier(server), to=["a@x.test", "b@x.test"])

    assert [r.delivery for r in receipt.results] == [Delivery.ACCEPTED, Delivery.DEFERRED]
    assert len(server.messages) == 1  # five minutes are more than is waited for


@pytest.mark.parametrize("word", ["RCPT", "DOT"])
async def test_a_recipient_that_is_put_off_does_not_hold_up_the_others(word):
    greylisted = "451 4.7.1 greylisted, try again in 300 seconds"
    async with Scripted(**{word: [greylisted, "250 OK"]}) as server:
        mail = notifier(server)
        with pytest.raises(errors.ServerError) as caught:
            await tell(mail)

        assert caught.value.retry_after == 300
        assert len(caught.value.attempts) == 1  # five minutes are more than is waited for
        assert (await tell(mail, to="b@x.test")).is_delivered


async def test_when_nobody_gets_it_the_error_says_why():
    async with Scripted(RCPT="550 5.1.1 no such user") as server:
        with pytest.raises(errors.BadRequestError, match=r"RCPT: 550 5\.1\.1 no such user"):
            await tell(notifier(server), to=["a@x.test", "b@x.test"])

    assert server.words().count("RCPT") == 2
    assert "DATA" not in server.words()


@pytest.mark.parametrize(
    ("replies", "kind", "tries"),
    [
        ({"MAIL": "552 Message size exceeds"}, errors.BadRequestError, 1),
        ({"MAIL": "550 5.4.5 Daily user sending limit"}, errors.RateLimitError, 1),
        ({"MAIL": "530 5.7.0 Authentication required"}, errors.PermissionError, 1),
        ({"MAIL": "451 4.3.0 later"}, errors.ServerError, 2),
        ({"DOT": "554 5.6.0 content rejected"}, errors.BadRequestError, 1),
        ({"DOT": "451 4.3.2 later"}, errors.ServerError, 2),
        ({"CONNECT": "421 4.3.2 later"}, errors.ServerError, 2),
        ({"CONNECT": "554 no service"}, errors.PermissionError, 1),
        ({"RCPT": "421 4.3.2 later"}, errors.ServerError, 2),
    ],
)
async def test_codes_decide_what_is_tried_again(replies, kind, tries):
    async with Scripted(**replies) as server:
        mail = notifier(server, retry_attempts=2)
        with pytest.raises(kind) as caught:
            await tell(mail)

    assert len(caught.value.attempts) == tries
    assert caught.value.operation == "send"
    assert caught.value.connector == "email"


async def test_refusals_do_not_open_the_breaker():
    async with (
        Scripted(RCPT="550 5.1.1 no such user") as server,
        notifier(server, breaker_failures=2) as mail,
    ):
        for _ in range(5):
            with pytest.raises(errors.BadRequestError):
                await tell(mail)
        assert set(mail.get_status().breakers.values()) == {"closed"}


async def test_a_dead_server_opens_the_breaker():
    async with Scripted(MAIL="hang up") as server:
        mail = notifier(server, breaker_failures=2, **ONCE)
        for _ in range(2):
            with pytest.raises(errors.ConnectionError):
                await tell(mail)
        before = server.connections
        with pytest.raises(errors.CircuitOpenError):
            await tell(mail)

    assert server.connections == before


@pytest.mark.parametrize("word", ["EHLO", "MAIL", "RCPT", "DATA", "DOT", "RSET"])
async def test_after_a_cancelled_command_the_next_message_is_right(word):
    async with Scripted() as server, notifier(server) as mail:
        if word == "RSET":
            server.replies["DOT"] = ["554 5.6.0 no", "250 OK"]
            with pytest.raises(errors.BadRequestError):
                await tell(mail)
        if word == "EHLO":
            mail._connections._idle.pop().cut()
        normal, server.replies[word] = server.replies[word], "late 250 2.0.0 of the past"
        sending = asyncio.create_task(tell(mail, to="cancelled@x.test", event_id="cancelled"))
        await server.paused.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

        server.replies[word] = normal
        server.lines.clear()
        receipts = [await tell(mail, to=f"{n}@x.test", event_id=f"e{n}") for n in range(3)]

        assert all(receipt.is_delivered for receipt in receipts)
        named = [line for line in server.lines if line.startswith("RCPT")]
        assert named == [f"RCPT TO:<{n}@x.test>" for n in range(3)]
        assert all(f"e{n}@".encode() in server.messages[n - 3] for n in range(3))
        assert set(mail.get_status().breakers.values()) == {"closed"}
        assert mail.get_status().in_flight == 0


async def test_a_cancel_that_comes_together_with_the_reply_is_not_lost():
    async with Scripted() as server, notifier(server) as mail:
        protocol = mail._connections._idle[0]._smtp.protocol
        hear = protocol.data_received
        sending = asyncio.create_task(tell(mail))
        protocol.data_received = lambda data: (hear(data), sending.cancel())
        with pytest.raises(asyncio.CancelledError):
            await sending

        assert server.words()[-1] == "MAIL"
        assert not mail._connections._idle


@pytest.mark.parametrize("word", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_a_reply_that_nobody_asked_for_is_not_taken_for_the_next_one(word):
    async with Scripted(DOT="554 5.6.0 rejected") as server:
        server.replies[word] += "\r\n250 2.0.0 nobody asked for this"
        mail = notifier(server, **ONCE)
        with pytest.raises(errors.DecodeError, match="more than one reply") as caught:
            await tell(mail)

    assert caught.value.outcome is Outcome.NOT_SENT


async def test_a_connection_that_says_too_much_at_the_end_is_not_used_again():
    async with Scripted() as server, notifier(server, **ONCE) as mail:
        server.replies["DOT"] += "\r\n250 2.0.0 nobody asked for this"
        assert (await tell(mail)).is_delivered
        server.replies["DOT"] = "554 5.6.0 rejected"
        with pytest.raises(errors.BadRequestError, match="rejected"):
            await tell(mail)

    assert server.connections == 2


async def test_a_timeout_for_the_whole_message_is_kept():
    async with Scripted(RCPT=None) as server:
        mail = notifier(server)
        started = asyncio.get_running_loop().time()
        with pytest.raises(errors.ConnectorError) as caught:
            await tell(mail, timeout=0.05)
        took = asyncio.get_running_loop().time() - started

    assert caught.value.outcome is Outcome.NOT_SENT
    assert took < 0.5


async def test_a_server_that_is_slow_at_each_step_is_not_waited_for_longer():
    async with Scripted(EHLO="250-x.test\r\n250 STARTTLS", STARTTLS=SLOW) as server:
        mail = notifier(server, tls="starttls", **ONCE)
        started = asyncio.get_running_loop().time()
        with pytest.raises(errors.ConnectorError) as caught:
            await tell(mail, timeout=LATE + 0.1)
        took = asyncio.get_running_loop().time() - started

    assert caught.value.outcome is Outcome.NOT_SENT
    assert took < 2 * LATE


async def test_the_time_of_a_whole_call_is_kept_by_connect_and_health_checks_too():
    async with Scripted(CONNECT=None) as server, asyncio.timeout(3):
        mail = notifier(server, **ONCE, timeouts={"total": 0.05})
        with pytest.raises(errors.ConnectionError):
            await mail.connect()

        assert (await mail.health_check()).status is HealthStatus.UNHEALTHY


async def test_a_connection_is_used_again():
    async with Scripted() as server, notifier(server) as mail:
        for _ in range(3):
            assert (await tell(mail)).is_delivered

        assert server.connections == 1
    assert server.words()[-1] == "QUIT"


async def test_a_connection_is_used_for_so_many_messages_only():
    async with Scripted() as server, notifier(server, messages_per_connection=2) as mail:
        for _ in range(4):
            await tell(mail)

        assert server.connections == 2


async def test_an_idle_connection_is_not_trusted():
    async with Scripted() as server, notifier(server, idle_seconds=0) as mail:
        await tell(mail)
        await tell(mail)

        assert server.connections == 3


async def test_without_connect_no_connection_is_kept():
    async with Scripted() as server:
        mail = notifier(server)
        await tell(mail)
        await tell(mail)

        assert server.connections == 2


@pytest.mark.parametrize("fault", ["hang up", "421 4.4.2 idle too long"])
async def test_a_kept_connection_that_was_hung_up_is_replaced_without_a_retry(fault):
    async with Scripted() as server, notifier(server, **ONCE) as mail:
        server.replies["MAIL"] = [fault, "250 OK"]
        receipt = await tell(mail)

    assert receipt.is_delivered
    assert receipt.attempts == 1
    assert server.connections == 2


async def test_a_server_that_hung_up_between_messages_is_noticed():
    async with Scripted() as server, notifier(server, **ONCE) as mail:
        server.hang_up()
        await asyncio.sleep(0.01)

        assert (await tell(mail)).is_delivered


async def test_a_health_check_asks_the_server():
    async with Scripted() as server, notifier(server) as mail:
        assert (await mail.health_check()).status is HealthStatus.HEALTHY
        assert "NOOP" in server.words()
        server.replies["NOOP"] = ["421 4.3.2 idle too long", "250 OK"]
        assert (await mail.health_check()).status is HealthStatus.HEALTHY  # over a new connection
        server.hang_up()
        server.replies["CONNECT"] = "554 no"
        report = await mail.health_check()
        assert report.status is HealthStatus.UNHEALTHY
        assert "554" in report.reason


async def test_dots_are_doubled_and_line_ends_are_made_right():
    async with Scripted() as server:
        await tell_text(server, ".\n..\r\n.x\ry\n")

    assert b"\r\n..\r\n...\r\n..x\r\ny\r\n" in server.messages[0]


async def test_an_empty_html_is_none_and_hides_no_text():
    async with Scripted() as server:
        await tell(notifier(server), html="")

    assert b"text/html" not in server.messages[0]


async def tell_text(server, text):
    return await notifier(server).send_notification("a@x.test", "s", text)


async def test_letters_beyond_ascii_in_an_address_need_a_server_that_takes_them():
    async with Scripted() as server:
        assert (await tell(notifier(server), to="jörg@x.test")).is_delivered
        (mail,) = (line for line in server.lines if line.startswith("MAIL"))
        assert mail.split(" ")[-1] == "SMTPUTF8"

    async with Scripted(EHLO="250 scripted.test") as server:
        with pytest.raises(errors.InvalidRequestError, match="ASCII"):
            await tell(notifier(server), to="jörg@x.test")


async def test_a_message_that_is_too_large_is_refused_here():
    async with Scripted() as server:
        mail = notifier(server, max_message_bytes=1000)
        with pytest.raises(errors.InvalidRequestError, match="1000"):
            await tell_text_with(mail, "x" * 2000)

    assert server.connections == 0


async def tell_text_with(mail, text):
    return await mail.send_notification("a@x.test", "s", text)


async def test_several_messages_at_once_use_few_connections():
    async with Scripted() as server, notifier(server) as mail:
        receipts = await asyncio.gather(*(tell(mail, to=f"{n}@x.test") for n in range(20)))

        assert all(receipt.is_delivered for receipt in receipts)
        assert server.connections <= 2
        assert len(server.messages) == 20
