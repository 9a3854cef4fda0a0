"""Market data that Alpaca has besides quotes, trades and bars."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from datetime import date
from functools import partial
from typing import Any, Literal, TypeVar

from sentio_async import errors
from sentio_async.base.symbols import symbols_of
from sentio_async.connectors.alpaca.batches import ask_about
from sentio_async.connectors.alpaca.data_rates import AlpacaRates
from sentio_async.connectors.alpaca.data_values import (
    ActiveStock,
    BookUpdate,
    DayAuctions,
    Movers,
    OrderBook,
)
from sentio_async.connectors.alpaca.wire import (
    data_crypto,
    data_news,
    data_options,
    data_screener,
    data_stock,
)
from sentio_async.connectors.alpaca.wire.data_api import ANY_TIME, Moment, Span
from sentio_async.connectors.alpaca.wire.data_pages import SpanPages
from sentio_async.http.endpoint import Call
from sentio_async.models import (
    Bar,
    Batch,
    CorporateAnnouncement,
    Imbalance,
    NewsArticle,
    OptionSnapshot,
    Page,
    PriceBand,
    TradingStatus,
)
from sentio_async.streams import Policy, Subscription

__all__ = ["AlpacaDataExtras"]

T = TypeVar("T")


class AlpacaDataExtras(AlpacaRates):
    """Options, order books, auctions, news, corporate actions, movers, codes."""

    _options_feed: str | None
    _location: str

    async def get_option_snapshots(self, contracts: Iterable[str]) -> Batch[OptionSnapshot]:
        """Quote, trade, greeks and implied volatility of many contracts, by OCC symbol."""
        return await ask_about(contracts, self._option_snapshots)

    async def _option_snapshots(self, contracts: Sequence[str]) -> Batch[OptionSnapshot]:
        ask = partial(data_options.option_snapshots, contracts, feed=self._options_feed)
        return await self._all_pages(ask, data_options.MOST_CONTRACTS)

    async def get_option_chain(self, underlying: str, **filters: Any) -> Batch[OptionSnapshot]:
        """The snapshots of an underlying's contracts, all pages of them.

        ``filters`` takes ``right strike_from strike_to expires_on expires_from expires_to root
        updated_since feed``.
        """
        filters = {"feed": self._options_feed, **filters}
        ask = partial(data_options.option_chain, underlying, **filters)
        return await self._all_pages(ask, data_options.MOST_SNAPSHOTS)

    async def _all_pages(
        self, ask: Callable[[Span], Call[Page[Batch[T]]]], page_size: int
    ) -> Batch[T]:
        found: dict[str, T | errors.ConnectorError] = {}
        pages = SpanPages(ANY_TIME, page_size=page_size)
        async with aclosing(self._walks.pages(ask, pages, count=len)) as answers:
            async for page in answers:
                found.update(page.items.items())
        return Batch(found)

    def iter_auctions(
        self,
        symbol: str,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
        **options: Any,
    ) -> AsyncIterator[DayAuctions]:
        """A stock's opening and closing auctions, day after day."""
        ask = partial(data_stock.auctions_of, symbol, **options)
        pages = SpanPages(Span(start=start, end=end), limit=limit)
        return self._walks.history(ask, pages, symbol)

    def stream_news(self, *symbols: str, buffer: int | None = None) -> Subscription[NewsArticle]:
        """Articles about some symbols as they appear; ``"*"`` for all."""
        return self._stream(("news",), symbols, Policy.DROP_OLDEST, buffer=buffer)

    def stream_statuses(self, *symbols: str) -> Subscription[TradingStatus]:
        """Halts and resumptions of stocks."""
        return self._stream(("statuses",), symbols, Policy.DROP_OLDEST)

    def stream_price_bands(self, *symbols: str) -> Subscription[PriceBand]:
        """Limit up, limit down: between which prices stocks may trade."""
        return self._stream(("bands",), symbols, Policy.CONFLATE)

    def stream_imbalances(self, *symbols: str) -> Subscription[Imbalance]:
        """Imbalances of auctions."""
        return self._stream(("imbalances",), symbols, Policy.CONFLATE)

    def stream_daily_bars(self, *symbols: str) -> Subscription[Bar]:
        """The day so far, every minute."""
        return self._stream(("daily_bars",), symbols, Policy.CONFLATE)

    def stream_order_books(self, *pairs: str) -> Subscription[BookUpdate]:
        """Order books of crypto pairs: first the whole book, then what changes."""
        return self._stream(("books",), pairs, Policy.DROP_OLDEST)

    async def get_order_books(self, pairs: Iterable[str]) -> Batch[OrderBook]:
        """The order books of crypto pairs."""
        ask = partial(data_crypto.crypto_books, location=self._location)
        return await self._ask_about(pairs, ask)

    def iter_news(
        self,
        symbols: Iterable[str] | None = None,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
        newest_first: bool = True,
        **options: Any,
    ) -> AsyncIterator[NewsArticle]:
        """Articles about some symbols or about everything, page after page.

        ``options`` takes ``content`` (the text too) and ``only_with_content``.
        """
        names = _some(symbols)
        span = Span(start=start, end=end, descending=newest_first)
        pages = SpanPages(span, limit=limit, page_size=data_news.MOST_ARTICLES)
        return self._walks.rows(lambda span: data_news.news(names, span, **options), pages)

    def iter_corporate_actions(
        self,
        symbols: Iterable[str] | None = None,
        *,
        start: date | None = None,
        end: date | None = None,
        limit: int | None = None,
        **filters: Any,
    ) -> AsyncIterator[CorporateAnnouncement]:
        """Dividends, splits, mergers and the like, by the day they are processed.

        Without dates, those of today.  ``filters`` takes ``kinds cusips ids region``.
        """
        names = _some(symbols)
        pages = SpanPages(Span(start=start, end=end), limit=limit, page_size=data_news.MOST_ACTIONS)
        ask = partial(data_news.corporate_actions, names, **filters)
        return self._walks.rows(ask, pages)

    async def get_movers(
        self, market: Literal["stocks", "crypto"] = "stocks", *, top: int = 10
    ) -> Movers:
        """The day's largest gains and losses, ``top`` of each."""
        return await self._session.send(data_screener.movers(market, top=top))

    async def get_most_actives(
        self, by: Literal["volume", "trades"] = "volume", *, top: int = 10
    ) -> list[ActiveStock]:
        """The day's most traded stocks."""
        return list(await self._session.send(data_screener.most_actives(by, top=top)))

    async def get_stock_exchanges(self) -> dict[str, str]:
        """Names of stock exchanges by the letter that quotes and trades carry."""
        return dict(await self._session.send(data_screener.stock_exchanges()))

    async def get_option_exchanges(self) -> dict[str, str]:
        """Names of option exchanges by the letter that quotes and trades carry."""
        return dict(await self._session.send(data_screener.option_exchanges()))

    async def get_stock_conditions(
        self, tick: Literal["trade", "quote"], tape: Literal["A", "B", "C"]
    ) -> dict[str, str]:
        """Names of the conditions that stocks on one tape carry, by code."""
        return dict(await self._session.send(data_screener.stock_conditions(tick, tape)))

    async def get_option_conditions(self, tick: Literal["trade", "quote"]) -> dict[str, str]:
        """Names of the conditions that options carry, by code."""
        return dict(await self._session.send(data_screener.option_conditions(tick)))


def _some(symbols: Iterable[str] | None) -> list[str] | None:
    """The symbols; None for all there are, which no symbols at all are not."""
    names = None if symbols is None else symbols_of(symbols)
    if names == []:
        raise errors.InvalidRequestError("symbols: at least one is needed; None is all of them")
    return names
