"""Connections are kept while they are good, and none is left open."""

import asyncio
import gc

import pytest

from connectors.email.scripted import Scripted
from sentio_async import errors
from sentio_async.clock import SystemClock
from sentio_async.connectors.email.notifier import EmailNotifier
from sentio_async.events import BreakerChanged
from sentio_async.models import Delivery
from sentio_async.models.health import HealthStatus
from sentio_async.sim.faults import FaultRule


def notifier(server, **more):
    return EmailNotifier(server.settings(**{"retry_attempts": 1, **more}))


async def tell(mail, to="a@x.test", text="m"):
    return await mail.send_notification(to, "s", text)


async def all_closed(server):
    async with asyncio.timeout(2):
        await server.deserted.wait()


async def test_a_message_takes_no_more_commands_than_it_needs():
    async with Scripted() as server:
        async with notifier(server) as mail:
            for _ in range(2):
                await tell(mail)
        await all_closed(server)

    size = len(server.messages[0].removesuffix(b".\r\n"))
    one = [f"MAIL FROM:<bot@x.test> SIZE={size}", "RCPT TO:<a@x.test>", "DATA"]
    assert server.lines == ["EHLO client.test", *one, *one, "QUIT"]


@pytest.mark.parametrize(
    ("machine", "shown"),
    [("box.x.test", "box.x.test"), ("box", "[127.0.0.1]"), ("my_box.x.test", "[127.0.0.1]")],
)
async def test_a_machine_is_called_by_its_full_name_or_its_address(machine, shown, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: machine)
    async with Scripted() as server:
        await tell(notifier(server, ehlo_name=None))

    assert server.lines[0] == f"EHLO {shown}"


async def test_a_connection_that_is_not_used_again_is_closed():
    async with Scripted() as server:
        mail = notifier(server, idle_seconds=0)
        async with mail:
            await tell(mail)
            await tell(mail)
            assert server.connections == 3
            server.lines.clear()
        await all_closed(server)


async def test_a_connection_that_was_idle_for_long_is_closed_when_another_is_opened():
    class Later(SystemClock):
        passed = 0.0

        def time(self):
            return super().time() + self.passed

    clock = Later()
    async with Scripted() as server:
        mail = EmailNotifier(server.settings(idle_seconds=30), clock=clock)
        async with mail:
            for passed, connections in ((0.0, 1), (29.0, 1), (60.0, 2)):
                clock.passed = passed
                await tell(mail)
                assert server.connections == connections
        await all_closed(server)


@pytest.mark.parametrize(
    "replies",
    [
        {"EHLO": "550 who are you"},
        {"MAIL": "451 4.3.0 later"},
        {"AUTH": "535 5.7.8 no"},
        {"EHLO": "250 scripted.test"},
    ],
)
async def test_a_failure_leaves_no_connection_open(replies):
    async with Scripted(**replies) as server:
        mail = notifier(server, username="bot@x.test", password="s3cret-word")
        with pytest.raises(errors.ConnectorError):
            await tell(mail)
        await all_closed(server)


@pytest.mark.parametrize(
    ("replies", "delivery"),
    [
        ({"DOT": "hang up"}, Delivery.UNKNOWN),
        ({"RCPT": ["250 OK", "550 5.1.1 no such user"]}, Delivery.ACCEPTED),
    ],
)
async def test_a_kept_connection_is_not_replaced_when_the_message_may_have_arrived(
    replies, delivery
):
    async with Scripted() as server, notifier(server) as mail:
        server.replies.update(replies)
        receipt = await tell(mail, to=["a@x.test", "b@x.test"])

    assert receipt.results[0].delivery is delivery
    assert len(server.messages) == 1
    assert server.connections == 1


async def test_a_refusal_over_a_kept_connection_is_not_asked_for_twice():
    async with Scripted() as server, notifier(server) as mail:
        server.replies["MAIL"] = "552 Message size exceeds"
        with pytest.raises(errors.BadRequestError):
            await tell(mail)

    assert server.words().count("MAIL") == 1


async def test_a_connection_that_cannot_start_anew_is_replaced():
    async with Scripted(DOT=["554 5.6.0 no", "250 OK"], RSET="502 what?") as server:
        async with notifier(server) as mail:
            with pytest.raises(errors.BadRequestError, match="DOT"):
                await tell(mail)

            assert (await tell(mail)).is_delivered
        assert server.connections == 2


async def test_after_a_connect_that_failed_no_connection_is_kept():
    async with Scripted(CONNECT=["554 no", "220 hi"]) as server:
        mail = notifier(server)
        with pytest.raises(errors.PermissionError) as caught:
            await mail.connect()
        assert caught.value.operation == "check"

        assert (await tell(mail)).is_delivered
        await all_closed(server)


