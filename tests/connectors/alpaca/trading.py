"""Orders that tests place at the embedded exchange."""

from decimal import Decimal


def price_of(exchange, symbol="AAPL"):
    return exchange.state.market.last_trade(symbol).price.quantize(Decimal("0.01"))


async def bought(exchange, broker, qty=10, symbol="AAPL", **more):
    order = await broker.place_order(symbol, qty, "buy", **more)
    await exchange.settle()
    return await broker.get_order(order.id)


async def resting(exchange, broker, **more):
    """A limit order too far from the market to fill."""
    price = price_of(exchange) / 2
    given = {"order_type": "limit", "limit_price": price.quantize(Decimal("0.01")), **more}
    return await broker.place_order("AAPL", 1, "buy", time_in_force="gtc", **given)
