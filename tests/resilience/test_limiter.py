"""Never more than n in any window, the important first, and nobody pays for who left."""

import asyncio
import random
from bisect import bisect_left

import pytest

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.resilience import Limiter, Limiters, Priority, Window, rate_limit, with_deadline

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def now():
    return asyncio.get_running_loop().time()


def a_limiter(*windows, padding=0.0, **options):
    return Limiter([Window(*each) for each in windows], padding=padding, **options)


def most_in_any(times, seconds):
    """The largest cost admitted in any half-open window of this length."""
    at = [moment for moment, _ in times]
    worst = 0
    for index, (moment, _) in enumerate(times):
        end = bisect_left(at, moment + seconds - 1e-6)
        worst = max(worst, sum(cost for _, cost in times[index:end]))
    return worst


async def finish(*tasks):
    return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(
    "seeds", [range(300), pytest.param(range(300, 1_500), marks=pytest.mark.slow)]
)
async def test_no_schedule_gets_more_than_the_limit_into_any_window(seeds):
    for seed in seeds:
        luck = random.Random(seed)
        windows = [
            (luck.randint(2, 6), luck.choice([0.5, 1.0, 3.0])) for _ in range(luck.randint(1, 3))
        ]
        smallest = min(limit for limit, _ in windows)
        reserve = luck.randint(0, 1)
        limiter = a_limiter(*windows, reserve=reserve, ageing=luck.choice([0.5, 30.0]))
        admitted = []

        async def call(limiter=limiter, luck=luck, admitted=admitted, top=smallest - reserve):
            cost = luck.randint(1, max(1, top)) if luck.random() < 0.3 else 1
            deadline = now() + luck.uniform(0.0, 6.0) if luck.random() < 0.3 else None
            priority = luck.choice(list(Priority))
            permit = await limiter.acquire(cost, priority=priority, deadline=deadline)
            if luck.random() < 0.1:
                limiter.give_back(permit)
            else:
                admitted.append((permit.at, cost))

        tasks = []
        for _ in range(luck.randint(8, 25)):
            tasks.append(asyncio.create_task(call()))
            if luck.random() < 0.4:
                await asyncio.sleep(luck.choice([0.0, 0.1, 0.37]))
            if luck.random() < 0.3:
                luck.choice(tasks).cancel()
        await finish(*tasks)

        admitted.sort()
        for limit, seconds in windows:
            assert most_in_any(admitted, seconds) <= limit, seed
        assert limiter.waiting == 0, seed
        assert limiter._timer is None, seed


async def test_a_full_burst_passes_at_once_and_the_next_after_the_window():
    limiter = a_limiter((10, 1.0), padding=0.05)

    await finish(*(limiter.acquire() for _ in range(10)))
    assert now() == 0.0
    await limiter.acquire()

    assert now() == pytest.approx(1.05, abs=0.002)


async def test_several_windows_are_taken_together_or_not_at_all():
    limiter = a_limiter((2, 1.0), (3, 10.0))

    times = [(await limiter.acquire()).at for _ in range(4)]

    assert times == pytest.approx([0.0, 0.0, 1.0, 10.0], abs=0.01)


async def test_orders_pass_five_hundred_queued_quotes():
    limiter = a_limiter((10, 1.0), reserve=2)
    quotes = [asyncio.create_task(limiter.acquire()) for _ in range(500)]
    await asyncio.sleep(0.5)
    assert limiter.waiting == 492

    before = now()
    await limiter.acquire(priority=Priority.ORDERS)
    assert now() == before

    for task in quotes:
        task.cancel()
    await finish(*quotes)
    assert limiter.waiting == 0


async def test_those_who_wait_go_in_the_order_of_priority_then_of_coming():
    limiter = a_limiter((1, 1.0))
    await limiter.acquire()
    order = []

    async def call(name, priority):
        await limiter.acquire(priority=priority)
        order.append(name)

    await finish(
        call("history", Priority.HISTORY),
        call("quote 1", Priority.QUOTES),
        call("quote 2", Priority.QUOTES),
        call("account", Priority.ACCOUNT),
        call("order", Priority.ORDERS),
    )

    assert order == ["order", "account", "quote 1", "quote 2", "history"]


