"""Which calls give the latest of some tickers, in the fewest requests, and what they answered.

Stocks alone: snapshots v2, whose tickers stand in the query; mixed kinds: snapshots v3, 250 each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sentio_async import errors
from sentio_async.connectors.polygon.wire import last
from sentio_async.connectors.polygon.wire.envelope import PROVIDER
from sentio_async.connectors.polygon.wire.snapshots import (
    crypto_snapshot,
    forex_snapshot,
    stock_snapshot,
    stock_snapshots,
)
from sentio_async.connectors.polygon.wire.tickers import asset_class
from sentio_async.connectors.polygon.wire.universal import universal_snapshots
from sentio_async.http.endpoint import Call
from sentio_async.models import AssetClass, Batch, Quote, Rows, Snapshot, Trade

__all__ = [
    "by_ticker",
    "chunks",
    "gathered",
    "has_pages",
    "is_stock",
    "one_quote",
    "one_snapshot",
    "one_trade",
    "packed",
    "quotes_of",
    "trade_in",
]

T = TypeVar("T")
Answer = Mapping[str, T | errors.ConnectorError] | errors.ConnectorError
"""What a packed call said by ticker, or why it failed."""
MAX_QUERY = 7_000
"""Servers refuse request lines over 8 KiB; the rest is for host, path and other parameters."""


def packed(tickers: Sequence[str], *, size: int) -> list[tuple[Call[Any], list[str]]]:
    """The calls that ask for all of these, each with the tickers that it asks for."""
    # Another kind has a colon after its letter; thousands are seen to have none at one look.
    are_stocks = ":" not in "".join(tickers) or all(
        asset_class(ticker) is AssetClass.STOCK for ticker in tickers
    )
    build = stock_snapshots if are_stocks else universal_snapshots
    return [(build(chunk), chunk) for chunk in chunks(tickers, size)]


def has_pages(call: Call[Any]) -> bool:
    """A packed call's answer may be one of several: only v3 has pages."""
    return call.endpoint is not stock_snapshots.endpoint


def chunks(tickers: Iterable[str], size: int) -> list[list[str]]:
    """The tickers in groups that one request can hold."""
    wanted = list(tickers)
    groups = [wanted[begin : begin + size] for begin in range(0, len(wanted), size)]
    if all(len(",".join(group)) < MAX_QUERY for group in groups):
        return groups
    groups = []
    room = 0
    for ticker in wanted:
        if not groups or len(groups[-1]) == size or room < len(ticker) + 1:
            groups.append([])
            room = MAX_QUERY
        groups[-1].append(ticker)
        room -= len(ticker) + 1
    return groups


def by_ticker(
    page: Rows[Snapshot], asked: Iterable[str]
) -> Mapping[str, Snapshot | errors.ConnectorError]:
    """The answer of a packed call of v2, which leaves out what it does not know."""
    found: dict[str, Snapshot | errors.ConnectorError] = {row.symbol: row for row in page}
    if page.skipped:
        # Whose rows these are is not known; those of unknown tickers they are not.
        reason = f"not among the rows that can be read ({page.skipped[0].reason})"
        missing = [ticker for ticker in asked if ticker not in found]
        found.update((t, errors.DecodeError(f"{t}: {reason}", connector=PROVIDER)) for t in missing)
    return found


def gathered(
    wanted: Iterable[str], chunks: Iterable[Iterable[str]], answers: Iterable[Answer[T]]
) -> Batch[T]:
    """One result for each ticker: what is in no answer is not known to the vendor.

    An answer that failed is the error of each ticker of its chunk.
    """
    found: dict[str, T | errors.ConnectorError] = {}
    for chunk, answer in zip(chunks, answers, strict=True):
        if isinstance(answer, errors.ConnectorError):
            found.update(dict.fromkeys(chunk, answer))
        else:
            found.update(answer)
    tickers = list(wanted)
    if len(found) == len(tickers) and list(found) == tickers:
        return Batch(found)
    return Batch({ticker: found.get(ticker) or _unknown(ticker) for ticker in tickers})


def _unknown(ticker: str) -> errors.SymbolNotFoundError:
    text = f"{ticker}: not known, or nothing about it today (tickers are case-sensitive)"
    return errors.SymbolNotFoundError(text, symbol=ticker, connector=PROVIDER)


def with_refused(asked: Mapping[str, errors.ConnectorError | None], answered: Batch[T]) -> Batch[T]:
    """The answers in the order of asking, with the errors of those that were not asked for."""
    if not any(asked.values()):
        return answered
    found = answered.to_dict()
    return Batch({ticker: refusal or found[ticker] for ticker, refusal in asked.items()})


def quotes_of(snapshots: Batch[Snapshot]) -> Batch[Quote]:
    """The quotes in snapshots; a snapshot without one is that ticker's error."""
    return Batch({ticker: _quote_of(ticker, found) for ticker, found in snapshots.items()})


def _quote_of(
    ticker: str, found: Snapshot | errors.ConnectorError
) -> Quote | errors.ConnectorError:
    if isinstance(found, errors.ConnectorError):
        return found
    if found.quote is None:
        text = f"{ticker}: the vendor has no quote of it now"
        return errors.SymbolNotFoundError(text, symbol=ticker, connector=PROVIDER)
    return found.quote


def trade_in(snapshot: Snapshot) -> Trade:
    """The last trade in a snapshot."""
    if snapshot.trade is None:
        text = f"{snapshot.symbol}: the vendor has no trade of it now"
        raise errors.SymbolNotFoundError(text, symbol=snapshot.symbol, connector=PROVIDER)
    return snapshot.trade


def is_stock(ticker: str) -> bool:
    """It is a stock, by its spelling."""
    return asset_class(ticker) is AssetClass.STOCK


def one_quote(ticker: str) -> Call[Quote] | None:
    """The one call that gives a quote of this kind of instrument; None where there is none."""
    match asset_class(ticker):
        case AssetClass.STOCK:
            return last.last_quote(ticker)
        case AssetClass.FOREX:
            return last.last_forex_quote(ticker)
    return None


def one_trade(ticker: str) -> Call[Trade] | None:
    """The one call that gives the last trade; crypto has it in its snapshot only."""
    match asset_class(ticker):
        case AssetClass.STOCK | AssetClass.OPTION:
            return last.last_trade(ticker)
    return None


def one_snapshot(ticker: str) -> Call[Snapshot] | None:
    """The one call that gives a snapshot; options and indices have theirs in v3 only."""
    match asset_class(ticker):
        case AssetClass.STOCK:
            return stock_snapshot(ticker)
        case AssetClass.CRYPTO:
            return crypto_snapshot(ticker)
        case AssetClass.FOREX:
            return forex_snapshot(ticker)
    return None
