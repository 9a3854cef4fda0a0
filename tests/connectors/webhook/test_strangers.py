"""URLs that messages bring along: what befalls one is not the others' business."""

import pytest

from connectors.webhook.test_notifier import fault, notifier, reachable
from sentio_async import errors
from sentio_async.connectors.webhook.recipients import Recipients
from sentio_async.models import Delivery

pytestmark = pytest.mark.exchange(venues=("webhook",))


def urls(exchange, *names):
    return [f"{exchange.addresses.webhook}/hook/{name}" for name in names]


async def test_a_throttled_receiver_does_not_hold_up_another_at_its_host(exchange):
    slow, quick = urls(exchange, "slow", "quick")
    many = {"retry-after": "3600"}
    exchange.add_fault(fault("status", path="/hook/slow", status=429, headers=many))

    async with notifier(exchange, **reachable(exchange)) as hook:
        for _ in range(2):
            with pytest.raises(errors.RateLimitError):
                await hook.send_notification(slow, "s", "m")

        receipt = await hook.send_notification([slow, quick], "s", "m")

    assert [r.delivery for r in receipt.results] == [
        Delivery.DEFERRED,
        Delivery.ACCEPTED_WITHOUT_PROOF,
    ]
    assert [each.path for each in exchange.hooks] == ["/hook/quick"]


async def test_a_broken_receiver_does_not_close_the_way_to_another_at_its_host(exchange):
    broken, sound = urls(exchange, "broken", "sound")
    exchange.add_fault(fault("status", path="/hook/broken", status=500))
    settings = {**reachable(exchange), "retry_attempts": 1, "breaker_failures": 2}

    async with notifier(exchange, **settings) as hook:
        for kind in (errors.ServerError, errors.ServerError, errors.CircuitOpenError):
            with pytest.raises(kind):
                await hook.send_notification(broken, "s", "m")

        assert (await hook.send_notification(sound, "s", "m")).is_delivered


async def test_strangers_are_not_remembered_for_ever(exchange, monkeypatch):
    monkeypatch.setattr("sentio_async.connectors.webhook.recipients.MOST", 3)
    async with notifier(exchange, recipient_urls=True) as hook:
        recipients: Recipients = hook._recipients
        for number in range(10):
            for path in ("x", "y"):
                with pytest.raises(errors.ConnectorError):
                    await hook.send_notification(f"https://127.0.0.{number + 1}/{path}", "s", "m")

        assert len(recipients._sessions) == 3
        assert len(recipients._resources.breakers) <= 3
