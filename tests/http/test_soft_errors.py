"""Failures that a vendor tells in answers of status 200."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.http.endpoint import Api, Parts, Problem
from sentio_async.resilience.retry_after import until_midnight
from session_calls import a_session

NEW_YORK = ZoneInfo("America/New_York")
WORDS = {
    "day": Problem("25 a day", kind=errors.RateLimitError, retry_after=until_midnight(NEW_YORK)),
    "minute": Problem("5 a minute", kind=errors.RateLimitError, retry_after=60.0),
    "plan": Problem("a premium endpoint", kind=errors.PermissionError),
    "symbol": Problem("no such symbol", kind=errors.NotFoundError),
    "key": Problem("no such key", kind=errors.AuthenticationError),
    "other": Problem("whatever"),
}

api = Api("soft", check=lambda raw: WORDS.get(raw.get("error")))


@api.get("/query", returns=lambda raw: raw["value"])
def query() -> Parts:
    return Parts()


async def told(error, **settings):
    """The error of a first call, that of a second, and how many were sent."""
    sent = []

    def answer(request):
        sent.append(request)
        return httpx.Response(200, json={"error": error})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        session, _ = a_session("https://api.test", client=client, **settings)
        caught = []
        for _ in range(2):
            with pytest.raises(errors.ConnectorError) as each:
                await session.send(query(), timeout=5.0)
            caught.append(each.value)
    return *caught, len(sent)


@pytest.mark.parametrize(
    ("word", "kind", "outcome"),
    [
        ("plan", errors.PermissionError, Outcome.REFUSED),
        ("symbol", errors.NotFoundError, Outcome.REFUSED),
        ("key", errors.AuthenticationError, Outcome.REFUSED),
        ("other", errors.APIError, Outcome.UNKNOWN),
    ],
)
async def test_its_kind_says_what_is_known(word, kind, outcome):
    error, _, _ = await told(word, retry_attempts=1)

    assert type(error) is kind
    assert error.outcome is outcome
    assert error.status_code == 200


@pytest.mark.parametrize("word", ["plan", "symbol", "key"])
async def test_a_refusal_is_not_tried_again(word):
    _, _, sent = await told(word)

    assert sent == 2


@pytest.mark.parametrize("word", ["day", "minute"])
async def test_after_a_spent_quota_nothing_is_sent_until_it_is_whole(word):
    first, second, sent = await told(word)

    assert sent == 1
    assert isinstance(first, errors.RateLimitError)
    assert first.outcome is Outcome.REFUSED
    assert isinstance(second, errors.RateLimitError)
    assert second.outcome is Outcome.NOT_SENT
    assert second.retry_after == pytest.approx(first.retry_after, abs=2.0)


async def test_a_days_quota_ends_at_midnight_in_the_vendors_zone():
    error, _, _ = await told("day")

    end = datetime.now(NEW_YORK) + timedelta(seconds=error.retry_after)
    assert (end.hour, end.minute) in ((0, 0), (23, 59))
