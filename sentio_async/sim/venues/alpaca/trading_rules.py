"""Which orders an account may place, and the words in which the others are refused.

https://docs.alpaca.markets/docs/orders-at-alpaca
https://docs.alpaca.markets/docs/fractional-trading
https://docs.alpaca.markets/docs/options-trading
https://docs.alpaca.markets/docs/user-protection
"""

from decimal import Decimal

from sentio_async.sim.instruments import Instrument
from sentio_async.sim.ledger import Account
from sentio_async.sim.orders import ZERO, Order
from sentio_async.sim.venues.alpaca.trading_asking import (
    Asked,
    Refused,
    forbidden,
    malformed,
    unprocessable,
)
from sentio_async.sim.venues.alpaca.trading_wire import NANO, cents, plain

LEAST_NOTIONAL = Decimal(1)
LEAST_CRYPTO = Decimal(1)
# A short sale at the market is held to be worth this much more than the ask.
SHORT_CUSHION = Decimal("1.03")
LARGEST = Decimal(10) ** 15
"""No amount of an order comes near it; beyond 28 digits arithmetic is not exact any more."""


def check(asked: Asked, order: Order) -> None:
    """Refuse an order that breaks a rule; answer nothing when it may go on."""
    if asked.account.configurations["suspend_trade"]:
        raise forbidden("new orders are rejected by user request")
    for each in order.legs if order.is_multi_leg else (order, *order.legs):
        _check_steps(each)
    if order.is_multi_leg:
        _check_multi_leg(asked, order)
        return
    assert order.instrument is not None
    match order.instrument.asset_class:
        case "crypto":
            _check_crypto(order)
        case "us_option":
            _check_option(asked, order)
        case _:
            _check_stock(order)
    _check_class(asked, order)
    check_funds(asked, order)


def _check_steps(order: Order) -> None:
    """No more decimals than prices and sizes have."""
    instrument = order.instrument
    assert instrument is not None
    for name in ("limit_price", "stop_price"):
        price = getattr(order, name)
        if price is not None:
            check_increment(instrument, name, price)
    for name in ("qty", "notional", "limit_price", "stop_price"):
        amount = getattr(order, name)
        if amount is not None and amount >= LARGEST:
            raise unprocessable(f"invalid {name}: {plain(amount)} is too large")
    if order.qty is not None and order.qty != order.qty.quantize(NANO):
        raise unprocessable("qty increment must be at most 9 decimal places")
    if order.notional is not None and order.notional != order.notional.quantize(Decimal("0.01")):
        raise unprocessable("notional value must be limited to 2 decimal places")


def check_increment(instrument: Instrument, name: str, price: Decimal) -> None:
    """Two decimals from a dollar on, four below; crypto has more."""
    step = Decimal("0.01") if price >= 1 else Decimal("0.0001")
    if instrument.asset_class == "crypto":
        step = NANO
    if instrument.contract is not None:
        step = Decimal("0.01")
    if price % step:
        raise unprocessable(
            f"invalid {name} {plain(price)}. sub-penny increment does not fulfill minimum "
            "pricing criteria"
        )


def _check_stock(order: Order) -> None:
    is_complex = bool(order.order_class)
    _check_fraction(order)
    if order.extended_hours and (
        order.type != "limit" or order.time_in_force not in {"day", "gtc"} or is_complex
    ):
        raise unprocessable("extended hours order must be DAY or GTC limit orders")
    if order.time_in_force in {"opg", "cls"} and order.type not in {"market", "limit"}:
        raise unprocessable(f"{order.time_in_force} orders must be market or limit orders")
    if order.type == "trailing_stop" and order.time_in_force not in {"day", "gtc"}:
        raise unprocessable("trailing stop orders must be DAY or GTC orders")


def _check_fraction(order: Order) -> None:
    assert order.instrument is not None
    if order.notional is None and not _is_fraction(order.qty):
        return
    if not order.instrument.fractionable:
        raise forbidden(f'asset "{order.instrument.symbol}" is not fractionable')
    if order.time_in_force != "day":
        raise unprocessable("fractional orders must be DAY orders")
    if order.order_class:
        raise unprocessable("fractional orders must be simple orders")
    if order.notional is None:
        return
    if order.type not in {"market", "limit"}:
        raise unprocessable("notional orders must be market or limit orders")
    if order.notional < LEAST_NOTIONAL:
        raise unprocessable("notional amount must be >= 1.00")


def _check_crypto(order: Order) -> None:
    if order.order_class:
        raise unprocessable("crypto orders not allowed for advanced order_class")
    if order.type not in {"market", "limit", "stop_limit"}:
        raise unprocessable("invalid order type for crypto order")
    if order.time_in_force not in {"gtc", "ioc"}:
        raise unprocessable("invalid crypto time_in_force")
    if order.extended_hours:
        raise unprocessable("crypto orders do not have extended hours")
    if order.notional is not None and order.notional < LEAST_CRYPTO:
        raise forbidden("cost basis must be >= minimal amount of order 1")


