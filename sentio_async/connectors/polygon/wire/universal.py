"""Snapshots v3: any tickers mixed, the option chain, index values, summaries.

An item of these answers can be an error of its own: it stays that symbol's error, and costs the
others nothing.  https://massive.com/docs/rest/stocks/snapshots/unified-snapshot
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from sentio_async import errors
from sentio_async.connectors.polygon.moments import (
    DAYS_IN_NEW_YORK,
    DAYS_IN_UTC,
    QUARTER_HOUR_NS,
    ns_by_size,
)
from sentio_async.connectors.polygon.values import IndexValue, Summary
from sentio_async.connectors.polygon.wire.envelope import (
    PROVIDER,
    api,
    is_delayed,
    next_target,
    number,
    result,
    rows_in,
)
from sentio_async.connectors.polygon.wire.filters import ORDERED, page_query, ranges
from sentio_async.connectors.polygon.wire.problems import item_error
from sentio_async.connectors.polygon.wire.tickers import (
    all_checked,
    asset_class,
    check_about,
    checked,
    underlying_of,
)
from sentio_async.connectors.polygon.wire.ticks import word_or_none, words
from sentio_async.http.endpoint import Call, Parts, QueryValue
from sentio_async.http.reading import read_rows
from sentio_async.http.wire_json import Json
from sentio_async.models import (
    AssetClass,
    Bar,
    Greeks,
    OptionSnapshot,
    Page,
    Quote,
    Rows,
    Snapshot,
    Trade,
)

__all__ = [
    "UNIVERSAL_LIMIT",
    "Found",
    "index_values",
    "option_chain",
    "option_snapshot",
    "summaries",
    "universal_snapshots",
]

UNIVERSAL_LIMIT = 250
"""The vendor's default is 10: always say it."""

T = TypeVar("T")
Found = dict[str, T | errors.ConnectorError]
"""What was found of each ticker, or its error."""

_INDICES = ranges("ticker")
_BY_TICKER = ranges("ticker") | {"type"}
_CHAIN = ranges("strike_price", "expiration_date") | {"contract_type"} | ORDERED


def _number(part: Mapping[str, Any], name: str) -> float | None:
    value = part.get(name)
    return None if value is None else number(value)


def _late(part: Mapping[str, Any]) -> bool:
    return part.get("timeframe") == "DELAYED"


def _any_late(*parts: Quote | Trade | None) -> bool:
    return any(part is not None and part.is_delayed for part in parts)


def read_quote(row: Mapping[str, Any], symbol: str, *, late: bool) -> Quote | None:
    """``last_quote``; None where there is none."""
    part = row.get("last_quote")
    if not part or not (part.get("bid") or part.get("ask")):
        return None
    return Quote(
        symbol=symbol,
        time_ns=ns_by_size(part.get("last_updated")) or 0,
        provider=PROVIDER,
        is_delayed=late or _late(part),
        bid=number(part.get("bid") or 0),
        ask=number(part.get("ask") or 0),
        bid_size=number(part.get("bid_size") or 0),
        ask_size=number(part.get("ask_size") or 0),
        bid_exchange=word_or_none(part.get("bid_exchange")),
        ask_exchange=word_or_none(part.get("ask_exchange")),
    )


def read_trade(row: Mapping[str, Any], symbol: str, *, late: bool) -> Trade | None:
    """``last_trade``; None where there is none."""
    part = row.get("last_trade")
    if not part or not part.get("price"):
        return None
    at = part.get("sip_timestamp") or part.get("participant_timestamp") or part.get("last_updated")
    return Trade(
        symbol=symbol,
        time_ns=ns_by_size(at) or 0,
        provider=PROVIDER,
        is_delayed=late or _late(part),
        price=number(part["price"]),
        size=number(part.get("decimal_size") or part.get("size") or 0),
        id=str(part.get("id") or ""),
        exchange=word_or_none(part.get("exchange")),
        conditions=words(part.get("conditions")),
    )


