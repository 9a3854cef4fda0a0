"""Who passes a limiter at once, who waits, and for how long."""

import asyncio

import pytest

from sentio_async import errors
from sentio_async.resilience import Limiter, Limiters, Priority, Window, rate_limit

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

ORDERS, ACCOUNT, QUOTES, HISTORY = Priority


def now():
    return asyncio.get_running_loop().time()


def by_hand(clock, *windows, **more):
    """A limiter whose time stands still, without padding."""
    made = [Window(*each) for each in windows or [(2, 10.0)]]
    return Limiter(made, clock=clock, **{"padding": 0.0, **more})


def passes(limiter, clock, priority=QUOTES, cost=1):
    return limiter.try_acquire(cost, priority, clock.now) is not None


async def test_slots_are_free_at_the_moment_their_window_ends(clock):
    limiter = by_hand(clock)
    assert passes(limiter, clock)
    clock.now += 4.0
    assert [passes(limiter, clock) for _ in range(2)] == [True, False]
    clock.now += 5.9
    assert not passes(limiter, clock)
    clock.now += 0.1

    assert [passes(limiter, clock) for _ in range(2)] == [True, False]


async def test_what_others_took_is_free_at_the_moment_it_ends(clock):
    limiter = by_hand(clock)
    limiter.observe(remaining=1, reset_in=3.0)
    assert [passes(limiter, clock) for _ in range(2)] == [True, False]
    clock.now += 2.9
    assert not passes(limiter, clock)
    clock.now += 0.1

    assert [passes(limiter, clock) for _ in range(2)] == [True, False]


async def test_only_orders_pass_those_who_wait_for_a_slot_that_is_not_reserved():
    limiter = Limiter([Window(2, 10.0)], reserve=1)
    await limiter.acquire(priority=QUOTES)
    waiting = [asyncio.create_task(limiter.acquire(priority=each)) for each in (ACCOUNT, QUOTES)]
    await asyncio.sleep(1.0)
    assert limiter.waiting == 2

    assert limiter.try_acquire(1, QUOTES, now()) is None
    assert limiter.try_acquire(1, ORDERS, now()) is not None
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert limiter.waiting == 0


async def test_an_order_may_need_all_slots_and_nobody_else():
    limiter = Limiter([Window(10, 10.0)], reserve=3, padding=0.0, name="alpaca")
    await limiter.acquire()

    with pytest.raises(errors.InvalidRequestError) as caught:
        await limiter.acquire(8, priority=QUOTES)
    assert caught.value.message == "alpaca: a cost of 8 can never fit into 7"
    await limiter.acquire(10, priority=ORDERS)
    assert now() == 10.0

    with pytest.raises(errors.InvalidRequestError, match="limiter: a cost of 11 can never"):
        await Limiter([Window(10, 10.0)]).acquire(11, priority=ORDERS)


async def test_after_a_429_one_call_a_gap_and_dear_ones_take_more(clock):
    limiter = by_hand(clock, (10, 10.0))
    limiter.block(5.0)
    assert not passes(limiter, clock)
    clock.now += 5.0
    assert [passes(limiter, clock, cost=2) for _ in range(2)] == [True, False]
    clock.now += 1.9
    assert not passes(limiter, clock)
    clock.now += 0.1
    assert [passes(limiter, clock) for _ in range(2)] == [True, False]
    clock.now += 3.0

    # As long again has passed: no more pacing.
    assert [passes(limiter, clock) for _ in range(2)] == [True, True]


async def test_a_long_block_is_followed_by_one_window_of_pacing_only(clock):
    limiter = by_hand(clock, (10, 10.0), (100, 60.0))
    limiter.block(300.0)
    clock.now += 300.0 + 59.0
    assert [passes(limiter, clock) for _ in range(2)] == [True, False]
    clock.now += 1.0

    assert [passes(limiter, clock) for _ in range(2)] == [True, True]


@pytest.mark.parametrize(("priority", "ready"), [(QUOTES, 10.0), (HISTORY, 20.0), (ORDERS, None)])
async def test_the_wait_is_that_for_the_slots_open_to_the_caller(priority, ready):
    limiter = Limiter([Window(3, 10.0)], reserve=2, padding=0.0, name="alpaca")
    await limiter.acquire(priority=QUOTES)
    waiting = asyncio.create_task(limiter.acquire(priority=HISTORY))
    await asyncio.sleep(1.0)

    if ready is None:
        await limiter.acquire(priority=priority, deadline=1.0)
    else:
        with pytest.raises(errors.RateLimitError) as caught:
            await limiter.acquire(priority=priority, deadline=ready - 0.5)
        assert caught.value.retry_after == pytest.approx(ready - 1.0)
        assert caught.value.scope == "alpaca"
        assert caught.value.message == (
            f"alpaca: 3 per 10 s; a wait of {ready - 1.0:.3f} s does not fit"
        )
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert now() == 1.0


async def test_a_limiter_without_a_name_or_windows_says_so():
    limiter = Limiter([])
    limiter.block(5.0)

    with pytest.raises(errors.RateLimitError) as caught:
        await limiter.acquire(deadline=1.0)

    assert caught.value.message == (
        "limiter: the vendor has asked for a pause; a wait of 5.000 s does not fit"
    )
    assert caught.value.scope is None


async def test_who_waits_is_woken_at_the_moment_the_slot_is_free():
    limiter = Limiter([Window(1, 10.0)], padding=0.0)
    await limiter.acquire()

    await limiter.acquire(deadline=10.0)

    assert now() == 10.0


async def test_a_negative_reserve_is_none(clock):
    limiter = by_hand(clock, reserve=-5)

    assert [passes(limiter, clock) for _ in range(3)] == [True, True, False]


