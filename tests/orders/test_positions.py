"""After orders, positions: what the journal does not explain is told, and never traded on."""

from decimal import Decimal, localcontext

import pytest

from connectors.alpaca.trading import bought, resting
from orders.venues import ScriptedVenue, a_gateway, an_order, unknown
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.models.trading import Order, Position
from sentio_async.models.words import OrderSide, OrderStatus
from sentio_async.orders.happenings import PositionUnexplained, TradingHalted
from sentio_async.orders.journal import MemoryJournal
from sentio_async.orders.positions import PositionGap, gaps


def held(symbol="ACME", qty="10"):
    side = "short" if qty.startswith("-") else "long"
    return Position(symbol=symbol, side=side, qty=qty, avg_entry_price="9", raw={})


def filled(symbol="ACME", qty="10", side="buy", **more):
    fields = {
        "id": "v1",
        "client_order_id": "",
        "symbol": symbol,
        "side": side,
        "type": "market",
        "status": OrderStatus.FILLED,
        "venue_status": "filled",
        "qty": qty,
        "filled_qty": qty,
        "time_in_force": "day",
    }
    return Order.model_validate({**fields, **more})


def test_fills_that_add_up_to_the_position_are_no_news():
    orders = [filled(qty="15"), filled(qty="5", side="sell"), filled("BTC/USD", "1")]

    assert gaps(orders, [held(), held("BTCUSD", "1")]) == ()


def test_fills_add_up_exactly_whatever_the_program_reckons_in():
    orders = [filled(qty="1.23456789"), filled(qty="0.1", side="sell")]
    with localcontext() as six:
        six.prec = 6
        assert gaps(orders, [held(qty="1.13456789")]) == ()


@pytest.mark.parametrize(
    ("orders", "positions", "gap"),
    [
        ([], [held(qty="3")], ("ACME", 3, 0)),
        ([filled()], [], ("ACME", 0, 10)),
        ([filled(side="sell")], [held(qty="-12")], ("ACME", -12, -10)),
        ([filled(status=OrderStatus.CANCELED, filled_qty=4)], [held()], ("ACME", 10, 4)),
    ],
)
def test_what_does_not_add_up_is_named(orders, positions, gap):
    symbol, there, explained = gap

    assert gaps(orders, positions) == (PositionGap(symbol, Decimal(there), Decimal(explained)),)


def test_nothing_is_said_of_a_symbol_that_may_fill_meanwhile():
    working = filled(status=OrderStatus.OPEN, filled_qty=Decimal(4))

    assert gaps([working], [held()]) == ()


def test_the_legs_of_an_order_count_and_a_parent_without_a_side_does_not():
    legs = (filled("ACME", "2"), filled("OTHER", "2", "sell"))
    parent = filled("", "2", side=None, legs=legs)

    assert gaps([parent], [held("ACME", "2"), held("OTHER", "-2")]) == ()


class HoldingVenue(ScriptedVenue):
    """Says what is held."""

    def __init__(self, *positions):
        super().__init__()
        self.held = positions
        self.script["positions"] = type(self.script["place"])()

    async def positions(self):
        return await self._do("positions", None, lambda: self.held)


async def restarted(venue, change):
    """A start after one order, which has changed meanwhile, and what listeners heard."""
    journal, heard = MemoryJournal(), []
    first = a_gateway(venue, journal)
    await first.start()
    order = await first.submit(an_order())
    await first.stop()
    venue.change(order.id, **change)
    second = a_gateway(venue, MemoryJournal(journal.rows), listeners=[heard.append])
    return second, await second.start(), heard


FILLED = {"status": OrderStatus.FILLED, "filled_qty": Decimal(10)}


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_start_tells_of_a_position_that_no_order_explains():
    venue = HoldingVenue(held(qty="12"))

    gateway, report, heard = await restarted(venue, FILLED)

    assert report.positions == (PositionGap("ACME", Decimal(12), Decimal(10)),)
    (event,) = [each for each in heard if isinstance(each, PositionUnexplained)]
    assert (event.symbol, event.held, event.explained) == ("ACME", Decimal(12), Decimal(10))
    assert len(venue.sent()) == 1
    assert gateway.halted is None
    await gateway.stop()


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_positions_that_cannot_be_read_stop_nobody():
    venue = HoldingVenue(held(qty="12"))
    venue.say("positions", unknown())

    gateway, report, _ = await restarted(venue, FILLED)

    assert report.positions == ()
    await gateway.submit(an_order())
    await gateway.stop()


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_positions_beyond_all_numbers_stop_nobody(caplog):
    venue = HoldingVenue(held())

    gateway, report, _ = await restarted(venue, {**FILLED, "filled_qty": Decimal("1e9999999")})

    assert report.positions == ()
    assert "venue: positions are beyond all numbers" in caplog.messages
    await gateway.stop()


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_journal_that_knows_no_orders_asks_for_no_positions():
    venue = HoldingVenue(held())
    gateway = a_gateway(venue)

    assert (await gateway.start()).positions == ()
    assert venue.sent("positions") == []
    await gateway.stop()


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_more_filled_meanwhile_than_was_wanted_is_a_halt():
    venue = HoldingVenue(held(qty="11"))

    gateway, report, heard = await restarted(venue, {**FILLED, "filled_qty": Decimal(11)})

    assert [order.filled_qty for order in report.changed] == [Decimal(11)]
    assert any(isinstance(each, TradingHalted) for each in heard)
    assert "11 was filled for an order of 10" in gateway.halted
    await gateway.stop()


@pytest.mark.exchange(venues=["alpaca_trading", "alpaca_data"])
async def test_alpaca_is_asked_at_connect(exchange, tmp_path):
    settings = {**exchange.settings("alpaca"), "journal": tmp_path / "orders"}
    async with AlpacaBroker(exchange.settings("alpaca")) as elsewhere:
        await bought(exchange, elsewhere, 3)
    async with AlpacaBroker(settings) as broker:
        await bought(exchange, broker)
        await resting(exchange, broker)
    async with AlpacaBroker(settings) as broker:
        assert broker.recovery.positions == ()
        await broker.cancel_all_orders()
        await exchange.settle()
    async with AlpacaBroker(settings) as broker:
        assert broker.recovery.positions == (PositionGap("AAPL", Decimal(13), Decimal(10)),)
        order = (await broker.get_orders(status="all"))[0]
        assert order.side is OrderSide.BUY
