"""When an order goes again, how long it is looked for, and what is said in the end."""

import asyncio
import random
from datetime import timedelta

import pytest

from orders.venues import (
    CLOCK,
    START,
    ScriptedVenue,
    an_answer,
    an_order,
    not_sent,
    refused,
    throttled,
    unknown,
)
from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.orders.journal import MemoryJournal, Row, Step
from sentio_async.orders.policy import GatewayPolicy
from sentio_async.orders.venue import BrokerClass
from sentio_async.resilience.deadline import current_deadline

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

MINE = an_order(client_order_id="mine")
LISTING = BrokerClass.NONE


def now():
    return asyncio.get_running_loop().time()


def noting(times, *answers):
    """Answers that first write down when they were asked for, and until when."""

    def note(answer):
        def asked():
            times.append((now(), current_deadline()))
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return asked

    return [note(each) for each in answers]


@pytest.fixture
def luck(monkeypatch):
    """Draws the most, or the least, of what may be drawn."""
    drawn = {"most": True}
    monkeypatch.setattr(random, "uniform", lambda low, high: high if drawn["most"] else low)
    return drawn


@pytest.mark.parametrize(
    ("most", "times"), [(True, [0.0, 0.25, 0.75, 1.75]), (False, [0.0, 0.125, 0.375, 0.875])]
)
async def test_what_was_not_sent_goes_again_at_growing_distances(started, luck, most, times):
    luck["most"] = most
    venue, seen = ScriptedVenue(), []
    venue.say("place", *noting(seen, *[not_sent()] * 3, an_answer(MINE)))

    await (await started(venue)).submit(MINE)

    assert seen == [(at, 30.0) for at in times]


async def test_a_wait_that_was_asked_for_is_waited_for_once(started, luck):
    venue, seen = ScriptedVenue(), []
    failures = [throttled(2.0), throttled(None), not_sent(), an_answer(MINE)]
    venue.say("place", *noting(seen, *failures))

    await (await started(venue)).submit(MINE)

    assert [at for at, _ in seen] == [0.0, 2.0, 2.5, 3.5]


@pytest.mark.parametrize(("asked", "sent"), [(29.9, 2), (30.0, 1)])
async def test_a_wait_up_to_the_deadline_is_no_use(started, asked, sent):
    venue = ScriptedVenue(BrokerClass.UNIQUE, throttled(asked))
    gateway = await started(venue)

    if sent == 2:
        await gateway.submit(MINE)
    else:
        with pytest.raises(errors.RateLimitError):
            await gateway.submit(MINE)

    assert len(venue.sent()) == sent
    assert now() == (asked if sent == 2 else 0.0)


@pytest.mark.parametrize(("timeout", "sent"), [(0.25, 1), (0.26, 2)])
async def test_a_moment_must_be_left_to_go_again(started, luck, timeout, sent):
    venue = ScriptedVenue(BrokerClass.UNIQUE, not_sent())
    gateway = await started(venue, policy=GatewayPolicy(timeout=timeout))

    submitting = await asyncio.gather(gateway.submit(MINE), return_exceptions=True)

    assert len(venue.sent()) == sent
    assert isinstance(submitting[0], errors.ConnectionError) is (sent == 1)


async def test_a_mistake_in_an_order_does_not_go_again(started):
    wrong = errors.InvalidRequestError("qty: too precise", outcome=Outcome.NOT_SENT)
    venue, journal = ScriptedVenue(BrokerClass.UNIQUE, wrong), MemoryJournal()
    gateway = await started(venue, journal)

    with pytest.raises(errors.InvalidRequestError):
        await gateway.submit(MINE)

    assert len(venue.sent()) == 1
    assert journal.rows[-1].step is Step.NOT_PLACED


async def test_how_long_each_try_took_is_kept(started, luck):
    gateway = await started(venue := ScriptedVenue(), policy=GatewayPolicy(attempts=2))

    async def slow(_order):
        await asyncio.sleep(1.5)
        raise not_sent()

    venue.place = slow
    await asyncio.sleep(7.0)

    with pytest.raises(errors.ConnectionError) as caught:
        await gateway.submit(MINE)

    assert caught.value.attempts == tuple(
        errors.AttemptRecord(number, "ConnectionError", Outcome.NOT_SENT, 1.5, 0.0)
        for number in (1, 2)
    )


