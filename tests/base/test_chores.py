"""What a connector does while it is connected: it begins, fails, is told of, and ends with it."""

import asyncio
import gc

import httpx
import pytest

from eager import eager_tasks
from sentio_async import errors
from sentio_async.base import BaseConnector, NotificationConnector
from sentio_async.clock import SystemClock
from sentio_async.http.client import Resources


class Turns(SystemClock):
    """Whoever sleeps is woken by ``pass_time``."""

    def __init__(self):
        self.sleepers = []

    async def sleep(self, seconds):
        woken = asyncio.get_running_loop().create_future()
        self.sleepers.append((seconds, woken))
        await woken

    async def pass_time(self):
        await asyncio.sleep(0)
        sleepers, self.sleepers = self.sleepers, []
        for _, woken in sleepers:
            if not woken.done():
                woken.set_result(None)
        for _ in range(5):
            await asyncio.sleep(0)


class Keeper(NotificationConnector):
    vendor = "keeper"
    failure = None

    def _set_up(self):
        self.done = []
        self._repeat(60.0, self._tickle)
        self._repeat(5.0, self._other)

    async def _check(self):
        return None

    async def _tickle(self):
        self.done.append("tickle")
        if self.failure is not None:
            raise self.failure

    async def _other(self):
        self.done.append("other")


@pytest.fixture
async def clock():
    return Turns()


async def test_chores_are_done_while_connected_and_no_longer(clock):
    keeper = Keeper(clock=clock)
    await clock.pass_time()
    assert keeper.done == []

    async with keeper:
        await asyncio.sleep(0)
        assert sorted(seconds for seconds, _ in clock.sleepers) == [5.0, 60.0]
        await clock.pass_time()
        await clock.pass_time()
        assert sorted(keeper.done) == ["other", "other", "tickle", "tickle"]
    await clock.pass_time()

    assert len(keeper.done) == 4
    assert len(asyncio.all_tasks()) == 1


async def test_connecting_twice_begins_once_and_connecting_again_begins_again(clock):
    keeper = Keeper(clock=clock)
    for _ in range(2):
        await keeper.connect()
        await keeper.connect()
        await clock.pass_time()
        await keeper.disconnect()

    assert keeper.done.count("tickle") == 2


async def test_chores_that_somebody_has_cancelled_begin_again_with_the_next_connect(clock):
    async with Keeper(clock=clock) as keeper:
        await clock.pass_time()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)
        await keeper.connect()
        await clock.pass_time()
        done = list(keeper.done)

    assert sorted(done) == ["other", "other", "tickle", "tickle"]
    assert len(asyncio.all_tasks()) == 1


async def test_chores_begin_as_well_where_tasks_are_eager(clock):
    with eager_tasks():
        async with Keeper(clock=clock) as keeper:
            await clock.pass_time()
            await clock.pass_time()

    assert keeper.done.count("tickle") == 2


async def test_a_connect_that_fails_begins_nothing(clock):
    class Refused(Keeper):
        async def _check(self):
            raise errors.AuthenticationError("no")

    with pytest.raises(errors.AuthenticationError):
        await Refused(clock=clock).connect()

    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (errors.AuthenticationError("the session has ended"), "AuthenticationError: the session"),
        (KeyError("session"), "KeyError, see the log"),
        (asyncio.CancelledError(), "CancelledError: what it waited for was cancelled"),
    ],
)
async def test_a_chore_that_fails_goes_on_and_is_told_until_it_goes_well(
    clock, failure, reason, caplog
):
    async with Keeper({"name": "keeper"}, clock=clock) as keeper:
        keeper.failure = failure
        await clock.pass_time()
        degraded = await keeper.health_check()
        keeper.failure = None
        await clock.pass_time()
        healthy = await keeper.health_check()

    assert degraded.status == "degraded"
    assert degraded.reason.startswith(reason)
    assert healthy.status == "healthy"
    assert keeper.done.count("tickle") == 2
    assert ("keeper: a chore failed" in caplog.text) is isinstance(failure, KeyError)


async def test_one_that_disconnects_its_own_connector_does_so_to_the_end(clock):
    class Leaver(Keeper):
        closed = False

        async def _tickle(self):
            self.done.append("tickle")
            await self.disconnect()

        async def _close(self):
            await asyncio.sleep(0)
            self.closed = True

    leaver = Leaver(clock=clock)
    await leaver.connect()
    await clock.pass_time()
    await clock.pass_time()

    assert leaver.closed
    assert leaver.done.count("tickle") == 1
    assert leaver._resources._users == 0
    assert len(asyncio.all_tasks()) == 1


async def test_one_that_will_not_end_keeps_nobody_from_leaving(clock, monkeypatch):
    monkeypatch.setattr("sentio_async.base.connector.END_WITHIN", 0.01)
    free = asyncio.Event()

    class Stubborn(Keeper):
        async def _tickle(self):
            while not free.is_set():
                try:
                    await free.wait()
                except asyncio.CancelledError:
                    self.done.append("told to end")

    stubborn = Stubborn(clock=clock)
    await stubborn.connect()
    await clock.pass_time()
    async with asyncio.timeout(5.0):
        await stubborn.disconnect()

    assert "told to end" in stubborn.done
    assert stubborn._resources._users == 0
    free.set()
    await asyncio.sleep(0)


def test_chores_that_have_ended_with_their_loop_begin_again_in_the_next():
    keeper = Keeper(clock=(clock := Turns()))

    async def connect():
        await keeper.connect()
        await keeper.connect()
        await clock.pass_time()

    asyncio.run(connect())
    clock.sleepers.clear()
    asyncio.run(connect())
    asyncio.run(keeper.disconnect())

    assert keeper.done.count("tickle") == 2
    assert not keeper.is_connected


def test_a_time_that_is_none_is_refused():
    class Hasty(BaseConnector):
        vendor = "hasty"

        def _set_up(self):
            self._repeat(0.0, self.connect)

    with pytest.raises(errors.ConfigurationError, match="every: 0 s"):
        Hasty()


async def test_what_is_shared_is_made_once_for_a_hub_and_gone_with_the_last():
    made = []

    class Tokens:
        def __init__(self):
            made.append(self)

    class Sharing(Keeper):
        def _set_up(self):
            self.tokens = self._shared(("keeper tokens", "login 1"), Tokens)

    async with httpx.AsyncClient() as client:
        resources = Resources(client=client)
        one, other = Sharing(resources=resources), Sharing(resources=resources)
        apart = Sharing()
        assert one.tokens is other.tokens
        assert apart.tokens is not one.tokens
        assert len(made) == 2

        made.clear()
        del one, other, apart
        gc.collect()
        Sharing(resources=resources)
        assert len(made) == 1
