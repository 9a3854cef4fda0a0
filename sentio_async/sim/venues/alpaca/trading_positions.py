"""Positions: list, close, exercise."""

from decimal import Decimal
from typing import Any

from starlette.responses import JSONResponse, Response

from sentio_async.sim.expiry import exercise as exercise_contracts
from sentio_async.sim.instruments import Instrument
from sentio_async.sim.ledger import Position
from sentio_async.sim.orders import Order
from sentio_async.sim.venues.alpaca.trading_asking import (
    Asked,
    Refused,
    forbidden,
    malformed,
    not_found,
    positive,
    unprocessable,
)
from sentio_async.sim.venues.alpaca.trading_draft import new_order
from sentio_async.sim.venues.alpaca.trading_orders import cancelled
from sentio_async.sim.venues.alpaca.trading_rules import check_funds
from sentio_async.sim.venues.alpaca.trading_wire import NANO, order_row, position_row


def listed(asked: Asked) -> list[dict[str, Any]]:
    """GET /v2/positions"""
    return [_row(asked, each) for each in asked.account.positions.values()]


def found(asked: Asked) -> dict[str, Any]:
    """GET /v2/positions/{symbol_or_asset_id}"""
    return _row(asked, _find(asked))


def close(asked: Asked) -> dict[str, Any]:
    """DELETE /v2/positions/{symbol_or_asset_id}"""
    position = _find(asked)
    return order_row(_close(asked, position, _wanted(asked, position)))


def close_all(asked: Asked) -> Response:
    """DELETE /v2/positions"""
    positions = list(asked.account.positions.values())
    if asked.flag("cancel_orders"):
        cancelled(asked)
        # Alpaca lets go of the shares before it sells them.
        asked.engine.tick()
    rows = []
    for position in positions:
        symbol = position.instrument.symbol
        if symbol not in asked.account.positions:
            continue
        row: dict[str, Any] = {"symbol": symbol.replace("/", "")}
        try:
            order = _close(asked, position, abs(position.qty))
            row |= {"status": 200, "body": order_row(order)}
        except Refused as refusal:
            row |= {"status": refusal.status, "body": refusal.body}
        rows.append(row)
    return JSONResponse(rows, 207)


def exercise(asked: Asked) -> Response:
    """POST /v2/positions/{symbol_or_contract_id}/exercise"""
    instrument = _exercisable(asked)
    available = asked.account.available(instrument.symbol)
    if available <= 0:
        raise forbidden("no available position for the specified contract")
    contract = instrument.contract
    assert contract is not None
    cost = available * 100 * contract.strike
    power = asked.engine.balances(asked.account).buying_power
    if contract.right == "call" and cost > power:
        raise forbidden("insufficient buying power")
    price = asked.market.price(contract.underlying) or contract.strike
    exercise_contracts(asked.engine, asked.account, instrument.symbol, available, price)
    return Response(status_code=200)


def do_not_exercise(asked: Asked) -> Response:
    """POST /v2/positions/{symbol_or_contract_id}/do-not-exercise"""
    instrument = _exercisable(asked)
    asked.account.kept_from_exercise.add(instrument.symbol)
    return Response(status_code=200)


def _row(asked: Asked, position: Position) -> dict[str, Any]:
    available = asked.account.available(position.instrument.symbol)
    return position_row(position, asked.market, available)


def _find(asked: Asked) -> Position:
    instrument = asked.instruments.get(asked.path["symbol"])
    position = asked.account.position(instrument.symbol) if instrument else None
    if position is None:
        raise not_found("position does not exist")
    return position


def _exercisable(asked: Asked) -> Instrument:
    instrument = asked.instruments.get(asked.path["symbol"])
    if instrument is None or instrument.contract is None:
        raise unprocessable("invalid symbol")
    position = asked.account.position(instrument.symbol)
    if position is None:
        raise forbidden("no available position for the specified contract")
    if position.qty < 0:
        raise Refused(403, 40310001, "short positions cannot be exercised")
    return instrument


def _wanted(asked: Asked, position: Position) -> Decimal:
    qty, percentage = positive(asked.query, "qty"), positive(asked.query, "percentage")
    if qty is not None and percentage is not None:
        raise malformed("only one of qty or percentage is accepted")
    if percentage is not None:
        if percentage > 100:
            raise malformed("percentage must be between 0 and 100")
        part = abs(position.qty) * percentage / 100
        step = NANO if position.instrument.fractionable else Decimal(1)
        qty = part.quantize(step, rounding="ROUND_DOWN")
        if qty <= 0:
            raise unprocessable("percentage is too small to close any of the position")
    return abs(position.qty) if qty is None else qty


def _close(asked: Asked, position: Position, qty: Decimal) -> Order:
    instrument = position.instrument
    side = "sell" if position.qty > 0 else "buy"
    time = "gtc" if instrument.asset_class == "crypto" else "day"
    order = new_order(asked, instrument, side, "market", time)
    order.qty, order.position_intent = qty, f"{side}_to_close"
    check_funds(asked, order)
    asked.engine.submit(order)
    return order
