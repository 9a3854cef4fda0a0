"""Trades and quotes, one by one: history, and the last of each.

Times are SIP times, by which the vendor also filters and sorts; where there is none (forex,
crypto) they are the venue's.  https://massive.com/docs/rest/stocks/trades-quotes/trades
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec

from sentio_async import errors
from sentio_async.connectors.polygon.moments import MAX_NS, Moment, nanoseconds
from sentio_async.connectors.polygon.wire.bulk import Bulk, bulk_decoder, read_good_rows
from sentio_async.connectors.polygon.wire.envelope import (
    LONG,
    PROVIDER,
    api,
    next_target,
    number,
)
from sentio_async.connectors.polygon.wire.filters import at_most
from sentio_async.connectors.polygon.wire.tickers import checked
from sentio_async.http.endpoint import Parts, QueryValue
from sentio_async.models import Page, Quote, Rows, Trade
from sentio_async.resilience.limiter import Priority

__all__ = [
    "WORDS",
    "WORD_LISTS",
    "Time",
    "option_quotes",
    "option_trades",
    "quotes",
    "trades",
    "word_or_none",
    "words",
]

MAX_LIMIT = 50_000
Time = Annotated[int, msgspec.Meta(ge=0, le=MAX_NS)]


def words(codes: Sequence[int] | None) -> tuple[str, ...]:
    """Condition codes as text."""
    return tuple(map(str, codes)) if codes else ()


def word_or_none(code: int | None) -> str | None:
    """A code as text."""
    return None if code is None else str(code)


_MOST_KEPT = 4096
K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class _Written(dict[K, T]):
    """What is written for a code; codes are few, so each is written once."""

    def __init__(self, write: Callable[[K], T], known: Mapping[K, T]) -> None:
        super().__init__(known)
        self._write = write

    def __missing__(self, code: K) -> T:
        text = self._write(code)
        if len(self) < _MOST_KEPT:
            self[code] = text
        return text


WORDS: _Written[int | None, str | None] = _Written(word_or_none, {None: None})
"""Codes of exchanges and tapes in decoded rows as text; None stays None."""
WORD_LISTS: _Written[tuple[int, ...] | None, tuple[str, ...]] = _Written(words, {None: ()})
"""The condition codes of one decoded row as text."""


class TradeRow(msgspec.Struct, gc=False):
    """One trade of the history."""

    price: float
    size: float = 0.0
    decimal_size: str | None = None
    id: str | int | None = None
    exchange: int | None = None
    conditions: tuple[int, ...] | None = None
    tape: int | None = None
    correction: int | None = None
    sip_timestamp: Time | None = None
    participant_timestamp: Time | None = None
    received_timestamp: Time | None = None


class QuoteRow(msgspec.Struct, gc=False):
    """One quote of the history; forex has prices only."""

    bid_price: float = 0.0
    ask_price: float = 0.0
    bid_size: float = 0.0
    ask_size: float = 0.0
    bid_exchange: int | None = None
    ask_exchange: int | None = None
    conditions: tuple[int, ...] | None = None
    tape: int | None = None
    sip_timestamp: Time | None = None
    participant_timestamp: Time | None = None


def _no_time() -> NoReturn:
    raise errors.DecodeError("a row has no time")


def read_trades(answer: Bulk[TradeRow], *, symbol: str) -> Page[Rows[Trade]]:
    """One page of trades."""
    late = answer.envelope.is_delayed

    def read(rows: list[TradeRow]) -> list[Trade]:
        return [
            Trade(
                symbol,
                row.sip_timestamp
                or row.participant_timestamp
                or row.received_timestamp
                or _no_time(),
                PROVIDER,
                row.price,
                row.size if row.decimal_size is None else number(row.decimal_size),
                "" if row.id is None else str(row.id),
                WORDS[row.exchange],
                WORD_LISTS[row.conditions],
                WORDS[row.tape],
                None,
                WORDS[row.correction or None],
                is_delayed=late,
            )
            for row in rows
        ]

    return Page(read_good_rows(answer, read), next_target(answer.envelope.next_url))


def read_quotes(answer: Bulk[QuoteRow], *, symbol: str) -> Page[Rows[Quote]]:
    """One page of quotes."""
    late = answer.envelope.is_delayed

    def read(rows: list[QuoteRow]) -> list[Quote]:
        return [
            Quote(
                symbol,
                row.sip_timestamp or row.participant_timestamp or _no_time(),
                PROVIDER,
                row.bid_price,
                row.ask_price,
                row.bid_size,
                row.ask_size,
                WORDS[row.bid_exchange or None],
                WORDS[row.ask_exchange or None],
                WORD_LISTS[row.conditions],
                WORDS[row.tape],
                is_delayed=late,
            )
            for row in rows
        ]

    return Page(read_good_rows(answer, read), next_target(answer.envelope.next_url))


def _span(start: Moment | None, end: Moment | None) -> dict[str, QueryValue]:
    first, last = nanoseconds(start), nanoseconds(end)
    # A day and a time are not compared: which zone's day it is, the vendor knows.
    pair: Any = (first, last)
    if type(first) is type(last) and first is not None and pair[1] <= pair[0]:
        raise errors.InvalidRequestError(
            f"end: {end} is not after {start}; ticks are those from start until before end"
        )
    return {"timestamp.gte": first, "timestamp.lt": last}


def _between(
    ticker: str, start: Moment | None, end: Moment | None, order: str, limit: int | None
) -> Parts:
    query = {
        **_span(start, end),
        "order": order,
        "sort": "timestamp",
        "limit": at_most(MAX_LIMIT, limit),
    }
    return Parts(path={"ticker": checked(ticker)}, query=query, context={"symbol": ticker})


_history: dict[str, Any] = {"priority": Priority.HISTORY, "max_body": LONG}


@api.get("/v3/trades/{ticker}", returns=read_trades, decode=bulk_decoder(TradeRow), **_history)
def trades(
    ticker: str,
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    order: str = "asc",
    limit: int | None = None,
) -> Parts:
    """Trades of a stock, an option or a crypto pair, from ``start`` until before ``end``."""
    return _between(ticker, start, end, order, limit)


@api.get("/v3/quotes/{ticker}", returns=read_quotes, decode=bulk_decoder(QuoteRow), **_history)
def quotes(
    ticker: str,
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    order: str = "asc",
    limit: int | None = None,
) -> Parts:
    """Quotes of a stock, an option or a currency pair, from ``start`` until before ``end``."""
    return _between(ticker, start, end, order, limit)


def _option_between(
    ticker: str, start: Moment | None, end: Moment | None, order: str, limit: int | None
) -> Parts:
    query = {**_span(start, end), "sort": f"timestamp.{order}", "limit": at_most(MAX_LIMIT, limit)}
    return Parts(path={"ticker": checked(ticker)}, query=query, context={"symbol": ticker})


@api.get(
    "/options/v3/trades/{ticker}", returns=read_trades, decode=bulk_decoder(TradeRow), **_history
)
def option_trades(
    ticker: str,
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    order: str = "asc",
    limit: int | None = None,
) -> Parts:
    """Trades of an option, by the newer path that takes the place of ``/v3/trades``."""
    return _option_between(ticker, start, end, order, limit)


@api.get(
    "/options/v3/quotes/{ticker}", returns=read_quotes, decode=bulk_decoder(QuoteRow), **_history
)
def option_quotes(
    ticker: str,
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    order: str = "asc",
    limit: int | None = None,
) -> Parts:
    """Quotes of an option, by the newer path that takes the place of ``/v3/quotes``."""
    return _option_between(ticker, start, end, order, limit)
