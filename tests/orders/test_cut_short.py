"""What is cut short half way: the task that carries an order, and a gateway's end."""

import asyncio
import random

import pytest

from orders.venues import (
    HANGS,
    LATE,
    LOST,
    ScriptedVenue,
    a_gateway,
    an_order,
    not_sent,
    refused,
    throttled,
    unknown,
)
from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.models.trading import OrderChange
from sentio_async.orders.journal import MemoryJournal, Step
from sentio_async.orders.policy import GatewayPolicy
from sentio_async.orders.venue import BrokerClass

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


class SlowVerdicts(MemoryJournal):
    """Takes a second to write down how an order has ended."""

    closed = False

    def __init__(self):
        super().__init__()
        self.begun = asyncio.Event()

    async def write(self, *rows):
        if rows[-1].step.is_final:
            self.begun.set()
            await asyncio.sleep(1)
        await super().write(*rows)

    async def close(self):
        self.closed = True


class ClosedJournal(MemoryJournal):
    """Takes nothing after it was closed, and counts what it was given."""

    is_closed = False
    late = 0

    async def write(self, *rows):
        self.late += self.is_closed
        await super().write(*rows)

    async def close(self):
        self.is_closed = True


def cancel_all_tasks_of(gateway):
    for task in tuple(gateway._desk.tasks):
        task.cancel()


@pytest.mark.parametrize("broker_class", BrokerClass)
async def test_an_order_whose_task_is_cancelled_is_not_said_to_be_unsent(started, broker_class):
    venue = ScriptedVenue(broker_class)
    gateway = await started(venue)

    async def place(order):
        venue.take(order)
        await asyncio.Event().wait()

    venue.place = place
    submitting = asyncio.ensure_future(gateway.submit(an_order(), intent_key="k"))
    await asyncio.sleep(1)
    cancel_all_tasks_of(gateway)

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await submitting
    assert (await caught.value.handle.resolve(timeout=5)).id == "v1"
    assert (await gateway.submit(an_order(), intent_key="k")).id == "v1"
    assert len(venue.orders) == 1


async def test_who_asks_for_an_order_whose_task_was_cancelled_has_it_looked_for(started):
    venue = ScriptedVenue(BrokerClass.UNIQUE, LOST)
    venue.say("find", HANGS)
    venue.lag = 60.0
    gateway = await started(venue)
    submitting = asyncio.ensure_future(gateway.submit(an_order()))
    await asyncio.sleep(1)
    cancel_all_tasks_of(gateway)
    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await submitting

    assert (await caught.value.handle.resolve()).id == "v1"
    assert len(venue.sent()) == 1


async def test_an_order_that_was_not_sent_when_its_task_was_cancelled_was_not(started):
    class Slow(MemoryJournal):
        async def write(self, *rows):
            await asyncio.sleep(1)

    venue = ScriptedVenue()
    gateway = await started(venue, Slow(), policy=GatewayPolicy(timeout=2))
    submitting = asyncio.ensure_future(gateway.submit(an_order()))
    await asyncio.sleep(0.5)
    cancel_all_tasks_of(gateway)

    with pytest.raises(errors.DeadlineExceededError) as caught:
        await submitting
    assert caught.value.outcome is Outcome.NOT_SENT
    assert venue.sent() == []


async def test_a_verdict_that_is_being_written_when_its_task_is_cancelled_is_told(started):
    gateway = await started(ScriptedVenue(), SlowVerdicts())
    placing = asyncio.ensure_future(gateway.submit(an_order()))
    gateway._desk.venue.say("place", refused())
    await asyncio.sleep(0.5)
    cancel_all_tasks_of(gateway)
    with pytest.raises(errors.OrderRejectedError, match="buying power"):
        await asyncio.wait_for(placing, 100)

    placing = asyncio.ensure_future(gateway.submit(an_order()))
    await asyncio.sleep(0.5)
    cancel_all_tasks_of(gateway)
    assert (await asyncio.wait_for(placing, 100)).id == "v1"


async def test_a_stop_waits_for_a_verdict_that_is_being_written():
    journal = SlowVerdicts()
    gateway = a_gateway(ScriptedVenue(), journal)
    await gateway.start()
    submitting = asyncio.ensure_future(gateway.submit(an_order()))
    await asyncio.sleep(0.5)

    await gateway.stop()

    assert (await asyncio.wait_for(submitting, 100)).id == "v1"
    assert journal.rows[-1].step is Step.ACKED
    assert asyncio.get_running_loop().time() == 1


async def test_who_holds_a_handle_is_told_of_a_verdict_that_a_stop_cuts_short():
    venue = ScriptedVenue(BrokerClass.UNIQUE, LOST)
    venue.lag = 3.0
    journal = SlowVerdicts()
    gateway = a_gateway(venue, journal, policy=GatewayPolicy(timeout=2))
    await gateway.start()
    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.submit(an_order())
    resolving = asyncio.ensure_future(caught.value.handle.resolve())
    await journal.begun.wait()

    await gateway.stop()

    assert (await asyncio.wait_for(resolving, 100)).id == "v1"


@pytest.mark.parametrize("after", [0.5, 3.0])
async def test_a_stop_that_is_cancelled_lets_everything_go(after):
    journal = SlowVerdicts()
    gateway = a_gateway(ScriptedVenue(BrokerClass.UNIQUE, HANGS), journal)
    await gateway.start()
    submitting = asyncio.ensure_future(gateway.submit(an_order()))
    await asyncio.sleep(0.1)
    stopping = asyncio.ensure_future(gateway.stop())
    await asyncio.sleep(after)

    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping

    with pytest.raises(errors.OrderOutcomeUnknownError):
        await asyncio.wait_for(submitting, 100)
    assert journal.closed
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_nobody_wants_any_more_is_not_sent_however_many_wanted_it(started):
    class Slow(MemoryJournal):
        async def write(self, *rows):
            await asyncio.sleep(1)

    venue = ScriptedVenue()
    gateway = await started(venue, Slow())
    waiting = [asyncio.ensure_future(gateway.submit(an_order(), intent_key="k")) for _ in range(3)]
    await asyncio.sleep(0.5)
    for each in waiting:
        each.cancel()
    await asyncio.sleep(5)

    assert venue.sent() == []
    assert gateway.open == []


