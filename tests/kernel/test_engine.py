"""A trading loop carries on whatever fails, but for an order of which nobody knows."""

import asyncio
from decimal import Decimal

import pytest

from sentio_async import errors
from sentio_async.engine import TradingEngine
from sentio_async.models import Batch, Order, OrderRequest, OrderStatus, Quote

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


class Venue:
    """A broker, a data provider and a notifier of which each call can be made to fail."""

    price_of = None

    def __init__(self):
        self.fails = {}
        self.asked, self.placed, self.told = [], [], []

    def _may(self, what):
        error = self.fails.get(what)
        if error is not None:
            raise error

    async def get_quotes(self, symbols):
        self.asked.append((asyncio.get_running_loop().time(), list(symbols)))
        self._may("quotes")
        return Batch({symbol: a_quote(symbol) for symbol in symbols})

    async def submit_order(self, request):
        self._may(request.symbol)
        self.placed.append(request.symbol)
        return an_order(request)

    async def get_positions(self):
        return list(self.placed)

    async def send_trade_notification(self, notice, *, event_id=None):
        self._may("notice")
        self.told.append((notice, event_id))


def a_quote(symbol):
    return Quote(symbol, 1, "test", 99.0, 101.0, 1.0, 1.0)


def an_order(request):
    return Order(
        id=f"id-{request.symbol}",
        client_order_id=f"key-{request.symbol}",
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        status=OrderStatus.FILLED,
        venue_status="filled",
        qty=request.qty,
        filled_qty=request.qty,
        filled_avg_price=Decimal("100.5"),
        time_in_force=request.time_in_force,
    )


class Buys:
    """Wants one of each of its symbols, in every round."""

    def __init__(self, name, *symbols, takes=0.0):
        self.name, self.symbols, self.takes = name, symbols, takes

    async def decide(self, quotes, desk):
        await asyncio.sleep(self.takes)
        return [OrderRequest(symbol=symbol, side="buy", qty=1) for symbol in self.symbols]


class Once(Buys):
    """Wants what it does not hold yet, at what it costs now."""

    async def decide(self, quotes, desk):
        self.saw = quotes
        held = await desk.get_positions()
        wanted = [symbol for symbol in self.symbols if symbol not in held]
        return [OrderRequest(symbol=symbol, side="buy", qty=1) for symbol in wanted]


class Fails(Buys):
    async def decide(self, quotes, desk):
        raise ZeroDivisionError("a strategy's own mistake")


def engine_of(venue, *strategies, **more):
    return TradingEngine(
        strategies=strategies, broker=venue, data_provider=venue, notifier=venue, **more
    )


async def test_the_quotes_of_all_strategies_are_asked_for_at_once():
    venue = Venue()

    await engine_of(venue, Buys("a", "AAPL", "MSFT"), Buys("b", "MSFT", "SPY")).run_once()

    assert [symbols for _, symbols in venue.asked] == [["AAPL", "MSFT", "SPY"]]


async def test_a_strategy_sees_the_quotes_and_what_is_held():
    venue = Venue()
    strategy = Once("once", "AAPL", "MSFT")
    engine = engine_of(venue, strategy)
    cycles = [await engine.run_once() for _ in range(2)]

    assert venue.placed == ["AAPL", "MSFT"]
    assert [(cycle.number, len(cycle.orders)) for cycle in cycles] == [(1, 2), (2, 0)]
    assert strategy.saw is cycles[1].quotes
    assert strategy.saw["AAPL"].ask == 101.0


async def test_a_strategy_that_fails_costs_the_others_nothing():
    venue = Venue()
    cycle = await engine_of(venue, Fails("bad", "SPY"), Buys("good", "AAPL")).run_once()

    assert venue.placed == ["AAPL"]
    assert [order.symbol for order in cycle.orders] == ["AAPL"]
    assert isinstance(cycle.failures["bad"], ZeroDivisionError)


@pytest.mark.parametrize("wanted", [[None], ["SPY"], 5, None])
async def test_a_strategy_that_wants_no_orders_costs_the_others_nothing(wanted):
    class Odd(Buys):
        async def decide(self, quotes, desk):
            good = await super().decide(quotes, desk)
            return [*good, *wanted] if isinstance(wanted, list) else wanted

    venue = Venue()
    cycle = await engine_of(venue, Odd("odd", "SPY"), Buys("good", "AAPL")).run_once()

    assert venue.placed == ["AAPL"]
    assert isinstance(cycle.failures["odd"], TypeError)


