"""Webhooks to Slack, and to what understands the same."""

import re

import pytest

from sentio_async import errors
from sentio_async.connectors.webhook.notifier import WebhookNotifier
from sentio_async.errors import Outcome
from sentio_async.models.health import HealthStatus
from sentio_async.sim.faults import FaultRule

pytestmark = pytest.mark.exchange(venues=("webhook",))

TRADE = {"symbol": "AAPL", "side": "buy", "qty": "10", "price": "187.20", "order_id": "o-1"}


def notifier(exchange, **more):
    settings = exchange.settings("webhook")
    url = f"{settings['webhook_url']}/slack"
    return WebhookNotifier({**settings, "webhook_url": url, "format": "slack", **more})


async def test_a_slack_message_in_doubt_is_not_sent_again(exchange):
    exchange.add_fault(FaultRule(kind="drop_after", venue="webhook", method="POST", times=1))

    async with notifier(exchange) as hook:
        with pytest.raises(errors.ConnectorError) as caught:
            await hook.send_notification(None, "s", "m")

    assert caught.value.outcome is Outcome.UNKNOWN
    assert len(exchange.hooks) == 1


async def test_slack_is_sent_what_it_understands(exchange):
    async with notifier(exchange) as hook:
        await hook.send_trade_notification(TRADE)
        await hook.send_alert("drawdown", "<!channel> & more")

    assert exchange.hooks[0].json["text"].startswith("*BUY 10 AAPL @ 187.20*\nSymbol: AAPL")
    assert exchange.hooks[1].json == {"text": "*[high] drawdown*\n&lt;!channel&gt; &amp; more"}


@pytest.mark.parametrize(
    "text", ["@everyone", "x@here", "@CHANNEL", "(@all)", "@ada: look", "@here, @ada"]
)
async def test_a_text_from_outside_calls_nobody_in_any_room(exchange, text):
    async with notifier(exchange) as hook:
        await hook.send_notification(None, text, text)

    (got,) = exchange.hooks
    shown = got.json["text"]
    assert shown.replace("\u200b", "") == f"*{text}*\n{text}"
    assert not re.search(r"@\w", shown)


async def test_discord_is_told_half_as_much(exchange):
    async with notifier(exchange) as hook:
        await hook.send_notification(None, "s", "m" * 10_000)
        await hook.send_trade_notification({**TRADE, "details": {"why": "m" * 10_000}})

    assert [len(got.json["text"]) for got in exchange.hooks] == [2000, 2000]


@pytest.mark.parametrize("text", ["10 AAPL @ 187.20", "write to ada@x.test", "@"])
async def test_what_calls_nobody_is_left_as_it_is(exchange, text):
    async with notifier(exchange) as hook:
        await hook.send_notification(None, "s", text)

    assert exchange.hooks[0].json["text"] == f"*s*\n{text}"


@pytest.mark.parametrize(
    ("body", "kind"),
    [("invalid_payload", errors.BadRequestError), ("rate_limited", errors.RateLimitError)],
)
async def test_what_slack_refuses_under_200_is_a_failure(exchange, body, kind):
    exchange.state.sink.body = body

    async with notifier(exchange, retry_attempts=1) as hook:
        with pytest.raises(kind, match=body) as caught:
            await hook.send_notification(None, "s", "m")

    assert caught.value.outcome is Outcome.REFUSED
    assert caught.value.code == (body if kind is errors.BadRequestError else None)


async def test_slack_is_not_told_more_than_it_takes(exchange):
    async with notifier(exchange) as hook:
        with pytest.raises(errors.RateLimitError) as caught:
            for number in range(61):
                assert (await hook.health_check()).status is HealthStatus.HEALTHY
                await hook.send_notification(None, "s", str(number), timeout=0.5)

    assert caught.value.outcome is Outcome.NOT_SENT
    assert caught.value.retry_after > 50
    assert len(exchange.hooks) == 60
