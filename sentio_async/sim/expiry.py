"""When orders begin and end by themselves, and what becomes of contracts at expiry."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Protocol

from sentio_async.sim.calendar import DAY, Session, day_of, midnight_ns, next_session
from sentio_async.sim.clock import SimClock
from sentio_async.sim.ledger import Account, Activity, Move
from sentio_async.sim.market import Market
from sentio_async.sim.orders import ZERO, Order
from sentio_async.sim.prices import HOUR

# Alpaca cancels a good-till-canceled order after this long.
GTC = timedelta(days=90)


class Exercises(Protocol):
    """What expiry needs of the engine."""

    market: Market
    clock: SimClock

    def new_id(self) -> str:
        """An id nothing else has."""


def end_of(order: Order, *, least_ns: int = 0) -> int | None:
    """When an order submitted now expires, `least_ns` from now at the least.

    None is for crypto, which is good until canceled in earnest.
    """
    is_crypto = order.instrument is not None and order.instrument.asset_class == "crypto"
    if order.time_in_force == "gtc":
        day = day_of(order.submitted_ns) + GTC
        return None if is_crypto else midnight_ns(day) + 16 * HOUR
    begins = order.release_ns or order.submitted_ns + least_ns
    session = next_session(day_of(begins))
    if _close(order, session) <= begins:
        session = next_session(session.day + DAY)
    return _close(order, session)


def _close(order: Order, session: Session) -> int:
    if order.time_in_force == "cls":
        # The closing auction is over some time after the close.
        return session.closes_ns() + HOUR
    return session.extended_closes_ns() if order.extended_hours else session.closes_ns()


def release_of(order: Order) -> int | None:
    """When an order for the opening or closing auction goes to the market."""
    if order.time_in_force not in {"opg", "cls"}:
        return None
    session = next_session(day_of(order.submitted_ns))
    moment = session.opens_ns if order.time_in_force == "opg" else session.closes_ns
    if moment() <= order.submitted_ns:
        session = next_session(session.day + DAY)
    return session.opens_ns() if order.time_in_force == "opg" else session.closes_ns()


def settle_contracts(engine: Exercises, account: Account, now_ns: int) -> None:
    """Exercise what is worth a cent at expiry, and let the rest end worthless."""
    for symbol, qty in _expired(account, now_ns):
        contract = account.positions[symbol].instrument.contract
        assert contract is not None
        price = engine.market.price(contract.underlying) or contract.strike
        worth = price - contract.strike if contract.right == "call" else contract.strike - price
        is_kept = symbol in account.kept_from_exercise
        ends_in_money = worth >= Decimal("0.01") and not is_kept
        exercise(engine, account, symbol, abs(qty), price if ends_in_money else None)


def exercise(
    engine: Exercises, account: Account, symbol: str, qty: Decimal, price: Decimal | None
) -> None:
    """Turn contracts into their shares at the strike, or into nothing when `price` is None.

    `price` is what the shares are worth; it is written beside the exercise.
    """
    position = account.positions[symbol]
    contract = position.instrument.contract
    stock = engine.market.instruments.get(contract.underlying) if contract else None
    assert contract is not None and stock is not None
    now = engine.clock.now_ns()

    def note(kind: str, symbol: str, qty: Decimal, amount: Decimal, price: Decimal | None) -> None:
        entry = Activity(engine.new_id(), kind, now, amount, symbol, qty, price)
        account.activities.append(entry)

    closing = "sell" if position.qty > 0 else "buy"
    account.move(Move(now, position.instrument, closing, qty, ZERO, ZERO))
    if price is None:
        note("OPEXP", symbol, qty, ZERO, None)
        return
    is_buying = (contract.right == "call") == (closing == "sell")
    side, shares = "buy" if is_buying else "sell", qty * 100
    amount = shares * contract.strike * (-1 if is_buying else 1)
    account.move(Move(now, stock, side, shares, contract.strike, amount))
    note("OPEXC" if closing == "sell" else "OPASN", symbol, qty, ZERO, price)
    note("OPTRD", stock.symbol, shares, amount, contract.strike)


def _expired(account: Account, now_ns: int) -> Iterator[tuple[str, Decimal]]:
    for symbol, position in list(account.positions.items()):
        contract = position.instrument.contract
        if contract is not None and now_ns >= midnight_ns(contract.expires) + 16 * HOUR:
            yield symbol, position.qty