def _check_option(asked: Asked, order: Order) -> None:
    assert order.instrument is not None
    _check_contract(asked, order.instrument)
    if order.notional is not None:
        raise unprocessable("notional is not supported for options orders")
    if _is_fraction(order.qty):
        raise malformed("qty must be integer")
    if order.time_in_force not in {"day", "gtc"}:
        raise unprocessable("invalid time_in_force for options order")
    if order.extended_hours:
        raise unprocessable("extended hours orders are not supported for options")
    if order.order_class:
        raise unprocessable("options orders must be simple or mleg orders")
    if order.type == "trailing_stop":
        raise unprocessable("invalid order type for options order")


def _check_contract(asked: Asked, instrument: Instrument) -> None:
    if asked.account.configurations["max_options_trading_level"] == 0:
        raise forbidden("account not eligible to trade options")
    contract = instrument.contract
    if contract is not None and contract.expires < asked.clock.now().date():
        raise unprocessable(f"option contract {instrument.symbol} has expired")


def _check_class(asked: Asked, order: Order) -> None:
    if not order.order_class:
        return
    if order.time_in_force not in {"day", "gtc"}:
        raise unprocessable(f"{order.order_class} orders must be DAY or GTC orders")
    if order.extended_hours:
        raise unprocessable("complex orders not supported for extended hours trading")
    if order.order_class == "oco":
        return
    base = order.limit_price or order.stop_price or asked.market.price(order.symbol) or ZERO
    for leg in order.legs:
        stop = leg.stop_price
        if stop is None:
            continue
        if leg.side == "sell" and stop > base - Decimal("0.01"):
            raise unprocessable(
                "stop_loss.stop_price must be <= base_price - 0.01", base_price=plain(base)
            )
        if leg.side == "buy" and stop < base + Decimal("0.01"):
            raise unprocessable(
                "stop_loss.stop_price must be >= base_price + 0.01", base_price=plain(base)
            )


def check_funds(asked: Asked, order: Order, *, freed: Decimal = ZERO) -> None:
    """Shares for a sale that closes, buying power for anything else.

    `freed` is what the order it replaces gives back.
    """
    account, instrument = asked.account, order.instrument
    assert instrument is not None
    if order.replaces is None:
        _check_wash(asked, order)
    position = account.position(instrument.symbol)
    if position is not None and (position.qty > 0) == (order.side == "sell"):
        _check_available(asked, order, freed)
        return
    if order.side == "sell":
        _check_short(asked, order, instrument)
    elif position is None and order.order_class == "oco":
        raise unprocessable("oco orders must be exit orders")
    _check_power(asked, order, instrument, freed)


def _check_available(asked: Asked, order: Order, freed: Decimal) -> None:
    account, symbol = asked.account, order.symbol
    position = account.positions[symbol]
    available = account.available(symbol) + freed
    price = asked.market.price(symbol) or position.average
    wanted = order.qty if order.qty is not None else order.left(price)
    if wanted <= available:
        return
    held = account.held(symbol) - freed
    name = symbol.partition("/")[0]
    message = (
        f"insufficient balance for {name} (requested: {plain(wanted)}, "
        if "/" in symbol
        else f"insufficient qty available for order (requested: {plain(wanted)}, "
    )
    raise forbidden(
        f"{message}available: {plain(available)})",
        available=plain(available),
        existing_qty=plain(abs(position.qty)),
        held_for_orders=plain(held),
        symbol=symbol,
    )


def _check_short(asked: Asked, order: Order, instrument: Instrument) -> None:
    if instrument.asset_class == "crypto":
        name = instrument.symbol.partition("/")[0]
        raise forbidden(
            f"insufficient balance for {name} (requested: "
            f"{plain(order.qty or order.notional or ZERO)}, available: 0)",
            available="0",
            symbol=name,
        )
    if order.order_class == "oco":
        raise unprocessable("oco orders must be exit orders")
    if instrument.contract is not None:
        _check_covered(asked, order, instrument)
        return
    if asked.account.configurations["no_shorting"]:
        raise forbidden("account is not allowed to short")
    if not instrument.shortable:
        raise unprocessable(f'asset "{instrument.symbol}" cannot be sold short')
    if order.notional is not None or _is_fraction(order.qty):
        raise unprocessable("fractional orders cannot be sold short")


