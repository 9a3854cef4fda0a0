"""Trades and quotes, one by one: history, and the last of each.

Times are SIP times, by which the vendor also filters and sorts; where there is none (forex,
crypto) they are the venue's.  https://massive.com/docs/rest/stocks/trades-quotes/trades
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from sentio_async.connectors.polygon.moments import MAX_NS, Moment, nanoseconds
from sentio_async.connectors.polygon.wire.bulk import Bulk, bulk_decoder, read_good_rows
from sentio_async.connectors.polygon.wire.envelope import PROVIDER, api, next_target, number
from sentio_async.connectors.polygon.wire.filters import at_most
from sentio_async.connectors.polygon.wire.tickers import checked
from sentio_async.http.endpoint import Parts, QueryValue
from sentio_async.models import Page, Quote, Rows, Trade
from sentio_async.resilience.limiter import Priority

__all__ = ["option_quotes", "option_trades", "quotes", "trades", "words"]

MAX_LIMIT = 50_000
Time = Annotated[int, msgspec.Meta(ge=0, le=MAX_NS)]


def words(codes: list[int] | None) -> tuple[str, ...]:
    """Condition codes as text."""
    return tuple(map(str, codes)) if codes else ()


def word_or_none(code: int | None) -> str | None:
    """A code as text."""
    return None if code is None else str(code)


class TradeRow(msgspec.Struct, gc=False):
    """One trade of the history."""

    price: float
    size: float = 0.0
    decimal_size: str | None = None
    id: str | int | None = None
    exchange: int | None = None
    conditions: list[int] | None = None
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
    conditions: list[int] | None = None
    tape: int | None = None
    sip_timestamp: Time | None = None
    participant_timestamp: Time | None = None


def _time(row: TradeRow | QuoteRow) -> int:
    return row.sip_timestamp or row.participant_timestamp or 0


def read_trades(answer: Bulk[TradeRow], *, symbol: str) -> Page[Rows[Trade]]:
    """One page of trades."""
    late = answer.envelope.is_delayed

    def read(row: TradeRow) -> Trade:
        return Trade(
            symbol=symbol,
            time_ns=_time(row) or row.received_timestamp or 0,
            provider=PROVIDER,
            is_delayed=late,
            price=row.price,
            size=row.size if row.decimal_size is None else number(row.decimal_size),
            id="" if row.id is None else str(row.id),
            exchange=word_or_none(row.exchange),
            conditions=words(row.conditions),
            tape=word_or_none(row.tape),
            correction=word_or_none(row.correction or None),
        )

    return Page(read_good_rows(answer, read), next_target(answer.envelope.next_url))


def read_quotes(answer: Bulk[QuoteRow], *, symbol: str) -> Page[Rows[Quote]]:
    """One page of quotes."""
    late = answer.envelope.is_delayed

    def read(row: QuoteRow) -> Quote:
        return Quote(
            symbol=symbol,
            time_ns=_time(row),
            provider=PROVIDER,
            is_delayed=late,
            bid=row.bid_price,
            ask=row.ask_price,
            bid_size=row.bid_size,
            ask_size=row.ask_size,
            bid_exchange=word_or_none(row.bid_exchange or None),
            ask_exchange=word_or_none(row.ask_exchange or None),
            conditions=words(row.conditions),
            tape=word_or_none(row.tape),
        )

    return Page(read_good_rows(answer, read), next_target(answer.envelope.next_url))


def _span(start: Moment | None, end: Moment | None) -> dict[str, QueryValue]:
    return {"timestamp.gte": nanoseconds(start), "timestamp.lt": nanoseconds(end)}


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


_history: dict[str, Any] = {"priority": Priority.HISTORY}


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
