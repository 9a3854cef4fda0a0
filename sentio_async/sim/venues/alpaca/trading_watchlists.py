"""Watchlists: named lists of symbols, found by id or by name."""

from typing import Any

from starlette.responses import Response

from sentio_async.sim.ledger import Watchlist
from sentio_async.sim.venues.alpaca.trading_asking import (
    Asked,
    malformed,
    not_found,
    text_of,
    unprocessable,
)
from sentio_async.sim.venues.alpaca.trading_wire import asset_row, stamp

LONGEST_NAME = 64


def listed(asked: Asked) -> list[dict[str, Any]]:
    """GET /v2/watchlists"""
    return [_row(asked, each) for each in asked.account.watchlists.values()]


def create(asked: Asked) -> dict[str, Any]:
    """POST /v2/watchlists"""
    name = _name(asked, None)
    if not name:
        raise malformed("watchlist name is required")
    now = asked.clock.now_ns()
    made = Watchlist(asked.engine.new_id(), name, _symbols(asked) or [], now, now)
    asked.account.watchlists[made.id] = made
    return _full(asked, made)


def found(asked: Asked) -> dict[str, Any]:
    """GET /v2/watchlists/{watchlist_id} and /v2/watchlists:by_name"""
    return _full(asked, _find(asked))


def update(asked: Asked) -> dict[str, Any]:
    """PUT /v2/watchlists/{watchlist_id} and /v2/watchlists:by_name"""
    watchlist = _find(asked)
    name, symbols = _name(asked, watchlist), _symbols(asked)
    watchlist.name = name or watchlist.name
    if symbols is not None:
        watchlist.symbols = symbols
    watchlist.updated_ns = asked.clock.now_ns()
    return _full(asked, watchlist)


def add(asked: Asked) -> dict[str, Any]:
    """POST /v2/watchlists/{watchlist_id} and /v2/watchlists:by_name"""
    watchlist = _find(asked)
    symbol = _known(asked, text_of(asked.body, "symbol"))
    if symbol in watchlist.symbols:
        raise unprocessable("duplicate symbol")
    watchlist.symbols.append(symbol)
    watchlist.updated_ns = asked.clock.now_ns()
    return _full(asked, watchlist)


def remove(asked: Asked) -> dict[str, Any]:
    """DELETE /v2/watchlists/{watchlist_id}/{symbol}"""
    watchlist = _find(asked)
    instrument = asked.instruments.get(asked.path["symbol"])
    if instrument is None or instrument.symbol not in watchlist.symbols:
        raise not_found("symbol not found in watchlist")
    watchlist.symbols.remove(instrument.symbol)
    watchlist.updated_ns = asked.clock.now_ns()
    return _full(asked, watchlist)


def delete(asked: Asked) -> Response:
    """DELETE /v2/watchlists/{watchlist_id} and /v2/watchlists:by_name"""
    del asked.account.watchlists[_find(asked).id]
    return Response(status_code=204)


def _find(asked: Asked) -> Watchlist:
    id = asked.path.get("watchlist_id")
    name = asked.query.get("name")
    for each in asked.account.watchlists.values():
        if each.id == id or (id is None and each.name == name):
            return each
    raise not_found("watchlist not found")


def _name(asked: Asked, own: Watchlist | None) -> str:
    name = text_of(asked.body, "name").strip()
    if len(name) > LONGEST_NAME:
        raise malformed(f"watchlist name must be no more than {LONGEST_NAME} characters")
    others = (each for each in asked.account.watchlists.values() if each is not own)
    if any(each.name == name for each in others):
        raise unprocessable("watchlist name must be unique")
    return name


def _symbols(asked: Asked) -> list[str] | None:
    given = asked.body.get("symbols")
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise malformed("invalid symbols")
    return list(dict.fromkeys(_known(asked, each) for each in given))


def _known(asked: Asked, symbol: str) -> str:
    instrument = asked.instruments.get(symbol)
    if instrument is None:
        raise unprocessable(f"asset not found: {symbol}")
    return instrument.symbol


def _row(asked: Asked, watchlist: Watchlist) -> dict[str, Any]:
    return {
        "id": watchlist.id,
        "account_id": asked.account.id,
        "name": watchlist.name,
        "created_at": stamp(watchlist.created_ns),
        "updated_at": stamp(watchlist.updated_ns),
    }


def _full(asked: Asked, watchlist: Watchlist) -> dict[str, Any]:
    assets = [asked.instruments.get(symbol) for symbol in watchlist.symbols]
    return {**_row(asked, watchlist), "assets": [asset_row(each) for each in assets if each]}
