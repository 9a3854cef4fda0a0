"""Webhooks over real sockets, into the embedded exchange's sink and into fakes."""

import asyncio
import json
import logging
import pickle
import traceback
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from sentio_async import errors
from sentio_async.connectors.webhook.notifier import WebhookNotifier
from sentio_async.errors import Outcome
from sentio_async.models import Attachment, Delivery
from sentio_async.models.health import HealthStatus
from sentio_async.sim.faults import FaultRule

pytestmark = pytest.mark.exchange(venues=("webhook",))

OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TRADE = {"symbol": "AAPL", "side": "buy", "qty": "10", "price": "187.20", "order_id": "o-1"}


def notifier(exchange, path="", **more):
    settings = exchange.settings("webhook")
    return WebhookNotifier({**settings, "webhook_url": settings["webhook_url"] + path, **more})


def fault(kind, **more):
    return FaultRule(kind=kind, venue="webhook", method="POST", **more)


async def test_a_message_arrives_signed_and_is_verified_by_two_others(exchange):
    async with notifier(exchange, old_signing_secrets=[OLD]) as hook:
        receipt = await hook.send_notification("ops", "filled", "10 AAPL", event_id="fill-1")

    assert (receipt.id, receipt.attempts) == ("fill-1", 1)
    assert receipt.is_delivered
    assert receipt.results[0].delivery is Delivery.ACCEPTED_WITHOUT_PROOF
    (got,) = exchange.hooks
    assert got.verified is True
    for secret in (exchange.signing_secret, OLD):
        assert Webhook(secret).verify(got.body, got.headers)["data"]["message"] == "10 AAPL"
    assert got.headers["idempotency-key"] == got.headers["webhook-id"] == "fill-1"
    assert got.json["type"] == "notification"
    assert got.json["data"] == {
        "subject": "filled",
        "message": "10 AAPL",
        "priority": "normal",
        "recipients": ["ops"],
    }


@pytest.mark.parametrize("kind", ["drop_after", "reset_after", "status_after", "half"])
async def test_a_message_in_doubt_is_sent_again_under_the_same_id(exchange, kind):
    exchange.add_fault(fault(kind, times=1))

    async with notifier(exchange) as hook:
        receipt = await hook.send_notification(None, "s", "m")

    first, second = exchange.hooks
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == receipt.id
    assert first.body == second.body
    assert receipt.attempts == 2
    assert second.verified


async def test_each_try_is_signed_for_its_own_time(exchange):
    class Ticking:
        def __init__(self, clock):
            self._clock, self.seconds = clock, 0

        def __getattr__(self, name):
            return getattr(self._clock, name)

        def utcnow(self):
            self.seconds += 7
            return datetime.fromtimestamp(1_800_000_000 + self.seconds, UTC)

    exchange.state.sink.tolerance = None
    exchange.add_fault(fault("drop_after", times=1))

    async with notifier(exchange) as hook:
        hook._own.proof._clock = Ticking(hook._clock)
        await hook.send_notification(None, "s", "m")

    stamps = [int(each.headers["webhook-timestamp"]) for each in exchange.hooks]
    assert stamps == [1_800_000_007, 1_800_000_014]
    assert all(each.verified for each in exchange.hooks)


async def test_trades_and_alerts_have_their_own_types(exchange):
    async with notifier(exchange) as hook:
        await hook.send_trade_notification(TRADE, event_id="t-1")
        await hook.send_alert("drawdown", "5 %", priority="critical")

    trade, alert = (each.json for each in exchange.hooks)
    assert trade["type"] == "trade"
    assert trade["data"]["total"] == "1872.00"
    assert alert["type"] == "alert"
    assert alert["data"]["priority"] == "critical"
    assert alert["data"]["details"] == {"alert_type": "drawdown"}


async def test_the_operators_headers_go_to_the_operators_url(exchange):
    exchange.state.sink.bearer = "let-me-in"

    async with notifier(exchange, bearer_token="let-me-in", headers={"X-Team": "desk"}) as hook:
        await hook.send_notification(None, "s", "m")

    assert exchange.hooks[0].headers["x-team"] == "desk"
    assert exchange.hooks[0].status == 200


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_a_failure_and_not_followed(exchange, status):
    exchange.state.sink.status = status
    exchange.state.sink.headers = {"location": f"{exchange.addresses.webhook}/hook/elsewhere"}

    async with notifier(exchange) as hook:
        with pytest.raises(errors.APIError, match="redirect"):
            await hook.send_notification(None, "s", "m")

    assert [each.path for each in exchange.hooks] == ["/hook"]


async def test_a_receiver_that_is_gone_is_not_asked_again_until_reconnected(exchange):
    exchange.state.sink.status = 410

    async with notifier(exchange) as hook:
        for _ in range(3):
            with pytest.raises(errors.NotFoundError, match="410") as caught:
                await hook.send_notification(None, "s", "m")
            assert (caught.value.status_code, caught.value.outcome) == (410, Outcome.REFUSED)
        assert len(exchange.hooks) == 1
        report = await hook.health_check()
        assert report.status is HealthStatus.DEGRADED

        exchange.state.sink.status = 200
        await hook.disconnect()
        await hook.connect()
        assert (await hook.send_notification(None, "s", "m")).is_delivered


