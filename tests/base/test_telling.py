"""Several people are told at once; what befalls one says nothing of the others."""

import asyncio

import pytest

from sentio_async import errors
from sentio_async.base.telling import notice_id, tell_each
from sentio_async.errors import Outcome
from sentio_async.models import Delivery, RecipientResult

FAILURES = {
    Delivery.UNKNOWN: errors.ServerError("down", status_code=503),
    Delivery.REFUSED: errors.BadRequestError("chat not found", status_code=400),
    Delivery.DEFERRED: errors.ConnectionError("cannot connect", outcome=Outcome.NOT_SENT),
}


async def told(name, end=None):
    await asyncio.sleep(0)
    if end is not None:
        raise end
    return RecipientResult(recipient=name, delivery=Delivery.ACCEPTED, message_id="17")


@pytest.mark.parametrize(("delivery", "error"), FAILURES.items())
async def test_what_befalls_one_is_told_of_that_one(delivery, error):
    good, bad = await tell_each([("a", told("a")), ("b", told("b", error))])

    assert (good.recipient, good.delivery, good.message_id) == ("a", Delivery.ACCEPTED, "17")
    assert (bad.recipient, bad.delivery) == ("b", delivery)
    assert bad.reason == error.message
    assert bad.code == (str(error.status_code) if hasattr(error, "status_code") else None)


async def test_one_who_was_throttled_may_be_told_later():
    throttled = errors.RateLimitError("slow down", status_code=429)
    for_ever = errors.CertificateError("not trusted")
    _, late, never = await tell_each(
        [("a", told("a")), ("b", told("b", throttled)), ("c", told("c", for_ever))]
    )

    assert late.delivery is Delivery.DEFERRED
    assert never.delivery is Delivery.REFUSED


async def test_when_nobody_was_told_the_first_error_says_why():
    first, second = errors.ServerError("first"), errors.ServerError("second")

    with pytest.raises(errors.ServerError) as caught:
        await tell_each([("a", told("a", first)), ("b", told("b", second))])
    assert caught.value is first
    assert await tell_each([]) == ()


async def test_when_somebody_may_have_been_told_the_error_says_so():
    refused, in_doubt = errors.NotFoundError("404"), errors.ServerError("503")

    with pytest.raises(errors.ServerError) as caught:
        await tell_each([("a", told("a", refused)), ("b", told("b", in_doubt))])
    assert caught.value is in_doubt
    assert caught.value.outcome is Outcome.UNKNOWN


async def test_a_mistake_of_our_own_is_no_result():
    with pytest.raises(KeyError):
        await tell_each([("a", told("a")), ("b", told("b", KeyError("text")))])


def test_an_event_always_has_the_same_id_and_never_a_dot():
    assert notice_id("order-17") == "order-17"
    assert notice_id("a.b") == notice_id("a.b") != notice_id("a.c")
    for event in ("a.b", "x" * 500, "a\r\nb: c", "ü", "\ud800"):
        assert "." not in notice_id(event)
        assert notice_id(event).isascii()


def test_without_an_event_each_message_has_its_own():
    assert len({notice_id(event) for _ in range(100) for event in (None, "")}) == 200