async def test_it_is_looked_for_at_growing_distances_since_it_could_have_been_sent(started):
    venue, seen = ScriptedVenue(LISTING, unknown()), []
    await asyncio.sleep(3.0)
    venue.say("recent", *noting(seen, *[[]] * 5, [an_answer(MINE, client_order_id="")]))

    await (await started(venue)).submit(MINE)

    assert [at for at, _ in seen] == [3.25, 3.75, 4.75, 6.75, 10.75, 15.75]
    assert {until - at for at, until in seen} == {10.0}
    assert set(venue.sent("recent")) == {START + timedelta(seconds=3) - timedelta(seconds=5)}


@pytest.mark.parametrize(("order", "symbol"), [(MINE, "ACME"), (None, None)])
async def test_only_its_symbol_is_listed_if_it_has_one(started, order, symbol):
    legs = ({"symbol": "A", "ratio_qty": 1}, {"symbol": "B", "ratio_qty": 1})
    order = order or an_order("", "1", None, order_class="mleg", legs=legs, client_order_id="mine")
    venue, asked = ScriptedVenue(LISTING, unknown()), []

    async def recent(since, symbol=None):
        asked.append(symbol)
        return [an_answer(order, client_order_id="")]

    venue.recent = recent

    await (await started(venue)).submit(order)

    assert asked == [symbol]


SOON = GatewayPolicy(horizon=10.0, max_delay=1.0, timeout=60.0)


async def test_three_clean_looks_after_the_horizon_prove_that_it_is_not_there(started):
    venue, journal = ScriptedVenue(LISTING), MemoryJournal()
    lost = unknown("no answer")

    async def slow(_order):
        await asyncio.sleep(2.0)
        raise lost

    venue.place = slow
    gateway = await started(venue, journal, policy=SOON)

    with pytest.raises(errors.ConnectorError) as caught:
        await gateway.submit(MINE)

    # Left by 2.0; looks at 2.25, 2.75, then each second: 12.75 is the first that counts.
    assert now() == 14.75
    error = caught.value
    assert error.message == "order mine: it never arrived"
    assert (error.outcome, error.__cause__) == (Outcome.NOT_SENT, lost)
    assert error.attempts == (
        errors.AttemptRecord(1, "ConnectionError", Outcome.UNKNOWN, 2.0, 0.0),
    )
    assert journal.rows[-1] == Row(
        "mine", Step.NOT_PLACED, CLOCK.utcnow().timestamp(), 1, reason=error.message
    )


async def test_a_look_that_begins_at_the_horizon_counts(started):
    policy = GatewayPolicy(horizon=0.75, clean_looks=1, timeout=60.0)
    gateway = await started(ScriptedVenue(LISTING, unknown()), policy=policy)

    with pytest.raises(errors.ConnectorError, match="never arrived"):
        await gateway.submit(MINE)

    assert now() == 0.75


async def test_a_refusal_that_stands_is_told_as_it_was(started, luck):
    said = refused("no money")
    venue = ScriptedVenue(BrokerClass.UNIQUE, unknown(), said)

    with pytest.raises(errors.OrderRejectedError) as caught:
        await (await started(venue, policy=SOON)).submit(MINE)

    assert caught.value is said
    assert [record.number for record in said.attempts] == [1, 2]


async def test_an_id_that_belongs_to_nobody_we_can_see_is_refused_in_the_end(started, luck):
    said = errors.ConflictError("must be unique", status_code=422)
    venue = ScriptedVenue(BrokerClass.UNIQUE, said)

    with pytest.raises(errors.ConflictError) as caught:
        await (await started(venue, policy=SOON)).submit(MINE)

    assert caught.value is said
    assert len(venue.sent()) == 1


async def test_an_answer_about_another_order_is_named(started):
    other = an_answer(an_order("OTHER"), client_order_id="foreign", id="f1")
    venue = ScriptedVenue(BrokerClass.ECHO)
    venue.say("place", lambda: other)

    with pytest.raises(errors.ConnectorError, match="never arrived") as caught:
        await (await started(venue, policy=SOON)).submit(MINE)

    cause = caught.value.__cause__
    assert isinstance(cause, errors.DecodeError)
    assert cause.message == "answer is about order f1 ('foreign'), not 'mine'"
    assert cause.connector == "venue"


async def test_an_id_of_an_order_of_another_kind_is_named(started):
    venue = ScriptedVenue()
    venue.take(an_order("OTHER", client_order_id="mine"))

    with pytest.raises(errors.ConflictError) as caught:
        await (await started(venue)).submit(MINE, intent_key="k")

    assert caught.value.message == "order v1 of another kind has the id 'mine'"
    assert caught.value.connector == "venue"


