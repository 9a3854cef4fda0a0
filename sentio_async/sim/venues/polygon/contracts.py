"""Polygon's option contracts.

https://massive.com/docs/rest/options/contracts/all-contracts
"""

from datetime import date

from starlette.routing import BaseRoute

from sentio_async.sim.calendar import day_of
from sentio_async.sim.instruments import Contract, Instrument
from sentio_async.sim.state import State
from sentio_async.sim.venues.polygon.asking import (
    Ask,
    Json,
    filtered,
    missing,
    ordered,
    paged,
    route,
)
from sentio_async.sim.venues.polygon.tickers import find
from sentio_async.sim.venues.polygon.universal import details

FILTERS = ("underlying_ticker", "ticker", "contract_type", "expiration_date", "strike_price")


def routes(state: State) -> list[BaseRoute]:
    """All contracts, and one of them."""
    base = "/v3/reference/options/contracts"
    return [
        route(state, base, _contracts),
        route(state, f"{base}/{{ticker}}", _contract),
    ]


def _contracts(ask: Ask) -> Json:
    limit = ask.number("limit", 10, 1_000)
    text = ask.query.get("as_of")
    as_of = ask.day("as_of", text) if text else day_of(ask.now_ns)
    rows: list[Json] = []
    if not ask.flag("expired", False):
        rows = [_row(each) for stock in _stocks(ask) for each in _alive(ask, stock, as_of)]
    rows = ordered(ask, filtered(ask, rows, FILTERS), "ticker")
    return paged(ask, rows, limit)


def _stocks(ask: Ask) -> list[Instrument]:
    wanted = ask.query.get("underlying_ticker")
    listed = [each for each in ask.state.market.instruments if each.has_options]
    return [each for each in listed if wanted in (None, "", each.symbol)]


def _alive(ask: Ask, stock: Instrument, day: date) -> list[Contract]:
    chain = ask.state.market.instruments.chain(stock.symbol, day)
    return [each.contract for each in chain if each.contract is not None]


def _row(contract: Contract) -> Json:
    letter = "C" if contract.right == "call" else "P"
    return {
        **details(contract, f"O:{contract.symbol}"),
        "cfi": f"O{letter}ASPS",
        "primary_exchange": "BATO",
        "underlying_ticker": contract.underlying,
    }


def _contract(ask: Ask) -> Json:
    named = find(ask, ask.text("ticker"))
    contract = named.instrument.contract if named is not None and named.instrument else None
    if contract is None:
        raise missing("Options contract not found.")
    return ask.envelope(results=_row(contract))
