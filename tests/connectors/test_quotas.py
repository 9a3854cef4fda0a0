"""Data has the whole of its quota: no slot is kept for orders that its host does not take."""

import json

import pytest

from scripted_server import always, answer, serving
from sentio_async import errors
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.polygon.data import PolygonData
from sentio_async.connectors.webhook.notifier import WebhookNotifier
from sentio_async.resilience import with_deadline

QUOTE = {"t": "2026-01-02T15:04:05.5Z", "ap": 2, "as": 1, "bp": 1, "bs": 1}
NBBO = {"T": "AAPL", "P": 2, "S": 1, "p": 1, "s": 1, "t": 1_742_342_400_000_000_000}
ANSWERS = {
    "alpaca": {"symbol": "AAPL", "quote": QUOTE},
    "polygon": {"status": "OK", "request_id": "r", "results": NBBO},
}


def a_client(vendor, url):
    if vendor == "alpaca":
        key = {"api_key": "PK" + "K" * 18, "api_secret": "S" * 40, "data_requests_per_minute": 3}
        return AlpacaData({**key, "data_url": url, "base_url": url})
    return PolygonData({"api_key": "K" * 20, "base_url": url, "requests_per_minute": 3})


@pytest.mark.parametrize("vendor", ["alpaca", "polygon"])
async def test_as_many_calls_go_out_as_the_quota_allows_and_not_one_more(vendor):
    body = json.dumps(ANSWERS[vendor]).encode()
    async with serving(always(answer(body))) as server:
        data = a_client(vendor, server.url)
        async with with_deadline(5.0):
            for _ in range(3):
                await data.get_quote("AAPL")

            with pytest.raises(errors.RateLimitError):
                await data.get_quote("AAPL")

        assert len(server.requests) == 3
        await data.disconnect()


@pytest.mark.parametrize(
    ("kind", "settings", "kept"),
    [
        (AlpacaBroker, {"api_key": "PK" + "K" * 18, "api_secret": "S" * 40}, [1]),
        (AlpacaData, {"api_key": "PK" + "K" * 18, "api_secret": "S" * 40}, [0, 1]),
        (PolygonData, {"api_key": "K" * 20}, [0]),
        (WebhookNotifier, {"webhook_url": "https://hook.test/x", "format": "slack"}, [0]),
    ],
)
def test_a_slot_is_kept_for_orders_where_orders_go(kind, settings, kept):
    sessions = kind(settings)._sessions

    assert [each._limiter("default")._logs[0].reserve for each in sessions] == kept


async def test_a_days_quota_is_kept_beside_the_minutes_and_told_at_once():
    body = json.dumps(ANSWERS["polygon"]).encode()
    async with serving(always(answer(body))) as server:
        settings = {"api_key": "K" * 20, "base_url": server.url, "requests_per_day": 2}
        data = PolygonData(settings)
        for _ in range(2):
            await data.get_quote("AAPL")
        with pytest.raises(errors.RateLimitError) as caught:
            await data.get_quote("AAPL")
        await data.disconnect()

    assert caught.value.outcome is errors.Outcome.NOT_SENT
    assert 86_000 < caught.value.retry_after < 86_401
    assert "2 per 86400 s" in str(caught.value)
    assert len(server.requests) == 2
