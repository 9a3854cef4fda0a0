"""What is known after each kind of fault, seen over real sockets.

The sink notes what it executed, so the label of our error can be held against what happened.
"""

import asyncio
import socket
import ssl

import pytest
import trustme

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.sim.exchange import Exchange
from sentio_async.sim.faults import FaultRule
from session_calls import a_session, write_once, write_with_key

pytestmark = pytest.mark.usefixtures("door")

# kind of fault, more of the rule, whether the sink executes, what we must say
EXECUTED_OR_NOT = [
    ("drop_before", {}, False, Outcome.UNKNOWN),
    ("drop_after", {}, True, Outcome.UNKNOWN),
    ("reset_before", {}, False, Outcome.UNKNOWN),
    ("reset_after", {}, True, Outcome.UNKNOWN),
    ("reset_upload", {}, False, Outcome.UNKNOWN),
    ("silence", {}, False, Outcome.UNKNOWN),
    ("silence_after", {}, True, Outcome.UNKNOWN),
    ("half", {}, True, Outcome.UNKNOWN),
    ("cut", {}, True, Outcome.UNKNOWN),
    ("cut_reset", {}, True, Outcome.UNKNOWN),
    ("garbage", {}, True, Outcome.UNKNOWN),
    ("bad_gzip", {}, True, Outcome.UNKNOWN),
    ("html", {}, True, Outcome.UNKNOWN),
    ("truncated_json", {}, True, Outcome.UNKNOWN),
    ("status", {"status": 500}, False, Outcome.UNKNOWN),
    ("status", {"status": 502}, False, Outcome.UNKNOWN),
    ("status", {"status": 503}, False, Outcome.UNKNOWN),
    ("status", {"status": 408}, False, Outcome.UNKNOWN),
    ("status_after", {"status": 504}, True, Outcome.UNKNOWN),
    ("status_after", {"status": 500}, True, Outcome.UNKNOWN),
    ("status", {"status": 429, "headers": {"retry-after": "7200"}}, False, Outcome.REFUSED),
    ("status", {"status": 400}, False, Outcome.REFUSED),
    ("status", {"status": 401}, False, Outcome.REFUSED),
    ("status", {"status": 403}, False, Outcome.REFUSED),
    ("status", {"status": 404}, False, Outcome.REFUSED),
    ("status", {"status": 409}, False, Outcome.REFUSED),
    ("status", {"status": 422}, False, Outcome.REFUSED),
    ("redirect", {"status": 307}, False, Outcome.REFUSED),
]


@pytest.mark.parametrize(("kind", "more", "executes", "outcome"), EXECUTED_OR_NOT)
async def test_an_executed_request_is_never_called_not_sent(kind, more, executes, outcome):
    async with Exchange(venues=("webhook",)) as exchange:
        exchange.state.sink.body = '{"done": true}'
        exchange.add_fault(FaultRule(kind=kind, venue="webhook", **more))
        session, resources = a_session(
            exchange.addresses.webhook, timeouts={"read": 0.15, "total": 0.4}
        )

        with pytest.raises(errors.ConnectorError) as caught:
            await session.send(write_once(1))
        was_executed = len(exchange.hooks) > 0
        await resources.close()

    assert caught.value.outcome is outcome
    assert len(caught.value.attempts) == 1, "what may have arrived was sent again"
    if kind not in ("bad_gzip", "html"):
        assert was_executed is executes


@pytest.mark.parametrize("kind", ["drop_accept", "reset_accept"])
async def test_hanging_up_on_arrival_leaves_it_unknown(kind):
    async with Exchange(venues=("webhook",)) as exchange:
        exchange.add_fault(FaultRule(kind=kind, venue="webhook"))
        session, resources = a_session(exchange.addresses.webhook)

        with pytest.raises(errors.ConnectionError) as caught:
            await session.send(write_once(1), retry=None)
        await resources.close()

    assert caught.value.outcome in (Outcome.UNKNOWN, Outcome.NOT_SENT)
    assert not exchange.hooks


async def test_a_write_with_a_key_is_sent_again_until_it_is_answered():
    async with Exchange(venues=("webhook",)) as exchange:
        exchange.state.sink.body = '{"done": true}'
        exchange.add_fault(FaultRule(kind="drop_after", venue="webhook", nth=1))
        session, resources = a_session(exchange.addresses.webhook)

        answer = await session.send(write_with_key(1))
        await resources.close()

    assert answer == {"done": True}
    assert len(exchange.hooks) == 2


async def test_refused_connections_are_not_sent_and_tried_again():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    session, resources = a_session(f"http://127.0.0.1:{port}", retry_attempts=2)

    with pytest.raises(errors.ConnectionError) as caught:
        await session.send(write_once(1))
    await resources.close()

    assert caught.value.outcome is Outcome.NOT_SENT
    assert len(caught.value.attempts) == 2
    assert "refused" in str(caught.value).lower() or "failed" in str(caught.value).lower()


async def test_a_name_that_does_not_exist_is_not_sent():
    session, resources = a_session("https://no-such-host.invalid")

    with pytest.raises(errors.ConnectionError) as caught:
        await session.send(write_once(1), retry=None, timeout=2)
    await resources.close()

    assert caught.value.outcome is Outcome.NOT_SENT


async def test_a_stalled_tls_handshake_is_not_sent():
    async def mute(reader, writer):
        await reader.read(-1)
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    session, resources = a_session(f"https://127.0.0.1:{port}", timeouts={"connect": 0.1})

    with pytest.raises(errors.ConnectionError) as caught:
        await session.send(write_once(1), retry=None)
    await resources.close()
    server.close()
    await server.wait_closed()

    assert caught.value.outcome is Outcome.NOT_SENT
    assert caught.value.phase == "connect"


async def test_an_untrusted_certificate_is_named_and_not_tried_again():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    session, resources = a_session(f"https://127.0.0.1:{port}")

    with pytest.raises(errors.CertificateError) as caught:
        await session.send(write_once(1))
    await resources.close()
    server.close()
    await server.wait_closed()

    assert caught.value.outcome is Outcome.NOT_SENT
    assert len(caught.value.attempts) == 1


async def test_a_request_cancelled_before_it_leaves_is_never_executed():
    async with Exchange(venues=("webhook",)) as exchange:
        session, resources = a_session(exchange.addresses.webhook)
        task = asyncio.create_task(session.send(write_once(1)))
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        await resources.close()

    assert not exchange.hooks


async def test_a_request_whose_caller_has_left_still_ends_and_leaves_nothing():
    async with Exchange(venues=("webhook",)) as exchange:
        exchange.add_fault(FaultRule(kind="delay", venue="webhook", delay=0.05))
        session, resources = a_session(exchange.addresses.webhook)

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await session.send(write_once(1))
        await resources.close()

        assert len(exchange.hooks) == 1
    assert not resources.tasks


async def test_a_full_pool_is_local_and_not_sent():
    async with Exchange(venues=("webhook",)) as exchange:
        exchange.add_fault(FaultRule(kind="delay", venue="webhook", delay=0.3))
        from sentio_async.http.client import open_client

        client = open_client(connections=1)
        session, _ = a_session(
            exchange.addresses.webhook, client=client, timeouts={"pool": 0.05, "read": 2}
        )
        first = asyncio.create_task(session.send(write_once(1)))
        await asyncio.sleep(0.02)

        with pytest.raises(errors.ConnectionError) as caught:
            await session.send(write_once(2), retry=None)
        await first
        await client.aclose()

    assert caught.value.outcome is Outcome.NOT_SENT
    assert caught.value.phase == "pool"
    assert len(exchange.hooks) == 1
