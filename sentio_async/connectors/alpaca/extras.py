"""What Alpaca offers beyond the calls that every broker has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import date, datetime
from functools import partial
from typing import Any

from sentio_async.base import BrokerConnector
from sentio_async.connectors.alpaca.values import AccountSettings, AccountSettingsChange, Bond
from sentio_async.connectors.alpaca.wire import account, assets, positions, sessions, watchlists
from sentio_async.connectors.alpaca.wire.paging import IdPages, TokenPages
from sentio_async.http.session import Session
from sentio_async.models import (
    Activity,
    CorporateAnnouncement,
    Fill,
    MarketClock,
    OptionContract,
    Page,
    Rows,
    TradingDay,
    Watchlist,
)

__all__ = ["AlpacaExtras"]


class AlpacaExtras(BrokerConnector):
    """Options, bonds, watchlists, announcements, settings, other markets' hours."""

    _session: Session

    async def get_account_settings(self) -> AccountSettings:
        """How the account is set up."""
        return await self._session.send(account.account_settings())

    async def change_account_settings(self, change: AccountSettingsChange) -> AccountSettings:
        """Change how the account is set up; the answer is how it is set up now."""
        return await self._session.send(account.change_account_settings(change))

    async def iter_fills(self, **filters: Any) -> AsyncIterator[Fill]:
        """Every execution, page after page, the newest first unless ``direction="asc"``."""
        pages = IdPages(account.fills, **filters)
        while (call := pages.next()) is not None:
            for fill in pages.take(await self._session.send(call)):
                yield fill

    async def iter_activities_of(
        self, activity_type: str, **filters: Any
    ) -> AsyncIterator[Activity]:
        """The activities of one type such as ``DIV``, page after page."""
        pages = IdPages(partial(account.activities_of, activity_type), **filters)
        while (call := pages.next()) is not None:
            for activity in pages.take(await self._session.send(call)):
                yield activity

    async def get_option_contracts(self, **filters: Any) -> Page[Rows[OptionContract]]:
        """A page of listed options; ``page_token`` takes the ``next`` of the page before."""
        return await self._session.send(assets.option_contracts(**filters))

    async def iter_option_contracts(self, **filters: Any) -> AsyncIterator[OptionContract]:
        """Every listed option that fits, page after page."""
        pages = TokenPages(assets.option_contracts, **filters)
        while (call := pages.next()) is not None:
            for contract in pages.take(await self._session.send(call)):
                yield contract

    async def get_option_contract(self, symbol: str) -> OptionContract:
        """One listed option, by symbol or id."""
        return await self._session.send(assets.option_contract(symbol))

    async def exercise_option(self, contract: str) -> None:
        """Exercise all options held of a contract."""
        await self._session.send(positions.exercise(contract))

    async def do_not_exercise_option(self, contract: str) -> None:
        """Let the options held of a contract expire, although they are in the money."""
        await self._session.send(positions.do_not_exercise(contract))

    async def get_us_treasuries(self, **filters: Any) -> Rows[Bond]:
        """US treasuries."""
        return await self._session.send(assets.us_treasuries(**filters))

    async def get_us_corporates(self, **filters: Any) -> Rows[Bond]:
        """Bonds of US companies."""
        return await self._session.send(assets.us_corporates(**filters))

    async def get_announcements(
        self, types: Iterable[str], since: date, until: date, **filters: Any
    ) -> Rows[CorporateAnnouncement]:
        """Dividends, splits, mergers and spin-offs announced within 90 days at most."""
        call = assets.announcements(types=types, since=since, until=until, **filters)
        return await self._session.send(call)

    async def get_announcement(self, announcement_id: str) -> CorporateAnnouncement:
        """One announcement."""
        return await self._session.send(assets.announcement(announcement_id))

    async def get_market_clocks(
        self, markets: Iterable[str] = (), *, at: datetime | None = None
    ) -> Rows[MarketClock]:
        """Whether markets such as ``NYSE`` or ``XLON`` are open, now or at another time."""
        return await self._session.send(sessions.market_clocks(markets=markets, at=at))

    async def get_market_calendar(
        self, market: str, start: date | None = None, end: date | None = None
    ) -> Rows[TradingDay]:
        """The sessions of one market."""
        return await self._session.send(sessions.market_calendar(market, start=start, end=end))

    async def get_watchlists(self) -> Rows[Watchlist]:
        """The account's watchlists, without their symbols."""
        return await self._session.send(watchlists.watchlists())

    async def get_watchlist(self, watchlist_id: str) -> Watchlist:
        """One watchlist with its symbols."""
        return await self._session.send(watchlists.watchlist(watchlist_id))

    async def get_watchlist_named(self, name: str) -> Watchlist:
        """One watchlist with its symbols, by name."""
        return await self._session.send(watchlists.watchlist_named(name))

    async def create_watchlist(self, name: str, symbols: Iterable[str] = ()) -> Watchlist:
        """Create a watchlist."""
        return await self._session.send(watchlists.create_watchlist(name, symbols))

    async def update_watchlist(
        self, watchlist_id: str, *, name: str, symbols: Iterable[str] | None = None
    ) -> Watchlist:
        """Rename a watchlist, or give it other symbols."""
        call = watchlists.update_watchlist(watchlist_id, name=name, symbols=symbols)
        return await self._session.send(call)

    async def update_watchlist_named(
        self, name: str, *, new_name: str | None = None, symbols: Iterable[str] | None = None
    ) -> Watchlist:
        """Rename a watchlist, or give it other symbols, by name."""
        call = watchlists.update_watchlist_named(name, new_name=new_name, symbols=symbols)
        return await self._session.send(call)

    async def add_to_watchlist(self, watchlist_id: str, symbol: str) -> Watchlist:
        """Add a symbol to a watchlist."""
        return await self._session.send(watchlists.add_to_watchlist(watchlist_id, symbol))

    async def add_to_watchlist_named(self, name: str, symbol: str) -> Watchlist:
        """Add a symbol to a watchlist, by name."""
        return await self._session.send(watchlists.add_to_watchlist_named(name, symbol))

    async def remove_from_watchlist(self, watchlist_id: str, symbol: str) -> Watchlist:
        """Remove a symbol from a watchlist."""
        return await self._session.send(watchlists.remove_from_watchlist(watchlist_id, symbol))

    async def delete_watchlist(self, watchlist_id: str) -> None:
        """Delete a watchlist."""
        await self._session.send(watchlists.delete_watchlist(watchlist_id))

    async def delete_watchlist_named(self, name: str) -> None:
        """Delete a watchlist, by name."""
        await self._session.send(watchlists.delete_watchlist_named(name))