async def test_the_status_says_how_it_went_last():
    heard = []
    async with Scripted() as server:
        settings = server.settings(retry_attempts=1, breaker_failures=1)
        mail = EmailNotifier(settings, listeners=(heard.append,))
        assert mail.get_status().last_success_at is None
        receipt = await tell(mail)
        server.replies["MAIL"] = "hang up"
        with pytest.raises(errors.ConnectionError):
            await tell(mail)

    status = mail.get_status()
    assert status.last_success_at >= receipt.sent_at
    assert status.last_error == "ConnectionError: email send: MAIL: connection lost"
    (change,) = (event for event in heard if isinstance(event, BreakerChanged))
    assert change.new == "open"


async def test_goodbye_is_said_and_an_answer_not_waited_for_long():
    async with Scripted(QUIT=None) as server, notifier(server) as mail:
        (connection,) = mail._connections._idle
        async with asyncio.timeout(2):
            await connection.close(0.02)
        await all_closed(server)

    assert server.lines[-1] == "QUIT"


@pytest.mark.parametrize("word", ["MAIL", "RCPT", "DATA"])
async def test_after_a_reply_that_nobody_asked_for_a_new_connection_is_used(word):
    async with Scripted() as server, notifier(server) as mail:
        normal = server.replies[word]
        server.replies[word] += "\r\n250 2.0.0 nobody asked for this"
        with pytest.raises(errors.DecodeError):
            await tell(mail)
        server.replies[word] = normal

        assert (await tell(mail)).is_delivered
        assert server.connections == 2


async def test_a_server_that_wants_no_more_recipients_now_says_when_it_will():
    replies = ["250 OK", "421 4.7.0 too many connections, try again in 9 minutes"]
    async with Scripted(RCPT=replies) as server, notifier(server) as mail:
        with pytest.raises(errors.RateLimitError) as caught:
            await tell(mail, to=["a@x.test", "b@x.test"])

    assert caught.value.retry_after == 540
    assert server.messages == []


@pytest.mark.exchange(venues=("smtp",))
async def test_a_long_message_has_more_time_to_be_accepted(exchange):
    exchange.add_fault(FaultRule(kind="delay", venue="smtp", method="DOT", delay=0.15))
    mail = EmailNotifier({**exchange.settings("email"), "final_reply_timeout": 0.02})

    short, long = await tell(mail), await tell(mail, text="x" * 70 * 1000)

    assert short.results[0].delivery is Delivery.UNKNOWN
    assert long.is_delivered


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_a_connection_is_not_used_in_another_loop():
    async with Scripted() as server:
        mail = notifier(server)

        async def connect_and_tell():
            await mail.connect()
            return await tell(mail)

        for use in (connect_and_tell, lambda: tell(mail)):
            receipt = await asyncio.to_thread(asyncio.run, use())
            assert receipt.is_delivered
        await asyncio.to_thread(asyncio.run, mail.disconnect())
        gc.collect()  # what an ended loop has left open is warned of here

    assert server.connections == 2


async def test_a_quota_is_of_one_server_and_user():
    async with Scripted() as server:
        settings = server.settings(retry_attempts=1, requests_per_minute=1)
        login = {"username": "b@x.test", "password": "s3cret-word"}
        first = EmailNotifier(settings)
        same, other = (
            EmailNotifier({**settings, **more}, resources=first._resources) for more in ({}, login)
        )
        await tell(first)
        with pytest.raises(errors.RateLimitError):
            await same.send_notification("a@x.test", "s", "m", timeout=0.5)

        assert (await tell(other)).is_delivered
        assert len(server.messages) == 2


async def test_a_quota_is_of_messages_and_not_of_health_checks():
    async with Scripted() as server, notifier(server, requests_per_day=1) as mail:
        for _ in range(3):
            assert (await mail.health_check()).status is HealthStatus.HEALTHY
        assert (await tell(mail)).is_delivered
        with pytest.raises(errors.RateLimitError):
            await tell(mail)

        assert (await mail.health_check()).status is HealthStatus.HEALTHY


async def test_connectors_to_one_server_and_user_know_of_each_others_failures():
    async with Scripted(MAIL="hang up") as server:
        first = notifier(server, breaker_failures=2)
        settings = server.settings(retry_attempts=1, breaker_failures=2)
        same = EmailNotifier(settings, resources=first._resources)
        other = EmailNotifier(
            {**settings, "username": "b@x.test", "password": "s3cret-word"},
            resources=first._resources,
        )
        for _ in range(2):
            with pytest.raises(errors.ConnectionError):
                await tell(first)
        with pytest.raises(errors.CircuitOpenError):
            await tell(same)
        server.replies["MAIL"] = "250 OK"

        assert (await tell(other)).is_delivered
