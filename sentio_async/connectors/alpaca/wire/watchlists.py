"""Watchlists: named lists of symbols, addressed by id or by name.

https://docs.alpaca.markets/reference/getwatchlists-1
"""

from __future__ import annotations

from collections.abc import Iterable

from sentio_async.connectors.alpaca.wire.api import api, names, no_body, nothing
from sentio_async.http.endpoint import Parts
from sentio_async.http.reading import read_rows
from sentio_async.http.wire_json import Json
from sentio_async.models import Rows, Watchlist

__all__ = [
    "add_to_watchlist",
    "add_to_watchlist_named",
    "create_watchlist",
    "delete_watchlist",
    "delete_watchlist_named",
    "read_watchlist",
    "read_watchlists",
    "remove_from_watchlist",
    "update_watchlist",
    "update_watchlist_named",
    "watchlist",
    "watchlist_named",
    "watchlists",
]


def read_watchlist(raw: Json) -> Watchlist:
    """A watchlist; the list of all of them comes without symbols."""
    return Watchlist(
        id=raw["id"],
        name=raw["name"],
        symbols=tuple(asset["symbol"] for asset in raw.get("assets") or ()),
        raw=raw,
    )


def read_watchlists(raw: Json) -> Rows[Watchlist]:
    """Watchlists, beside the reasons for those that could not be read."""
    return read_rows(raw, read_watchlist, what="watchlists")


def _write(name: str, symbols: Iterable[str] | None) -> dict[str, Json]:
    return {"name": name} if symbols is None else {"name": name, "symbols": names(symbols) or ()}


@api.get("/v2/watchlists", returns=read_watchlists)
def watchlists() -> Parts:
    """The account's watchlists, without their symbols."""
    return Parts()


@api.post("/v2/watchlists", returns=read_watchlist)
def create_watchlist(name: str, symbols: Iterable[str] = ()) -> Parts:
    """Create a watchlist."""
    return Parts(json=_write(name, symbols))


@api.get("/v2/watchlists/{watchlist_id}", returns=read_watchlist)
def watchlist(watchlist_id: str) -> Parts:
    """One watchlist with its symbols."""
    return Parts(path={"watchlist_id": watchlist_id})


# A PUT says what is to be, so saying it twice changes nothing.
@api.put("/v2/watchlists/{watchlist_id}", returns=read_watchlist, repeatable=True)
def update_watchlist(
    watchlist_id: str, *, name: str, symbols: Iterable[str] | None = None
) -> Parts:
    """Rename a watchlist, or give it other symbols."""
    return Parts(path={"watchlist_id": watchlist_id}, json=_write(name, symbols))


@api.post("/v2/watchlists/{watchlist_id}", returns=read_watchlist)
def add_to_watchlist(watchlist_id: str, symbol: str) -> Parts:
    """Add a symbol."""
    return Parts(path={"watchlist_id": watchlist_id}, json={"symbol": symbol})


@api.delete("/v2/watchlists/{watchlist_id}", returns=nothing, decode=no_body)
def delete_watchlist(watchlist_id: str) -> Parts:
    """Delete a watchlist."""
    return Parts(path={"watchlist_id": watchlist_id})


@api.delete("/v2/watchlists/{watchlist_id}/{symbol}", returns=read_watchlist)
def remove_from_watchlist(watchlist_id: str, symbol: str) -> Parts:
    """Remove a symbol."""
    return Parts(path={"watchlist_id": watchlist_id, "symbol": symbol})


@api.get("/v2/watchlists:by_name", returns=read_watchlist)
def watchlist_named(name: str) -> Parts:
    """One watchlist with its symbols, by name."""
    return Parts(query={"name": name})


# Not repeatable: after a new name was given, the old one is not found.
@api.put("/v2/watchlists:by_name", returns=read_watchlist)
def update_watchlist_named(
    name: str, *, new_name: str | None = None, symbols: Iterable[str] | None = None
) -> Parts:
    """Rename a watchlist, or give it other symbols, by name."""
    return Parts(query={"name": name}, json=_write(new_name or name, symbols))


@api.post("/v2/watchlists:by_name", returns=read_watchlist)
def add_to_watchlist_named(name: str, symbol: str) -> Parts:
    """Add a symbol, by the watchlist's name."""
    return Parts(query={"name": name}, json={"symbol": symbol})


@api.delete("/v2/watchlists:by_name", returns=nothing, decode=no_body)
def delete_watchlist_named(name: str) -> Parts:
    """Delete a watchlist, by name."""
    return Parts(query={"name": name})
