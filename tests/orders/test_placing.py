"""An order at a broker that refuses a repeated id and finds an order by it."""

import asyncio

import pytest

from orders.venues import (
    HANGS,
    LATE,
    LOST,
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
from sentio_async.orders.happenings import OrderFound, OrderNotPlaced, OrderPlaced, OrderRejected
from sentio_async.orders.journal import MemoryJournal, Step
from sentio_async.orders.policy import GatewayPolicy
from sentio_async.resilience.deadline import with_deadline

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def steps(journal):
    return [row.step for row in journal.rows]


class Watched(MemoryJournal):
    """Remembers every row in the order of writing, and can be made to fail."""

    def __init__(self, rows=()):
        super().__init__(rows)
        self.written = []
        self.fails = 0

    async def write(self, *rows):
        if self.fails:
            self.fails -= 1
            raise OSError("disk is full")
        self.written.extend(rows)
        await super().write(*rows)


async def test_an_order_is_written_down_before_it_is_sent(started):
    venue, journal = ScriptedVenue(), Watched()
    venue.say("place", lambda: an_answer(venue.sent()[0]) if len(journal.written) == 2 else None)
    gateway = await started(venue, journal)

    order = await gateway.submit(an_order())

    assert [row.step for row in journal.written] == [Step.INTENT, Step.SENT, Step.ACKED]
    assert journal.written[0].intent.order.client_order_id == order.client_order_id
    assert journal.written[2].order == order


async def test_an_order_that_was_never_sent_goes_again_under_its_id(started):
    venue = ScriptedVenue()
    venue.say("place", not_sent(), throttled(2.0))
    gateway = await started(venue)

    order = await gateway.submit(an_order())

    assert {each.client_order_id for each in venue.sent()} == {order.client_order_id}
    assert len(venue.sent()) == 3
    assert len(venue.orders) == 1


async def test_an_order_that_is_never_sent_is_not_placed(started):
    heard = []
    venue = ScriptedVenue()
    venue.say("place", *[not_sent() for _ in range(4)])
    gateway = await started(venue, listeners=[heard.append])

    with pytest.raises(errors.ConnectionError) as caught:
        await gateway.submit(an_order())

    assert caught.value.outcome is Outcome.NOT_SENT
    assert [record.number for record in caught.value.attempts] == [1, 2, 3, 4]
    assert [type(event) for event in heard] == [OrderNotPlaced]
    assert venue.sent("find") == []


async def test_a_wait_that_does_not_fit_is_not_begun(started):
    venue = ScriptedVenue()
    venue.say("place", throttled(60.0))
    gateway = await started(venue)

    with pytest.raises(errors.RateLimitError):
        await gateway.submit(an_order())

    assert asyncio.get_running_loop().time() == 0


async def test_an_open_breaker_is_told_at_once(started):
    venue = ScriptedVenue()
    venue.say("place", errors.CircuitOpenError("failing", retry_in=5.0))
    gateway = await started(venue)

    with pytest.raises(errors.CircuitOpenError):
        await gateway.submit(an_order())

    assert gateway.open == []


async def test_a_refusal_is_final(started):
    heard = []
    venue, journal = ScriptedVenue(), MemoryJournal()
    venue.say("place", refused())
    gateway = await started(venue, journal, listeners=[heard.append])

    with pytest.raises(errors.OrderRejectedError, match="buying power"):
        await gateway.submit(an_order())

    assert len(venue.sent()) == 1
    assert steps(journal) == [Step.INTENT, Step.REJECTED]
    assert [type(event) for event in heard] == [OrderRejected]


async def test_an_order_whose_answer_was_lost_is_found(started):
    heard = []
    venue = ScriptedVenue()
    venue.say("place", LOST)
    gateway = await started(venue, listeners=[heard.append])

    order = await gateway.submit(an_order())

    assert list(venue.orders) == [order.id]
    assert len(venue.sent()) == 1
    assert isinstance(heard[0], OrderFound)
    assert not heard[0].late


async def test_an_order_that_is_not_shown_goes_again_and_is_the_only_one(started):
    heard = []
    venue = ScriptedVenue()
    venue.say("place", unknown())
    gateway = await started(venue, listeners=[heard.append])

    order = await gateway.submit(an_order())

    assert list(venue.orders) == [order.id]
    assert len(venue.sent()) == 2
    assert isinstance(heard[0], OrderPlaced)


async def test_a_repeated_id_proves_that_the_first_has_arrived(started):
    venue = ScriptedVenue()
    venue.lag = 3.0
    venue.say("place", LOST)
    gateway = await started(venue)

    order = await gateway.submit(an_order())

    assert list(venue.orders) == [order.id]
    assert len(venue.sent()) == 2


async def test_a_late_first_one_is_refused_by_the_second(started):
    venue = ScriptedVenue()
    venue.say("place", LATE)
    gateway = await started(venue)

    order = await gateway.submit(an_order())
    await asyncio.sleep(30)

    assert list(venue.orders) == [order.id]


async def test_a_refusal_after_a_lost_answer_proves_nothing(started):
    venue = ScriptedVenue()
    venue.lag = 5.0
    venue.say("place", LOST, refused("insufficient buying power: the first one holds it"))
    gateway = await started(venue)

    order = await gateway.submit(an_order())

    assert list(venue.orders) == [order.id]
    assert len(venue.sent()) == 2


async def test_a_refusal_stands_when_the_first_never_arrived(started):
    venue = ScriptedVenue()
    venue.say("place", unknown(), refused())
    gateway = await started(venue)

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.submit(an_order(), intent_key="k")

    assert await caught.value.handle.resolve() is None
    with pytest.raises(errors.OrderRejectedError):
        await gateway.submit(an_order(), intent_key="k")
    assert len(venue.sent()) == 2


async def test_nothing_of_what_is_known_already_is_lost_by_a_later_failure(started):
    venue = ScriptedVenue()
    venue.lag = 4.0
    failures = (not_sent(), errors.CircuitOpenError("failing"), throttled(0.5))
    venue.say("place", LOST, *failures)
    gateway = await started(venue)

    order = await gateway.submit(an_order())

    assert list(venue.orders) == [order.id]


async def test_a_mistake_in_the_connector_says_nothing_of_the_order(started):
    venue = ScriptedVenue()
    venue.say("place", KeyError("id"))
    gateway = await started(venue)

    order = await gateway.submit(an_order())

    assert list(venue.orders) == [order.id]


async def test_somebody_elses_answer_is_not_taken(started):
    venue = ScriptedVenue()
    foreign = an_answer(an_order("OTHER"), client_order_id="foreign", id="f1")
    venue.say("place", lambda: foreign)
    gateway = await started(venue)

    order = await gateway.submit(an_order())

    assert order.symbol == "ACME"


async def test_an_id_that_belongs_to_another_order_is_a_conflict(started):
    venue = ScriptedVenue()
    venue.take(an_order("OTHER", client_order_id="mine"))
    gateway = await started(venue)

    with pytest.raises(errors.ConflictError):
        await gateway.submit(an_order(client_order_id="mine"))
    with pytest.raises(errors.ConflictError, match="another kind"):
        await gateway.submit(an_order(client_order_id="mine"), intent_key="k")

    assert len(venue.orders) == 1


async def test_an_id_of_yesterday_is_not_taken_for_an_order_of_today(started):
    venue = ScriptedVenue()
    venue.take(an_order(client_order_id="mine"))
    await asyncio.sleep(60)
    gateway = await started(venue)

    with pytest.raises(errors.ConflictError):
        await gateway.submit(an_order(client_order_id="mine"))

    assert len(venue.orders) == 1


async def test_a_request_that_a_proxy_sent_twice_is_one_order(started):
    venue = ScriptedVenue()

    def twice():
        venue.take(venue.sent()[0])
        return venue.take(venue.sent()[0])

    venue.say("place", twice)
    gateway = await started(venue)

    order = await gateway.submit(an_order(client_order_id="mine"))

    assert list(venue.orders) == [order.id]


async def test_an_intent_of_an_earlier_life_is_found_without_a_journal(started):
    venue = ScriptedVenue()
    first = await (await started(venue)).submit(an_order(), intent_key="rebalance 7")

    again = await (await started(venue)).submit(an_order(), intent_key="rebalance 7")

    assert again == first


async def test_an_id_that_is_refused_and_never_shown_was_not_ours(started):
    venue = ScriptedVenue()
    repeated = errors.ConflictError("must be unique", status_code=422)
    venue.say("place", repeated)
    gateway = await started(venue)

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.submit(an_order(), intent_key="k")

    assert await caught.value.handle.resolve() is None
    with pytest.raises(errors.ConflictError):
        await gateway.submit(an_order(), intent_key="k")


async def test_an_order_that_is_said_to_be_there_and_never_shown_stays_open(started):
    venue = ScriptedVenue()
    venue.lag = 1e9
    venue.say("place", LOST)
    gateway = await started(venue)

    with pytest.raises(errors.OrderOutcomeUnknownError):
        await gateway.submit(an_order())
    await asyncio.sleep(600)

    assert [each.reason for each in gateway.open] == ["the venue does not show it"]


async def test_looking_goes_on_while_looking_fails(started):
    venue = ScriptedVenue()
    venue.say("place", LOST)
    venue.say("find", unknown("no answer to that either"), refused("403"))
    gateway = await started(venue)

    order = await gateway.submit(an_order())

    assert list(venue.orders) == [order.id]


async def test_a_shorter_deadline_around_the_call_is_kept(started):
    venue = ScriptedVenue()
    venue.say("place", HANGS)
    gateway = await started(venue)

    with with_deadline(2.0), pytest.raises(errors.OrderOutcomeUnknownError):
        await gateway.submit(an_order())

    assert asyncio.get_running_loop().time() == pytest.approx(2.0)


async def test_a_longer_deadline_around_the_call_changes_nothing(started):
    venue = ScriptedVenue()
    venue.say("place", HANGS)
    gateway = await started(venue, policy=GatewayPolicy(timeout=3.0))

    with with_deadline(20.0), pytest.raises(errors.OrderOutcomeUnknownError):
        await gateway.submit(an_order())

    assert asyncio.get_running_loop().time() == pytest.approx(3.0)


async def test_without_a_journal_row_nothing_is_sent(started):
    heard = []
    journal = Watched()
    venue = ScriptedVenue()
    gateway = await started(venue, journal, listeners=[heard.append])
    journal.fails = 1

    with pytest.raises(errors.ConnectorError, match="disk is full") as caught:
        await gateway.submit(an_order())

    assert caught.value.outcome is Outcome.NOT_SENT
    assert venue.sent() == []
    assert [type(event).__name__ for event in heard] == ["JournalFailed", "OrderNotPlaced"]


async def test_without_a_journal_row_nothing_is_sent_again(started):
    journal = Watched()
    venue = ScriptedVenue()
    venue.lag = 3.0

    def lose():
        journal.fails = 1
        venue.take(venue.sent()[0])
        raise unknown()

    venue.say("place", lose)
    gateway = await started(venue, journal)

    order = await gateway.submit(an_order())

    assert list(venue.orders) == [order.id]


async def test_an_order_whose_answer_cannot_be_written_is_told_and_nothing_new_begins(started):
    journal = Watched()
    venue = ScriptedVenue()

    def answer():
        journal.fails = 1
        return venue.take(venue.sent()[0])

    venue.say("place", answer)
    gateway = await started(venue, journal)

    order = await gateway.submit(an_order())

    assert list(venue.orders) == [order.id]
    with pytest.raises(errors.TradingHaltedError, match="journal"):
        await gateway.submit(an_order())


async def test_an_order_that_is_final_at_once_is_only_told(started):
    venue = ScriptedVenue()
    venue.say("place", lambda: venue.take(venue.sent()[0], status="filled", filled_qty="10"))
    gateway = await started(venue)

    assert (await gateway.submit(an_order())).is_final
