"""Positions: what is held, closing it, exercising options.

https://docs.alpaca.markets/reference/getallopenpositions
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sentio_async import errors
from sentio_async.connectors.alpaca.wire.api import api, no_body, nothing
from sentio_async.connectors.alpaca.wire.numbers import amount
from sentio_async.connectors.alpaca.wire.orders import read_order
from sentio_async.connectors.alpaca.wire.words import POSITION_SIDE, asset_class
from sentio_async.http.endpoint import Parts
from sentio_async.http.reading import decimal, decimal_or_none, read_rows, word
from sentio_async.http.wire_json import Json, decode_without_duplicates
from sentio_async.models import CloseResult, Order, Position, Rows
from sentio_async.resilience.limiter import Priority

__all__ = [
    "close_all_positions",
    "close_position",
    "do_not_exercise",
    "exercise",
    "position",
    "positions",
    "read_close_result",
    "read_position",
    "read_positions",
]

Number = Decimal | int | str | float


def read_position(raw: Json) -> Position:
    """What is held; a crypto pair stands here without its slash."""
    return Position(
        symbol=raw["symbol"],
        side=word(POSITION_SIDE, "side", raw["side"]),
        qty=decimal(raw["qty"]),
        qty_available=decimal_or_none(raw.get("qty_available")),
        avg_entry_price=decimal(raw["avg_entry_price"]),
        asset_class=asset_class(raw.get("asset_class")),
        asset_id=raw.get("asset_id"),
        market_value=decimal_or_none(raw.get("market_value")),
        cost_basis=decimal_or_none(raw.get("cost_basis")),
        unrealized_pl=decimal_or_none(raw.get("unrealized_pl")),
        unrealized_pl_percent=decimal_or_none(raw.get("unrealized_plpc")),
        current_price=decimal_or_none(raw.get("current_price")),
        raw=raw,
    )


def read_positions(raw: Json) -> Rows[Position]:
    """Positions, beside the reasons for those that could not be read."""
    return read_rows(raw, read_position, what="positions")


def read_close_result(raw: Json) -> CloseResult:
    """What became of one position among many; the HTTP status of the whole says nothing of it."""
    status = int(raw["status"])
    body = raw.get("body")
    if not 200 <= status < 300:
        reason = body.get("message") if isinstance(body, Mapping) else None
        return CloseResult(symbol=raw["symbol"], accepted=False, status_code=status, reason=reason)
    order, reason = _order_or_reason(body)
    return CloseResult(
        symbol=raw["symbol"], accepted=True, status_code=status, order=order, reason=reason
    )


def _order_or_reason(body: Any) -> tuple[Order | None, str | None]:
    """An order that was made and cannot be read was made all the same."""
    if body is None:
        return None, None
    try:
        return read_order(body), None
    except (errors.DecodeError, KeyError, TypeError, ValueError, AttributeError) as exc:
        return None, f"the order cannot be read: {type(exc).__name__}: {exc}"[:200]


def read_close_results(raw: Json) -> Rows[CloseResult]:
    """Every position of a request to close all, one by one."""
    return read_rows(raw, read_close_result, what="closed positions")


@api.get("/v2/positions", returns=read_positions)
def positions() -> Parts:
    """Everything that is held."""
    return Parts()


@api.get("/v2/positions/{symbol}", returns=read_position)
def position(symbol: str) -> Parts:
    """What is held in one instrument, by symbol or asset id."""
    return Parts(path={"symbol": symbol})


# Closing twice would sell twice.
@api.delete(
    "/v2/positions/{symbol}",
    returns=read_order,
    decode=decode_without_duplicates,
    priority=Priority.ORDERS,
)
def close_position(
    symbol: str, *, qty: Number | None = None, percentage: Number | None = None
) -> Parts:
    """Close a position, or a part of it, by a market order."""
    if qty is not None and percentage is not None:
        raise errors.InvalidRequestError("close position: qty or percentage, not both")
    part = amount("percentage", percentage)
    if part is not None and part > 100:
        raise errors.InvalidRequestError(f"percentage: must be at most 100, not {part}")
    return Parts(path={"symbol": symbol}, query={"qty": amount("qty", qty), "percentage": part})


@api.delete(
    "/v2/positions", returns=read_close_results, accepts=(200, 207), priority=Priority.ORDERS
)
def close_all_positions(*, cancel_orders: bool = False) -> Parts:
    """Close everything; with ``cancel_orders`` the open orders are cancelled first."""
    return Parts(query={"cancel_orders": cancel_orders})


@api.post(
    "/v2/positions/{contract}/exercise", returns=nothing, decode=no_body, priority=Priority.ORDERS
)
def exercise(contract: str) -> Parts:
    """Exercise all options held of a contract."""
    return Parts(path={"contract": contract})


@api.post(
    "/v2/positions/{contract}/do-not-exercise",
    returns=nothing,
    decode=no_body,
    priority=Priority.ORDERS,
)
def do_not_exercise(contract: str) -> Parts:
    """Let the options held of a contract expire, although they are in the money."""
    return Parts(path={"contract": contract})
