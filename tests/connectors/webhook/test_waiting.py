"""How long a webhook may take, and how often it is tried."""

import asyncio

import pytest

from sentio_async import errors
from sentio_async.connectors.webhook.notifier import WebhookNotifier
from sentio_async.errors import Outcome
from sentio_async.models.health import HealthStatus
from sentio_async.sim.faults import FaultRule

pytestmark = pytest.mark.exchange(venues=("webhook",))


def fault(kind, method, **more):
    return FaultRule(kind=kind, venue="webhook", method=method, **more)


async def test_a_message_may_have_a_time_of_its_own(exchange):
    exchange.add_fault(fault("silence", "POST"))
    async with asyncio.timeout(5), WebhookNotifier(exchange.settings("webhook")) as hook:
        with pytest.raises(errors.ConnectorError) as caught:
            await hook.send_notification(None, "s", "m", timeout=0.05)

    assert caught.value.outcome is Outcome.UNKNOWN


async def test_a_health_check_asks_once(exchange):
    exchange.add_fault(fault("status", "HEAD", status=503))
    hook = WebhookNotifier(exchange.settings("webhook"))
    report = await hook.health_check()
    await hook.disconnect()

    assert report.status is HealthStatus.UNHEALTHY
    assert [seen.method for seen in exchange.state.requests] == ["HEAD"]


async def test_only_slack_is_known_to_take_one_message_a_second(exchange):
    async with WebhookNotifier(exchange.settings("webhook")) as hook:
        for number in range(70):
            await hook.send_notification(None, "s", str(number), timeout=5.0)

    assert len(exchange.hooks) == 70