async def test_a_small_call_does_not_slip_past_a_large_one_of_the_same_priority():
    limiter = a_limiter((4, 1.0))
    await limiter.acquire(2)
    large = asyncio.create_task(limiter.acquire(3))
    await asyncio.sleep(0.1)
    small = asyncio.create_task(limiter.acquire(1))
    await finish(large, small)

    assert large.result().at == pytest.approx(1.0, abs=0.002)
    assert small.result().at == pytest.approx(1.0, abs=0.002)


async def test_history_is_not_starved_by_a_stream_of_quotes():
    limiter = a_limiter((1, 1.0), ageing=5.0)
    await limiter.acquire()
    history = asyncio.create_task(limiter.acquire(priority=Priority.HISTORY))
    quotes = []
    while not history.done():
        quotes.append(asyncio.create_task(limiter.acquire()))
        await asyncio.sleep(0.5)

    assert history.result().at == pytest.approx(5.0, abs=1.01)
    for task in quotes:
        task.cancel()
    await finish(*quotes)


async def test_thirty_cancelled_waiters_cost_the_next_call_nothing():
    limiter = a_limiter((1, 1.0))
    await limiter.acquire()
    waiters = [asyncio.create_task(limiter.acquire()) for _ in range(30)]
    await asyncio.sleep(0.1)
    for task in waiters:
        task.cancel()
    await finish(*waiters)

    await limiter.acquire()

    assert now() == pytest.approx(1.0, abs=0.002)


async def test_cancelled_between_being_admitted_and_hearing_of_it():
    limiter = a_limiter((1, 1.0))
    first = await limiter.acquire()
    waiter = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0.1)
    limiter.give_back(first)
    waiter.cancel()
    await finish(waiter)
    assert waiter.cancelled()

    await limiter.acquire()
    assert now() == pytest.approx(0.1)


async def test_cancelled_while_at_the_head_when_a_slot_becomes_free():
    limiter = a_limiter((1, 1.0))
    first = await limiter.acquire()
    head, second = (asyncio.create_task(limiter.acquire()) for _ in range(2))
    await asyncio.sleep(0.1)
    head.cancel()
    limiter.give_back(first)
    await finish(head)

    assert (await second).at == pytest.approx(0.1)
    assert limiter.waiting == 0


async def test_a_wait_that_cannot_fit_is_refused_at_once():
    limiter = a_limiter((2, 10.0), name="orders")
    await finish(limiter.acquire(), limiter.acquire())

    with pytest.raises(errors.RateLimitError, match="orders: 2 per 10 s") as caught:
        await limiter.acquire(deadline=now() + 5.0)

    assert now() == 0.0
    assert caught.value.retry_after == pytest.approx(10.0)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert caught.value.scope == "orders"
    assert caught.value.status_code is None


async def test_the_wait_of_those_ahead_is_counted():
    limiter = a_limiter((2, 1.0))
    waiters = [asyncio.create_task(limiter.acquire()) for _ in range(8)]
    await asyncio.sleep(0)

    with pytest.raises(errors.RateLimitError) as caught:
        await limiter.acquire(deadline=now() + 3.5)

    assert caught.value.retry_after == pytest.approx(4.0)
    await limiter.acquire(deadline=now() + 4.5)
    assert now() == pytest.approx(4.0, abs=0.02)
    await finish(*waiters)


async def test_a_waiter_overtaken_by_orders_is_told_at_its_deadline():
    limiter = a_limiter((1, 1.0))
    await limiter.acquire()
    quote = asyncio.create_task(limiter.acquire(deadline=now() + 1.5))
    await asyncio.sleep(0.5)
    order = asyncio.create_task(limiter.acquire(priority=Priority.ORDERS))

    with pytest.raises(errors.RateLimitError) as caught:
        await quote

    assert now() == pytest.approx(1.5, abs=0.002)
    assert caught.value.retry_after == pytest.approx(0.5, abs=0.002)
    await order


async def test_a_slot_that_comes_with_the_deadline_is_taken_once():
    limiter = a_limiter((1, 1.0))
    first = await limiter.acquire()
    waiter = asyncio.create_task(limiter.acquire(deadline=2.0))
    await asyncio.sleep(0.5)
    (queued,) = limiter._queues[Priority.QUOTES]
    limiter.give_back(first)
    limiter._expire(queued)

    assert (await waiter).at == pytest.approx(0.5)
    assert limiter.waiting == 0