async def test_a_throttled_message_waits_as_long_as_it_is_told(exchange):
    exchange.add_fault(fault("status", status=429, headers={"retry-after": "0.01"}, times=1))

    async with notifier(exchange) as hook:
        assert (await hook.send_notification(None, "s", "m")).attempts == 2

    exchange.add_fault(fault("status", status=429, headers={"retry-after": "3600"}, times=1))
    async with notifier(exchange) as hook:
        with pytest.raises(errors.RateLimitError) as caught:
            await hook.send_notification(None, "s", "m")
    assert caught.value.retry_after == 3600


async def test_a_receiver_that_is_down_for_long_is_not_asked_again_before(exchange):
    exchange.add_fault(fault("status", status=503, headers={"retry-after": "3600"}))

    async with notifier(exchange) as hook:
        with pytest.raises(errors.ServerError) as caught:
            await hook.send_notification(None, "s", "m")

    assert (caught.value.retry_after, len(caught.value.attempts)) == (3600, 1)
    assert pickle.loads(pickle.dumps(caught.value)).retry_after == 3600


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (400, errors.BadRequestError, "the receiver answered 400"),
        (401, errors.AuthenticationError, "does not accept our proof (401)"),
        (403, errors.PermissionError, "does not accept our proof (403)"),
        (404, errors.NotFoundError, "no receiver at this URL (404)"),
        (413, errors.BadRequestError, "too large (413)"),
    ],
)
async def test_a_refusal_is_final(exchange, status, kind, words):
    exchange.state.sink.status = status

    async with notifier(exchange) as hook:
        with pytest.raises(kind) as caught:
            await hook.send_notification(None, "s", "m")

    assert caught.value.outcome is Outcome.REFUSED
    assert (caught.value.status_code, caught.value.code) == (status, status)
    assert words in caught.value.message
    assert len(exchange.hooks) == 1


async def test_a_message_may_not_name_a_url_unless_allowed(exchange):
    async with notifier(exchange) as hook:
        with pytest.raises(errors.InvalidRequestError, match="recipient_urls"):
            await hook.send_notification("https://h.example/x", "s", "m")

    assert exchange.hooks == []


async def test_a_url_in_a_message_cannot_reach_this_machine(exchange):
    url = f"{exchange.addresses.webhook}/hook/not-yours"

    async with notifier(exchange, recipient_urls=True) as hook:
        for target in (url, "http://localhost:80/x", "https://127.0.0.1/x", "https://[::1]/x"):
            with pytest.raises(errors.InvalidRequestError) as caught:
                await hook.send_notification(target, "s", "m")
            assert caught.value.outcome is Outcome.NOT_SENT
        with pytest.raises(errors.InvalidRequestError, match="plain http"):
            await hook.send_notification("http://h.example/x", "s", "m")
        for host in ("0177.0.0.1", "①②⑦.⓪.⓪.①"):
            with pytest.raises(errors.InvalidRequestError, match="url"):
                await hook.send_notification(f"https://{host}/x", "s", "m")

    assert exchange.hooks == []


def reachable(exchange):
    """Settings with which a message's own URL may lead to the sink."""
    port = int(exchange.addresses.webhook.rpartition(":")[2])
    return {"recipient_urls": True, "allowed_hosts": ["127.0.0.1"], "allowed_ports": [port]}


async def test_a_url_in_a_message_gets_no_proof_of_the_operators(exchange):
    url = f"{exchange.addresses.webhook}/hook/theirs"

    async with notifier(exchange, bearer_token="let-me-in", **reachable(exchange)) as hook:
        receipt = await hook.send_notification([url, "ops"], "s", "m", event_id="e-1")

    theirs, own = sorted(exchange.hooks, key=lambda each: each.path, reverse=True)
    assert receipt.is_delivered
    assert len(receipt.results) == 2
    assert theirs.path == "/hook/theirs"
    assert theirs.headers["webhook-id"] == "e-1"
    assert "webhook-signature" not in theirs.headers
    assert "authorization" not in theirs.headers
    assert own.verified
    assert "theirs" not in repr(receipt)


async def test_a_slow_recipient_does_not_hold_up_the_others(exchange):
    base = f"{exchange.addresses.webhook}/hook"
    exchange.add_fault(fault("delay", path="/hook/slow", delay=0.05))

    async with notifier(exchange, **reachable(exchange)) as hook:
        receipt = await hook.send_notification([f"{base}/slow", f"{base}/quick"], "s", "m")

    assert receipt.is_delivered
    assert [each.path for each in exchange.hooks] == ["/hook/quick", "/hook/slow"]