async def test_a_long_wait_that_the_venue_asks_for_ends_with_the_time_to_send(started):
    venue = ScriptedVenue(BrokerClass.UNIQUE, LOST)
    venue.say("place", errors.RateLimitError("slow down", status_code=429, retry_after=86_400.0))
    venue.say("find", unknown(), unknown(), unknown())
    gateway = await started(venue, policy=GatewayPolicy(timeout=5))
    with pytest.raises(errors.OrderOutcomeUnknownError):
        await gateway.submit(an_order())

    await asyncio.sleep(60)

    assert gateway.open == []


async def test_nothing_is_sent_when_trading_is_halted_while_it_is_written_down(started):
    class Slow(MemoryJournal):
        async def write(self, *rows):
            await asyncio.sleep(1)
            await super().write(*rows)

    venue, journal = ScriptedVenue(), Slow()
    gateway = await started(venue, journal)
    submitting = asyncio.ensure_future(gateway.submit(an_order()))
    await asyncio.sleep(0.5)

    await gateway.halt("drawdown")

    with pytest.raises(errors.TradingHaltedError, match="drawdown"):
        await submitting
    assert venue.sent() == []
    assert journal.rows[-1].step is Step.NOT_PLACED
    with pytest.raises(errors.TradingHaltedError):
        gateway.check_turn()


async def test_the_journal_is_closed_when_nothing_runs_any_more():
    class Watched(MemoryJournal):
        async def close(self):
            self.have_ended = [each.done() for each in tasks]
            await super().close()

    journal = Watched()
    gateway = a_gateway(ScriptedVenue(BrokerClass.UNIQUE, HANGS), journal)
    await gateway.start()
    submitting = asyncio.ensure_future(gateway.submit(an_order()))
    await asyncio.sleep(0.1)
    tasks = tuple(gateway._desk.tasks)

    await gateway.stop()

    assert journal.have_ended == [True]
    with pytest.raises(errors.OrderOutcomeUnknownError):
        await submitting


@pytest.mark.parametrize("broker_class", BrokerClass)
async def test_a_handle_that_is_asked_while_the_gateway_ends_begins_nothing(broker_class):
    venue, journal = ScriptedVenue(broker_class, *[unknown()] * 9), ClosedJournal()
    venue.lag = 1000
    gateway = a_gateway(venue, journal, policy=GatewayPolicy(timeout=1, horizon=5))
    await gateway.start()
    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await gateway.submit(an_order())
    for looking in ("find", "recent"):
        venue.say(looking, HANGS, HANGS)
    resolving = asyncio.ensure_future(caught.value.handle.resolve())
    await asyncio.sleep(0.1)

    await gateway.stop()

    with pytest.raises(errors.OrderOutcomeUnknownError):
        await resolving
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert gateway.halted is None


class Moment:
    """A gateway that is stopped at some moment of a wild life."""

    def __init__(self, seed):
        self.luck = luck = random.Random(seed)
        self.venue, self.journal = ScriptedVenue(luck.choice(list(BrokerClass))), ClosedJournal()
        self.venue.late_by, self.venue.lag = luck.random() * 4, luck.random() * 2
        for call in self.venue.script:
            good = [None, None, LOST, LATE]
            bad = [unknown(), not_sent(), throttled(), refused()]
            self.venue.say(call, *luck.choices(good + bad, k=10))
        policy = GatewayPolicy(timeout=luck.choice([0.2, 1, 3]), horizon=5)
        self.gateway = a_gateway(self.venue, self.journal, policy=policy)
        self.jobs = []

    def begin(self, work):
        self.jobs.append(asyncio.ensure_future(work))

    async def live(self):
        gateway, luck = self.gateway, self.luck
        for number in range(6):
            order = an_order(qty=1 + number // 3)
            self.begin(gateway.submit(order, intent_key=str(number)))
            await asyncio.sleep(luck.random() / 2)
        for id in list(self.venue.orders):
            is_cancel = luck.random() < 0.5
            self.begin(gateway.cancel(id) if is_cancel else gateway.replace(id, CHANGE))
        await asyncio.sleep(luck.random() * 3)
        for job in [each for each in self.jobs if each.done()]:
            if isinstance(job.exception(), errors.OrderOutcomeUnknownError):
                self.begin(job.exception().handle.resolve())

    async def stop(self):
        stopping = asyncio.ensure_future(self.gateway.stop())
        await asyncio.sleep(self.luck.random() * 3)
        if self.luck.random() < 0.5:
            stopping.cancel()
        await asyncio.wait((stopping,))


CHANGE = OrderChange(qty="3")


@pytest.mark.parametrize("seed", range(100))
async def test_a_stop_at_any_moment_leaves_nothing_running_and_nobody_waiting(seed):
    moment = Moment(seed)
    await moment.gateway.start()
    await moment.live()
    await moment.stop()
    halted = moment.gateway.halted
    await asyncio.sleep(30)

    assert asyncio.all_tasks() - moment.venue.placing == {asyncio.current_task()}
    assert all(job.done() for job in moment.jobs)
    assert moment.journal.late == 0
    assert moment.gateway.halted == halted
    for job in moment.jobs:
        assert job.exception() is None or isinstance(job.exception(), errors.ConnectorError)