async def test_cancelled_in_the_moment_of_its_deadline():
    limiter = a_limiter((1, 1.0))
    await limiter.acquire()
    waiter = asyncio.create_task(limiter.acquire(deadline=2.0))
    await asyncio.sleep(0.5)
    (queued,) = limiter._queues[Priority.QUOTES]
    limiter._expire(queued)
    waiter.cancel()
    await finish(waiter)

    assert waiter.cancelled()
    assert limiter.waiting == 0


async def test_what_was_not_sent_gives_its_slot_back_once():
    limiter = a_limiter((2, 10.0), (5, 60.0))
    first = await limiter.acquire()
    await limiter.acquire()

    limiter.give_back(first)
    limiter.give_back(first)
    await limiter.acquire()

    assert now() == 0.0
    with pytest.raises(errors.RateLimitError):
        await limiter.acquire(deadline=1.0)


async def test_giving_back_late_touches_only_windows_that_still_count_it():
    limiter = a_limiter((1, 1.0), (2, 60.0))
    first = await limiter.acquire()
    await asyncio.sleep(2.0)
    await limiter.acquire()

    limiter.give_back(first)

    with pytest.raises(errors.RateLimitError) as caught:
        await limiter.acquire(deadline=now() + 0.5)
    assert caught.value.retry_after == pytest.approx(1.0)
    await asyncio.sleep(1.0)
    assert (await limiter.acquire()).at == pytest.approx(3.0)


async def test_a_cost_that_never_fits_is_a_mistake_of_the_caller():
    limiter = a_limiter((5, 1.0), reserve=2)

    with pytest.raises(errors.InvalidRequestError, match="a cost of 4 can never fit into 3"):
        await limiter.acquire(4)

    await limiter.acquire(4, priority=Priority.ORDERS)


@pytest.mark.parametrize(("limit", "seconds"), [(0, 1.0), (1, 0.0), (1, float("inf"))])
async def test_a_window_that_admits_nothing_is_refused(limit, seconds):
    with pytest.raises(errors.ConfigurationError):
        Window(limit, seconds)


async def test_a_429_holds_everyone_back_then_releases_one_by_one():
    limiter = a_limiter((10, 1.0))
    limiter.block(2.0)

    times = [(await limiter.acquire(priority=Priority.ORDERS)).at for _ in range(5)]

    assert times == pytest.approx([2.0, 2.1, 2.2, 2.3, 2.4], abs=0.02)


@pytest.mark.parametrize("seconds", [86_401.0, 1e9, 251_606_443_918.0])
async def test_no_block_is_longer_than_a_day(seconds):
    limiter = a_limiter((5, 60.0))
    limiter.block(seconds)

    with pytest.raises(errors.RateLimitError) as caught:
        await limiter.acquire(deadline=30.0)
    assert caught.value.retry_after == 86_400.0
    assert (await limiter.acquire()).at == 86_400.0


@pytest.mark.parametrize(("seconds", "gap"), [(1.0, 12.0), (60.0, 12.0), (86_400.0, 3456.0)])
async def test_a_minutes_refusal_does_not_pace_by_the_days_quota(seconds, gap):
    limiter = a_limiter((25, 86_400.0), (5, 60.0))
    limiter.block(seconds)

    times = [(await limiter.acquire()).at for _ in range(2)]

    assert times == pytest.approx([seconds, seconds + gap])


async def test_what_headers_tell_is_not_of_the_days_quota():
    limiter = a_limiter((200, 60.0), (5_000, 86_400.0))
    limiter.observe(limit=100, remaining=99, reset_in=60.0)

    windows = {log.configured: log.limit for log in limiter._logs}

    assert windows == {200: 100, 5_000: 5_000}


async def test_a_day_alone_is_what_headers_tell_of():
    limiter = a_limiter((5_000, 86_400.0))
    limiter.observe(limit=100, remaining=99, reset_in=60.0)

    assert [log.limit for log in limiter._logs] == [100]