async def test_tightened_windows_are_shown_and_know_what_was_admitted(clock):
    limiter = by_hand(clock, (5, 10.0), reserve=4)
    assert [passes(limiter, clock, ORDERS) for _ in range(3)] == [True] * 3

    limiter.tighten([Window(3, 10.0), Window(4, 60.0)])

    assert limiter.windows == (Window(3, 10.0), Window(4, 60.0))
    assert not passes(limiter, clock, ORDERS)
    clock.now += 10.0
    assert not passes(limiter, clock, QUOTES)
    assert [passes(limiter, clock, ORDERS) for _ in range(2)] == [True, False]


async def test_a_new_window_knows_what_the_longest_has_admitted(clock):
    limiter = by_hand(clock, (9, 60.0), (9, 10.0), reserve=8)
    assert [passes(limiter, clock, ORDERS) for _ in range(2)] == [True] * 2
    clock.now += 20.0
    assert passes(limiter, clock, ORDERS)

    limiter.tighten([Window(4, 120.0), Window(3, 10.0)])

    assert [passes(limiter, clock, QUOTES), passes(limiter, clock, ORDERS)] == [False, True]
    assert not passes(limiter, clock, ORDERS)
    clock.now += 100.0
    assert [passes(limiter, clock, QUOTES) for _ in range(2)] == [False, False]
    clock.now += 20.0
    assert [passes(limiter, clock, QUOTES) for _ in range(2)] == [True, False]


async def test_a_shared_limiter_has_the_clock_and_the_reserve_it_was_given(clock):
    limiter = Limiters().get(("host",), [Window(2, 10.0)], name="a", clock=clock, reserve=1)

    assert [passes(limiter, clock) for _ in range(2)] == [True, False]
    assert passes(limiter, clock, ORDERS)
    limiter.block(5.0)
    clock.now += 10.05
    assert passes(limiter, clock, ORDERS)


async def test_smaller_windows_of_others_are_kept_too():
    shared = Limiters()
    first = shared.get(("host", "key"), [Window(5, 10.0)], name="a", reserve=2)

    assert shared.get(("host", "key"), [Window(5, 10.0)]) is first
    assert shared.get(("host", "key"), [Window(4, 10.0)], name="b") is first
    assert first.windows == (Window(4, 10.0),)
    assert first.name == "a"
    assert shared.get(("host", "other"), [Window(5, 10.0)]) is not first


@pytest.mark.parametrize("permits", [1, 2])
async def test_what_is_given_back_goes_to_the_first_in_line(permits):
    limiter = Limiter([Window(2, 10.0)])
    held = [await limiter.acquire() for _ in range(2)]
    waiting = [asyncio.create_task(limiter.acquire()) for _ in range(2)]
    await asyncio.sleep(1.0)

    for permit in held[:permits]:
        limiter.give_back(permit)
    await asyncio.sleep(0)

    assert [task.done() for task in waiting] == [True, permits == 2]
    await asyncio.gather(*waiting)


async def test_a_tightened_window_keeps_one_slot_for_those_who_are_no_orders(clock):
    limiter = by_hand(clock, (5, 10.0), reserve=4)

    limiter.tighten([Window(3, 10.0)])

    assert [passes(limiter, clock, QUOTES) for _ in range(2)] == [True, False]
    assert [passes(limiter, clock, ORDERS) for _ in range(3)] == [True, True, False]


async def test_a_decorated_function_goes_in_the_order_of_its_priority():
    limiter, done = Limiter([Window(1, 10.0)], padding=0.0), []

    def a_call(name, **more):
        @rate_limit(limiter, **more)
        async def call():
            done.append((name, now()))

        return call()

    await asyncio.gather(
        a_call("first"),
        a_call("history", priority=HISTORY),
        a_call("quote"),
        a_call("order", priority=ORDERS),
    )

    assert done == [("first", 0.0), ("order", 10.0), ("quote", 20.0), ("history", 30.0)]


async def test_who_must_wait_is_told_for_what():
    limiter = Limiter([Window(10, 1.0), Window(1, 600.0)], padding=0.0)
    limiter.block(5.0)
    with pytest.raises(errors.RateLimitError, match="asked for a pause; a wait of 5"):
        await limiter.acquire(deadline=now() + 1.0)

    await limiter.acquire()
    limiter.block(5.0)
    with pytest.raises(errors.RateLimitError, match="1 per 600 s; a wait of 600"):
        await limiter.acquire(deadline=now() + 1.0)


async def test_a_call_that_waits_takes_all_that_it_costs():
    limiter = Limiter([Window(3, 10.0)], padding=0.0)

    @rate_limit(limiter, cost=2)
    async def call():
        return now()

    assert await asyncio.gather(call(), call(), call()) == [0.0, 10.0, 20.0]


async def test_slots_that_are_not_renewed_are_for_who_waits():
    limiter = Limiter([Window(3, 10.0)], padding=0.0, reserve=1)
    held = await limiter.acquire(2)
    await limiter.acquire(priority=ORDERS)
    order = asyncio.create_task(limiter.acquire(priority=ORDERS))
    await asyncio.sleep(5.0)

    assert limiter.renew(held, QUOTES, now()) is None

    assert (await order).at == 5.0


async def test_a_refusal_as_long_as_a_window_paces_by_it():
    limiter = Limiter([Window(1, 1.0), Window(5, 60.0)], padding=0.05)
    limiter.block(60.0)

    times = [(await limiter.acquire()).at for _ in range(2)]

    assert times == pytest.approx([60.0, 60.0 + 60.05 / 5])