async def test_an_order_that_is_refused_costs_the_next_nothing():
    venue = Venue()
    venue.fails["AAPL"] = refused = errors.OrderRejectedError("no")
    cycle = await engine_of(venue, Buys("a", "MSFT", "AAPL", "SPY")).run_once()

    assert venue.placed == ["MSFT", "SPY"]
    assert cycle.failures == {"a #2": refused}


async def test_an_order_of_which_nobody_knows_halts_the_engine():
    venue = Venue()
    venue.fails["AAPL"] = unknown = errors.OrderOutcomeUnknownError("who knows")
    engine = engine_of(venue, Buys("a", "AAPL", "MSFT"), Buys("b", "SPY"))

    with pytest.raises(errors.OrderOutcomeUnknownError):
        await engine.run()
    venue.fails.clear()
    for again in (engine.run(), engine.run_once()):
        with pytest.raises(errors.OrderOutcomeUnknownError):
            await again

    assert engine.halted_by is unknown
    assert venue.placed == []
    assert len(venue.asked) == 1


async def test_a_round_without_quotes_is_lost_and_the_next_one_comes():
    venue = Venue()
    venue.fails["quotes"] = errors.ServerError("down")
    running = asyncio.create_task(engine_of(venue, Buys("a", "AAPL")).run(cycles=3))
    await asyncio.sleep(61)
    venue.fails.clear()
    await running

    assert len(venue.asked) == 3
    assert venue.placed == ["AAPL"]


async def test_rounds_begin_an_interval_apart_however_long_they_take():
    venue = Venue()
    begin = asyncio.get_running_loop().time()

    await engine_of(venue, Buys("slow", "AAPL", takes=20), interval=60).run(cycles=3)

    assert [at - begin for at, _ in venue.asked] == pytest.approx([0, 60, 120])
    assert asyncio.get_running_loop().time() - begin == pytest.approx(140)  # and none is waited for


async def test_a_round_that_is_late_is_followed_at_once():
    venue = Venue()
    begin = asyncio.get_running_loop().time()

    await engine_of(venue, Buys("slow", "AAPL", takes=90), interval=60).run(cycles=2)

    assert [at - begin for at, _ in venue.asked] == pytest.approx([0, 90])


async def test_stop_ends_the_wait_and_not_the_round():
    venue = Venue()
    engine = engine_of(venue, Buys("a", "AAPL", takes=5), interval=3600)
    running = asyncio.create_task(engine.run())
    await asyncio.sleep(1)
    engine.stop()
    await running

    assert venue.placed == ["AAPL"]
    assert asyncio.get_running_loop().time() < 10


async def test_trades_are_told_under_the_id_of_the_order():
    venue = Venue()

    await engine_of(venue, Buys("a", "AAPL")).run_once()
    ((notice, event_id),) = venue.told

    assert event_id == "key-AAPL"
    assert (notice.symbol, notice.side, notice.qty) == ("AAPL", "buy", 1)
    assert (notice.price, notice.status) == (Decimal("100.5"), "filled")
    assert (notice.order_id, notice.strategy) == ("id-AAPL", "a")


async def test_nobody_need_be_told():
    venue = Venue()
    engine = TradingEngine(strategies=[Buys("a", "AAPL")], broker=venue, data_provider=venue)

    assert len((await engine.run_once()).orders) == 1


@pytest.mark.parametrize("failure", [errors.ServerError("mail is down"), KeyError("a mistake")])
async def test_a_trade_that_cannot_be_told_is_a_trade(failure):
    venue = Venue()
    venue.fails["notice"] = failure
    cycle = await engine_of(venue, Buys("a", "AAPL", "MSFT")).run_once()

    assert venue.placed == ["AAPL", "MSFT"]
    assert cycle.failures == {}


async def test_the_broker_knows_the_dearer_price_of_the_round():
    venue = Venue()
    engine = engine_of(venue, Buys("a", "AAPL"))
    before = venue.price_of("AAPL")
    await engine.run_once()

    assert (before, venue.price_of("AAPL"), venue.price_of("MSFT")) == (None, 101.0, None)


async def test_an_engine_without_a_strategy_is_a_mistake():
    with pytest.raises(errors.ConfigurationError, match="at least one strategy"):
        engine_of(Venue())