async def test_a_block_tells_at_once_those_who_cannot_wait_for_it():
    limiter = a_limiter((1, 1.0))
    await limiter.acquire()
    patient = asyncio.create_task(limiter.acquire())
    hurried = asyncio.create_task(limiter.acquire(deadline=now() + 2.0))
    impatient = asyncio.create_task(limiter.acquire(deadline=now() + 9.0))
    await asyncio.sleep(0.5)

    limiter.block(5.0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert hurried.done() and not impatient.done()
    with pytest.raises(errors.RateLimitError):
        await hurried
    await finish(patient, impatient)
    assert patient.result().at == pytest.approx(5.5, abs=0.01)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
async def test_a_block_of_no_sensible_length_is_ignored(seconds):
    limiter = a_limiter((1, 1.0))

    limiter.block(seconds)

    await limiter.acquire()
    assert now() == 0.0


async def test_a_shorter_block_does_not_end_a_longer_one():
    limiter = a_limiter()
    limiter.block(5.0)
    limiter.block(1.0)

    await limiter.acquire()

    assert now() == pytest.approx(5.0, abs=0.01)


async def test_without_windows_everything_passes():
    limiter = a_limiter()

    for _ in range(1_000):
        await limiter.acquire()
    limiter.observe(limit=1, remaining=0, reset_in=1.0)

    assert now() == 0.0


async def test_headers_tighten_and_never_loosen():
    limiter = a_limiter((10, 60.0))
    limiter.observe(limit=200, remaining=150, reset_in=30.0)
    for _ in range(10):
        await limiter.acquire()
    with pytest.raises(errors.RateLimitError):
        await limiter.acquire(deadline=59.0)

    limiter.observe(limit=200, remaining=200, reset_in=0.0)
    with pytest.raises(errors.RateLimitError):
        await limiter.acquire(deadline=59.0)


async def test_a_smaller_limit_told_in_headers_counts():
    limiter = a_limiter((10, 60.0))
    limiter.observe(limit=3)
    for _ in range(3):
        await limiter.acquire()

    with pytest.raises(errors.RateLimitError, match="3 per 60 s"):
        await limiter.acquire(deadline=30.0)


async def test_a_call_dearer_than_the_told_limit_waits_for_an_empty_window():
    limiter = a_limiter((10, 60.0))
    await limiter.acquire()
    limiter.observe(limit=3)

    permit = await limiter.acquire(5)

    assert permit.at == pytest.approx(60.0, abs=0.01)


async def test_what_other_processes_took_counts_until_the_reset():
    limiter = a_limiter((10, 60.0))
    await limiter.acquire()
    limiter.observe(remaining=4, reset_in=20.0)
    for _ in range(4):
        await limiter.acquire()
    with pytest.raises(errors.RateLimitError) as caught:
        await limiter.acquire(deadline=10.0)
    assert caught.value.retry_after == pytest.approx(20.0)

    times = [(await limiter.acquire()).at for _ in range(5)]

    assert times == pytest.approx([20.0] * 5, abs=0.01)
    assert (await limiter.acquire()).at == pytest.approx(60.0, abs=0.01)


async def test_what_is_told_is_about_the_longest_window():
    limiter = a_limiter((4, 1.0), (10, 60.0))
    limiter.observe(remaining=4, reset_in=30.0)

    times = [(await limiter.acquire()).at for _ in range(5)]

    assert times == pytest.approx([0.0, 0.0, 0.0, 0.0, 30.0], abs=0.01)


async def test_no_quota_left_blocks_also_when_all_of_it_was_ours():
    limiter = a_limiter((2, 60.0))
    first = await limiter.acquire()
    await limiter.acquire()
    limiter.observe(remaining=0, reset_in=20.0)
    limiter.give_back(first)

    assert (await limiter.acquire()).at == pytest.approx(20.0, abs=0.01)


async def test_the_reset_is_worked_out_only_for_news():
    asked = []

    def reset():
        asked.append(now())
        return 20.0

    limiter = a_limiter((10, 60.0))
    await limiter.acquire()
    limiter.observe(remaining=9, reset_in=reset)
    assert asked == []
    limiter.observe(remaining=0, reset_in=reset)

    assert (await limiter.acquire()).at == pytest.approx(20.0, abs=0.01)
    assert asked == [0.0]


async def test_no_quota_left_blocks_until_the_reset_but_never_longer_than_the_window():
    limiter = a_limiter((10, 60.0))
    limiter.observe(remaining=0, reset_in=1e9)

    assert (await limiter.acquire(priority=Priority.ORDERS)).at == pytest.approx(60.0, abs=0.01)


@pytest.mark.parametrize(
    "told",
    [
        {"limit": 0},
        {"limit": -5, "remaining": -1, "reset_in": 5.0},
        {"remaining": 5, "reset_in": float("nan")},
        {"remaining": 10, "reset_in": -3.0},
    ],
)
async def test_senseless_headers_block_nobody(told):
    limiter = a_limiter((5, 60.0))

    limiter.observe(**told)

    for _ in range(5):
        await limiter.acquire()
    assert now() == 0.0


async def test_the_wait_is_known_also_when_the_claim_ends_between_own_entries():
    limiter = a_limiter((4, 10.0))
    await limiter.acquire()
    await asyncio.sleep(1.0)
    await limiter.acquire()
    limiter.observe(remaining=1, reset_in=9.5)
    await limiter.acquire()

    for wanted, expected in ((1, 9.0), (2, 9.5), (3, 10.0), (4, 10.0)):
        with pytest.raises(errors.RateLimitError) as caught:
            await limiter.acquire(wanted, deadline=now())
        assert caught.value.retry_after == pytest.approx(expected), wanted


async def test_the_claim_alone_can_be_waited_for():
    limiter = a_limiter((4, 10.0))
    limiter.observe(remaining=0)

    with pytest.raises(errors.RateLimitError) as caught:
        await limiter.acquire(4, deadline=1.0)

    assert caught.value.retry_after == pytest.approx(10.0)


async def test_one_limiter_per_key_and_the_smaller_window_wins():
    limiters = Limiters()
    key = ("host", "digest", "default")

    first = limiters.get(key, [Window(10, 60.0)], name="alpaca")
    await first.acquire()
    second = limiters.get(key, [Window(5, 60.0), Window(2, 1.0)], name="alpaca", reserve=1)

    assert second is first
    assert first.windows == (Window(5, 60.0), Window(2, 1.0))
    assert limiters.get(key, first.windows) is first
    assert limiters.get(("host", "other", "default"), [Window(1, 1.0)]) is not first
    await first.acquire()
    with pytest.raises(errors.RateLimitError):
        await first.acquire(deadline=0.5)


async def test_an_unlimited_limiter_can_be_given_a_window():
    limiter = a_limiter()
    limiter.tighten([Window(1, 1.0)])
    await limiter.acquire()

    with pytest.raises(errors.RateLimitError):
        await limiter.acquire(deadline=0.5)


async def test_the_decorator_limits_and_keeps_name_and_arguments():
    @rate_limit(2, 1.0)
    async def fetch(symbol: str, *, times: int = 1) -> str:
        """Get it."""
        return symbol * times

    assert fetch.__name__ == "fetch" and fetch.__doc__ == "Get it."
    assert [await fetch("a", times=2) for _ in range(2)] == ["aa", "aa"]
    assert now() == 0.0
    await fetch("b")
    assert now() == pytest.approx(1.05, abs=0.002)
    with with_deadline(0.1), pytest.raises(errors.RateLimitError) as caught:
        await asyncio.gather(fetch("c"), fetch("d"))
    assert caught.value.scope == fetch.__qualname__
    assert caught.value.message.startswith(f"{fetch.__qualname__}: 2 per 1 s; a wait of ")


async def test_the_decorator_gives_back_what_was_not_sent_and_obeys_a_429():
    limiter = a_limiter((1, 60.0))
    raised = [
        errors.ConnectionError("refused", outcome=Outcome.NOT_SENT),
        errors.RateLimitError("slow down", status_code=429, retry_after=90.0),
        errors.RateLimitError("slow down", status_code=429),
        errors.ServerError("oops", status_code=500),
    ]
    times = []

    @rate_limit(limiter)
    async def fetch():
        times.append(now())
        raise raised[len(times) - 1]

    for _ in range(4):
        with pytest.raises(errors.ConnectorError):
            await fetch()

    assert times == pytest.approx([0.0, 0.0, 90.0, 150.0], abs=0.05)
