"""A slow read is asked for once more; the first answer counts, and nothing is left running."""

import asyncio

import pytest

from sentio_async import errors
from sentio_async.resilience import RetryBudget, hedge
from sentio_async.resilience.hedging import HedgePolicy, wait_before

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


class Reads:
    """Takes as long as told, call after call, and then a millisecond."""

    def __init__(self, *steps, **policy):
        self.steps = list(steps)
        self.calls = 0
        self.ended = []
        policy = policy or {"after": 0.1}
        self.read = hedge(**policy)(self._read)

    async def _read(self, what="quote"):
        number = self.calls
        self.calls += 1
        step = self.steps.pop(0) if self.steps else 0.001
        try:
            seconds, error = step if isinstance(step, tuple) else (step, None)
            await asyncio.sleep(seconds)
            if error is not None:
                raise error
            self.ended.append((number, "answered"))
            return f"{what} {number}"
        except asyncio.CancelledError:
            await asyncio.sleep(0.002)
            self.ended.append((number, "cancelled"))
            raise


def now():
    return asyncio.get_running_loop().time()


def only_this_task():
    return asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_quick_answer_is_asked_for_once():
    reads = Reads(0.05)

    assert await reads.read("trade") == "trade 0"
    assert reads.calls == 1


async def test_a_slow_one_is_asked_for_again_and_the_first_answer_counts():
    reads = Reads(5.0, 0.02)

    assert await reads.read() == "quote 1"
    assert now() == pytest.approx(0.12, abs=0.01)
    assert reads.ended == [(1, "answered"), (0, "cancelled")]
    assert only_this_task()


async def test_the_first_may_still_be_first():
    reads = Reads(0.15, 1.0)

    assert await reads.read() == "quote 0"
    assert reads.ended == [(0, "answered"), (1, "cancelled")]


async def test_there_is_never_a_third():
    reads = Reads(3.0, 3.0, 0.001)

    await reads.read()

    assert reads.calls == 2


async def test_a_failure_before_its_time_is_raised_at_once():
    reads = Reads((0.05, errors.ServerError("no")))

    with pytest.raises(errors.ServerError):
        await reads.read()
    assert reads.calls == 1


@pytest.mark.parametrize("steps", [[(0.2, ValueError("a")), 0.3], [0.5, (0.1, ValueError("b"))]])
async def test_with_one_failure_the_other_is_waited_for(steps):
    reads = Reads(*steps)

    assert (await reads.read()).startswith("quote")
    assert only_this_task()


async def test_with_two_failures_the_first_ones_error_is_raised():
    reads = Reads((0.5, ValueError("first")), (0.1, ValueError("second")))

    with pytest.raises(ValueError, match="first"):
        await reads.read()
    assert only_this_task()


@pytest.mark.parametrize("seconds", [0.05, 0.5])
async def test_cancelling_it_cancels_all_of_it(seconds):
    reads = Reads(5.0, 5.0)
    task = asyncio.create_task(reads.read())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.wait((task,))

    assert task.cancelled()
    assert {how for _, how in reads.ended} == {"cancelled"}
    assert only_this_task()


async def test_when_everything_is_slow_few_are_asked_for_twice():
    reads = Reads(*[1.0] * 500)

    await asyncio.gather(*(reads.read() for _ in range(100)))

    # A full purse pays for ten, and one a second is always possible.
    assert reads.calls == 100 + 10 + 1


async def test_without_a_budget_nothing_is_asked_for_twice():
    budget = RetryBudget(0.0, floor_per_second=0.0)
    reads = Reads(1.0, 1.0, after=0.1, budget=budget)

    await reads.read()

    assert reads.calls == 1


async def test_a_percentile_goes_by_how_long_answers_took():
    reads = Reads(*[0.1] * 19, 3.0, 3.0, percentile=0.9)
    for _ in range(19):
        await reads.read()
    await reads.read()
    assert reads.calls == 20, "nothing is known of the first twenty"

    started = now()
    assert await reads.read() == "quote 21"
    assert now() - started == pytest.approx(0.1, abs=0.01)


async def test_the_wait_is_the_policys_or_told_by_answers():
    late = [0.01 * n for n in range(100)]

    assert wait_before(HedgePolicy(after=0.2), late) == 0.2
    assert wait_before(HedgePolicy(percentile=0.95), late) == pytest.approx(0.95)
    assert wait_before(HedgePolicy(percentile=0.95), late[:19]) is None


@pytest.mark.parametrize(
    "policy",
    [{}, {"after": 1, "percentile": 0.9}, {"after": -1}, {"percentile": 1.0}, {"percentile": 0.1}],
)
async def test_a_policy_that_makes_no_sense_is_refused(policy):
    with pytest.raises(errors.ConfigurationError):
        hedge(**policy)


async def test_only_coroutine_functions_are_hedged():
    with pytest.raises(TypeError, match="@hedge takes async def"):
        hedge(after=1.0)(print)