def read_day(
    part: Mapping[str, Any] | None, symbol: str, updated: int | None, *, late: bool
) -> Bar | None:
    """``session`` or ``day``; None where nothing was traded."""
    if not part or not part.get("close") or part.get("open") is None:
        return None
    at = ns_by_size(part.get("last_updated")) or updated
    return Bar(
        symbol=symbol,
        time_ns=0 if at is None else _days_of(symbol)[at // QUARTER_HOUR_NS],
        provider=PROVIDER,
        is_delayed=late,
        open=number(part["open"]),
        high=number(part["high"]),
        low=number(part["low"]),
        close=number(part["close"]),
        volume=number(part.get("decimal_volume") or part.get("volume") or 0),
        vwap=_number(part, "vwap"),
    )


def _days_of(symbol: str) -> Mapping[int, int]:
    is_always_open = asset_class(symbol) in (AssetClass.CRYPTO, AssetClass.FOREX)
    return DAYS_IN_UTC if is_always_open else DAYS_IN_NEW_YORK


def read_snapshot(row: Mapping[str, Any], *, late: bool) -> Snapshot:
    """One instrument of any kind."""
    symbol = row["ticker"]
    late = late or _late(row)
    quote = read_quote(row, symbol, late=late)
    trade = read_trade(row, symbol, late=late)
    session = row.get("session") or {}
    times = (ns_by_size(row.get("last_updated")), quote and quote.time_ns, trade and trade.time_ns)
    updated = max((at for at in times if at), default=None)
    return Snapshot(
        symbol=symbol,
        provider=PROVIDER,
        quote=quote,
        trade=trade,
        day_bar=read_day(session, symbol, updated, late=late),
        change=_number(session, "change"),
        change_percent=_number(session, "change_percent"),
        is_delayed=late or _any_late(quote, trade),
        updated_ns=updated,
    )


def read_option(row: Mapping[str, Any], *, late: bool) -> OptionSnapshot:
    """One contract of a chain."""
    symbol = row["details"]["ticker"]
    quote = read_quote(row, symbol, late=late)
    trade = read_trade(row, symbol, late=late)
    greeks = row.get("greeks") or {}
    names = ("delta", "gamma", "theta", "vega", "rho")
    return OptionSnapshot(
        symbol=symbol,
        provider=PROVIDER,
        underlying=(row.get("underlying_asset") or {}).get("ticker"),
        quote=quote,
        trade=trade,
        day_bar=read_day(row.get("day"), symbol, None, late=late),
        greeks=Greeks(**{name: _number(greeks, name) for name in names}) if greeks else None,
        implied_volatility=_number(row, "implied_volatility"),
        open_interest=_number(row, "open_interest"),
        break_even_price=_number(row, "break_even_price"),
        is_delayed=late or _any_late(quote, trade),
    )


def _by_symbol(raw: Json, read: Callable[[Any], T]) -> Page[Found[T]]:
    """Each item's value, or the error that stands in its place."""
    found: Found[T] = {}
    for row in rows_in(raw):
        symbol = _symbol_of(row)
        if row.get("error"):
            found[symbol] = item_error(row["error"], row.get("message"), symbol)
            continue
        try:
            found[symbol] = read(row)
        except (errors.DecodeError, KeyError, TypeError, ValueError, AttributeError) as exc:
            reason = f"{symbol}: its row cannot be read ({type(exc).__name__}: {exc})"
            found[symbol] = errors.DecodeError(reason[:300], connector=PROVIDER)
    return Page(found, next_target(raw.get("next_url")))


def _symbol_of(row: object) -> str:
    if not isinstance(row, Mapping):
        raise errors.DecodeError(f"results: an object is needed, not {type(row).__name__}")
    details = row.get("details")
    within = details.get("ticker") if isinstance(details, Mapping) else None
    symbol = row.get("ticker") or within
    if not isinstance(symbol, str):
        raise errors.DecodeError("results: a row names no ticker")
    return symbol


def read_universal(raw: Json) -> Page[Found[Snapshot]]:
    """One page of instruments of any kind."""
    late = isinstance(raw, Mapping) and is_delayed(raw)
    return _by_symbol(raw, lambda row: read_snapshot(row, late=late))


def read_index_values(raw: Json) -> Page[Found[IndexValue]]:
    """One page of index values."""
    return _by_symbol(raw, IndexValue.read)


def read_summaries(raw: Json) -> Page[Found[Summary]]:
    """Summaries by ticker."""
    return _by_symbol(raw, Summary.read)


def read_chain(raw: Json) -> Page[Rows[OptionSnapshot]]:
    """One page of a chain."""
    late = isinstance(raw, Mapping) and is_delayed(raw)
    rows = read_rows(rows_in(raw), lambda row: read_option(row, late=late), what="results")
    return Page(rows, next_target(raw.get("next_url")))


def read_contract(raw: Json, *, symbol: str) -> OptionSnapshot:
    """One contract."""
    found = read_option(result(raw), late=is_delayed(raw))
    check_about(symbol, found.symbol)
    return found


@api.get("/v3/snapshot", returns=read_universal)
def universal_snapshots(
    tickers: Iterable[str] | None = None, *, limit: int | None = None, **filters: QueryValue
) -> Parts:
    """Snapshots of at most 250 tickers of any kinds."""
    query = page_query(_BY_TICKER, filters, limit=limit, most=UNIVERSAL_LIMIT)
    return Parts(query={"ticker.any_of": all_checked(tickers), **query})


@api.get("/v3/snapshot/indices", returns=read_index_values)
def index_values(
    tickers: Iterable[str] | None = None, *, limit: int | None = None, **filters: QueryValue
) -> Parts:
    """Values of at most 250 indices."""
    query = page_query(_INDICES, filters, limit=limit, most=UNIVERSAL_LIMIT)
    return Parts(query={"ticker.any_of": all_checked(tickers), **query})


@api.get("/v3/snapshot/options/{underlying}", returns=read_chain)
def option_chain(underlying: str, *, limit: int | None = None, **filters: QueryValue) -> Parts:
    """Every option of an underlying, with greeks."""
    query = page_query(_CHAIN, filters, limit=limit, most=UNIVERSAL_LIMIT)
    return Parts(path={"underlying": checked(underlying)}, query=query)


@api.get("/v3/snapshot/options/{underlying}/{contract}", returns=read_contract)
def option_snapshot(underlying: str, contract: str) -> Parts:
    """One option, with greeks."""
    path = {"underlying": checked(underlying), "contract": checked(contract)}
    return Parts(path=path, context={"symbol": contract})


def contract(ticker: str) -> Call[OptionSnapshot]:
    """One option, whose underlying is in its name."""
    return option_snapshot(underlying_of(ticker), ticker)


@api.get("/v1/summaries", returns=read_summaries)
def summaries(tickers: Iterable[str]) -> Parts:
    """What a display shows of these tickers."""
    return Parts(query={"ticker.any_of": all_checked(tickers)})