@pytest.mark.parametrize(("behind", "is_found"), [(5.0, True), (5.1, False)])
async def test_a_venues_clock_may_be_so_far_behind_and_no_further(started, behind, is_found):
    venue = ScriptedVenue(LISTING, unknown())
    at = START - timedelta(seconds=behind)
    there = an_answer(MINE, client_order_id="", submitted_at=at)
    venue.say("recent", *[lambda: [there]] * 99)
    gateway = await started(venue, policy=SOON)

    (ended,) = await asyncio.gather(gateway.submit(MINE), return_exceptions=True)

    assert (ended == there) is is_found
    assert isinstance(ended, errors.ConnectorError) is not is_found


async def test_why_it_is_not_found_is_listed(started):
    venue = ScriptedVenue(LISTING, unknown())
    venue.say("recent", unknown("no word"))
    gateway = await started(venue)
    submitting = asyncio.ensure_future(gateway.submit(MINE))
    await asyncio.sleep(0.3)
    (left,) = gateway.open
    assert left.reason == "looking for it failed: no word"
    await asyncio.sleep(0.5)
    (left,) = gateway.open
    assert left.reason == "the venue does not show it"
    assert (left.id, left.since, left.attempts) == ("mine", START.timestamp(), 1)

    submitting.cancel()
    await gateway.stop()


async def test_an_order_given_up_while_it_was_written_down_was_not_placed(started):
    class Slow(MemoryJournal):
        async def write(self, *rows):
            await super().write(*rows)
            if rows[-1].step is Step.SENT:
                await asyncio.sleep(3)

    journal = Slow()
    gateway = await started(ScriptedVenue(), journal, policy=GatewayPolicy(timeout=2))

    with pytest.raises(errors.DeadlineExceededError):
        await gateway.submit(MINE)
    await asyncio.sleep(2)

    assert [(row.step, row.reason) for row in journal.rows] == [
        (Step.INTENT, ""),
        (Step.NOT_PLACED, "no time left to send it"),
    ]


async def test_a_halt_between_two_tries_is_what_is_told(started, luck):
    gateway = await started(ScriptedVenue(BrokerClass.UNIQUE, not_sent()))
    submitting = asyncio.ensure_future(gateway.submit(MINE))
    await asyncio.sleep(0.1)
    await gateway.halt("drawdown")

    with pytest.raises(errors.TradingHaltedError) as caught:
        await submitting

    assert caught.value.message == "trading is halted: drawdown"


async def test_every_send_is_written_down_with_its_number_and_time(started, luck):
    written = []

    class Watched(MemoryJournal):
        async def write(self, *rows):
            written.extend(rows)
            await super().write(*rows)

    at = START.timestamp()
    gateway = await started(ScriptedVenue(BrokerClass.UNIQUE, not_sent()), Watched())
    await asyncio.sleep(1.0)

    order = await gateway.submit(MINE, intent_key="k")

    assert [(row.step, row.at - at, row.attempt) for row in written] == [
        (Step.INTENT, 1.0, 0),
        (Step.SENT, 1.0, 1),
        (Step.SENT, 1.25, 2),
        (Step.ACKED, 1.25, 2),
    ]
    intent = written[0].intent
    assert (intent.at - at, intent.until - at, intent.intent_key) == (1.0, 31.0, "k")
    assert written[-1].order == order


async def test_what_may_have_arrived_goes_again_at_distances_of_its_own(started, luck):
    luck["most"] = False
    venue, seen = ScriptedVenue(), []
    venue.say("place", *noting(seen, unknown(), unknown(), an_answer(MINE)))

    await (await started(venue)).submit(MINE)

    assert [at for at, _ in seen] == [0.0, 0.125, 0.375]


async def test_an_order_of_yesterday_is_that_of_its_key_also_without_a_journal(started):
    venue = ScriptedVenue()
    first = await (await started(venue)).submit(an_order(), intent_key="k")
    await asyncio.sleep(86_400)

    again = await (await started(venue)).submit(an_order(), intent_key="k")

    assert again == first
    assert len(venue.orders) == 1


async def test_a_later_try_that_never_left_is_no_refusal(started, luck):
    venue = ScriptedVenue(BrokerClass.UNIQUE, unknown(), errors.CircuitOpenError("failing"))

    order = await (await started(venue)).submit(MINE)

    assert list(venue.orders) == [order.id]
    assert len(venue.sent()) == 3


async def test_an_order_that_a_proxy_sent_twice_is_found_at_once(started):
    venue = ScriptedVenue()

    def twice():
        venue.take(MINE)
        return venue.take(MINE)

    venue.say("place", twice)

    await (await started(venue)).submit(MINE)

    assert now() == 0.0