def _check_covered(asked: Asked, order: Order, instrument: Instrument) -> None:
    """A call is covered by its shares, a put by the cash they would cost."""
    contract, qty = instrument.contract, order.qty
    assert contract is not None and qty is not None
    if contract.right == "call":
        is_covered = asked.account.available(contract.underlying) >= qty * 100
    else:
        cash = asked.engine.balances(asked.account).cash_buying_power
        is_covered = cash >= contract.strike * qty * 100
    if not is_covered:
        raise forbidden("account not eligible to trade uncovered option contracts")


def _check_power(asked: Asked, order: Order, instrument: Instrument, freed: Decimal) -> None:
    if instrument.contract is not None and order.side == "sell":
        return
    balances = asked.engine.balances(asked.account)
    is_stock = instrument.asset_class == "us_equity"
    power = (balances.buying_power if is_stock else balances.cash_buying_power) + freed
    cost = cost_of(asked, order)
    if cost <= power:
        return
    if instrument.contract is not None:
        raise forbidden(
            f"insufficient options buying power for order (required: {cents(cost)}, "
            f"available: {cents(power)})",
            options_buying_power=cents(power),
            cost_basis=plain(cost),
        )
    raise forbidden("insufficient buying power", buying_power=cents(power), cost_basis=plain(cost))


def cost_of(asked: Asked, order: Order) -> Decimal:
    """What an opening order is held to cost."""
    if order.notional is not None:
        return order.notional
    quote = asked.market.quote(order.symbol)
    ask = quote.ask if quote else ZERO
    assert order.qty is not None
    if order.side == "sell":
        each = max(order.limit_price or ZERO, ask * SHORT_CUSHION)
    else:
        each = order.limit_price or order.stop_price or ask
    return order.qty * each * order.multiplier


def _check_wash(asked: Asked, order: Order) -> None:
    """No order that the account's own order on the other side could meet."""
    if order.order_class:
        return
    for other in asked.account.working():
        if other.symbol != order.symbol or other.side == order.side:
            continue
        is_limit = other.type == "limit"
        if other.parent is None and (not is_limit or _crosses(asked, order, other)):
            kind = "limit" if is_limit else "market/stop"
            raise forbidden(
                "potential wash trade detected. use complex orders",
                existing_order_id=other.id,
                reject_reason=f"opposite side {kind} order exists",
            )
        if asked.account.position(order.symbol) is None:
            raise forbidden(
                "cannot open a long buy while a short sell order is open"
                if order.side == "buy"
                else "cannot open a short sell while a long buy order is open"
            )


def _crosses(asked: Asked, order: Order, other: Order) -> bool:
    """Whether both could trade with each other; a market order at the present quote."""
    price = order.limit_price
    if price is None:
        quote = asked.market.quote(order.symbol)
        price = (quote.ask if order.side == "buy" else quote.bid) if quote else ZERO
    assert other.limit_price is not None
    return price >= other.limit_price if order.side == "buy" else price <= other.limit_price


def _check_multi_leg(asked: Asked, order: Order) -> None:
    if order.qty is None or _is_fraction(order.qty):
        raise malformed("qty must be integer")
    symbols = {leg.symbol for leg in order.legs}
    if len(symbols) != len(order.legs):
        raise unprocessable("mleg orders must not repeat a contract")
    for leg in order.legs:
        assert leg.instrument is not None
        if leg.instrument.contract is None:
            raise unprocessable("mleg orders are for option contracts")
        _check_contract(asked, leg.instrument)
    cost = order.qty * 100 * _net_cost(asked, order)
    power = asked.engine.balances(asked.account).cash_buying_power
    if cost > power:
        raise forbidden(
            f"insufficient options buying power for order (required: {cents(cost)}, "
            f"available: {cents(power)})",
            options_buying_power=cents(power),
            cost_basis=plain(cost),
        )
    _check_spreads(asked.account, order)


def _net_cost(asked: Asked, order: Order) -> Decimal:
    if order.limit_price is not None:
        return order.limit_price
    net = ZERO
    for leg in order.legs:
        quote = asked.market.quote(leg.symbol)
        if quote is not None and leg.ratio_qty is not None:
            net += leg.ratio_qty * (quote.ask if leg.side == "buy" else -quote.bid)
    return net


def _check_spreads(account: Account, order: Order) -> None:
    """Each kind of contract must be bought at least as often as it is sold to open."""
    balance: dict[str, Decimal] = {}
    for leg in order.legs:
        assert leg.instrument is not None and leg.instrument.contract is not None
        assert leg.qty is not None
        right = leg.instrument.contract.right
        change = leg.qty if leg.side == "buy" else -leg.qty
        if leg.side == "sell" and account.available(leg.symbol) >= leg.qty:
            change = ZERO
        balance[right] = balance.get(right, ZERO) + change
    if any(left < 0 for left in balance.values()):
        raise Refused(403, 40310000, "account not eligible to trade uncovered option contracts")


def _is_fraction(qty: Decimal | None) -> bool:
    return qty is not None and qty != qty.to_integral_value()