@pytest.mark.parametrize("most", [0, 32])
async def test_urls_of_messages_stay_out_of_sight_too(exchange, caplog, monkeypatch, most):
    # However few are remembered, those in use are hidden.
    monkeypatch.setattr("sentio_async.connectors.webhook.recipients.MOST_HIDDEN", most)
    caplog.set_level(logging.DEBUG)
    urls = [f"{exchange.addresses.webhook}/hook/canary-{n}-4711?token=canary-q{n}" for n in (1, 2)]
    exchange.state.sink.status = 500

    async with notifier(exchange, **reachable(exchange), retry_attempts=1) as hook:
        with pytest.raises(errors.ServerError) as caught:
            await hook.send_notification(urls, "s", "m")
        error = caught.value.with_traceback(caught.value.__traceback__.tb_next)
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)

    assert len(exchange.hooks) == 2
    for text in (caplog.text, str(error), repr(vars(error))):
        assert "canary" not in text
    # The frames of the call itself hold what its caller gave.
    frames = [line for line in shown.format() if "/connectors/webhook/" not in line]
    assert "canary" not in "".join(frames)


async def test_one_dead_recipient_does_not_cost_the_others(exchange):
    async with notifier(exchange, recipient_urls=True) as hook:
        receipt = await hook.send_notification(["https://127.0.0.1/x", "ops"], "s", "m")

    assert [each.delivery for each in receipt.results] == [
        Delivery.REFUSED,
        Delivery.ACCEPTED_WITHOUT_PROOF,
    ]


async def test_messages_that_fail_leave_nothing_behind(exchange):
    exchange.state.sink.status = 400

    async with notifier(exchange) as hook:
        for _ in range(3):
            with pytest.raises(errors.BadRequestError):
                await hook.send_notification(None, "s", "m")

        assert not hook._own.proof._tries


async def test_what_webhooks_cannot_do_is_said(exchange):
    picture = Attachment(filename="a.png", content=b"x")

    async with notifier(exchange) as hook:
        with pytest.raises(errors.NotSupportedError):
            await hook.send_notification(None, "s", "m", attachments=[picture])
        with pytest.raises(errors.InvalidRequestError, match="colour"):
            await hook.send_notification(None, "s", "m", colour="red")
        with pytest.raises(errors.InvalidRequestError, match="priority"):
            await hook.send_notification(None, "s", "m", priority="urgentest")
        with pytest.raises(errors.InvalidRequestError, match="qty"):
            await hook.send_trade_notification({"symbol": "AAPL", "side": "buy"})


async def test_nobody_there_is_said_and_known_not_to_have_been_sent(unused_port):
    hook = WebhookNotifier(
        {"webhook_url": f"http://127.0.0.1:{unused_port}/x", "retry_attempts": 1}
    )

    with pytest.raises(errors.ConnectionError) as caught:
        await hook.send_notification(None, "s", "m")
    report = await hook.health_check()

    assert caught.value.outcome is Outcome.NOT_SENT
    assert report.status is HealthStatus.UNHEALTHY


@pytest.fixture
async def unused_port():
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def test_the_url_and_every_secret_stay_out_of_sight(exchange, caplog):
    caplog.set_level(logging.DEBUG)
    canaries = ("canary-path-4711", "canary-bearer-4711", "canary-header-4711", OLD[6:])
    exchange.state.sink.status = 500
    exchange.state.sink.body = "you sent canary-bearer-4711 to canary-path-4711"
    hook = notifier(
        exchange,
        "/canary-path-4711",
        bearer_token="canary-bearer-4711",
        headers={"X-Key": "canary-header-4711"},
        old_signing_secrets=[OLD],
        retry_attempts=1,
    )

    async with hook:
        with pytest.raises(errors.ServerError) as caught:
            await hook.send_notification(None, "s", "m")
        # Without the frame of this test, which knows them.
        error = caught.value.with_traceback(caught.value.__traceback__.tb_next)
        shown = [
            caplog.text,
            repr(hook) + repr(hook.get_status()) + repr(await hook.health_check()),
            "".join(
                traceback.TracebackException.from_exception(error, capture_locals=True).format()
            ),
            str(caught.value) + repr(vars(caught.value)),
            repr(pickle.dumps(caught.value)),
        ]

    for canary in canaries:
        for text in shown:
            assert canary not in text, next(x for x in text.splitlines() if canary in x)


async def test_a_body_is_read_to_a_limit(exchange):
    exchange.state.sink.body = "x" * 200_000

    async with notifier(exchange, retry_attempts=1) as hook:
        with pytest.raises(errors.ResponseTooLargeError):
            await hook.send_notification(None, "s", "m")


async def test_what_is_sent_is_json_in_utf8(exchange):
    async with notifier(exchange) as hook:
        await hook.send_notification(None, "Köln", "ü € 🚀")
        await hook.send_notification(None, "cut \ud83d", "cut \ud83d")  # as JavaScript cuts

    got, cut = exchange.hooks
    assert (cut.json["data"]["subject"], cut.json["data"]["message"]) == ("cut ?", "cut ?")
    assert json.loads(got.body.decode("utf-8"))["data"]["message"] == "ü € 🚀"
    assert got.headers["content-type"] == "application/json"
