"""Alpaca's trading API v2, as its documentation describes it.

https://docs.alpaca.markets/reference/trading-api
Left out: wallets, perpetuals, tokenization, locates and the server-sent events.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sentio_async.sim.state import State
from sentio_async.sim.venues.alpaca import (
    trading_account,
    trading_assets,
    trading_history,
    trading_issues,
    trading_orders,
    trading_positions,
    trading_stream,
    trading_watchlists,
)
from sentio_async.sim.venues.alpaca.trading_asking import Handler, endpoint

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CONTRACTS = "/v2/options/contracts"
ACTIONS = "/v2/corporate_actions/announcements"
BONDS = "/v2/assets/fixed_income"

PATHS: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/v2/account", trading_account.account),
    ("GET", "/v2/account/configurations", trading_account.configurations),
    ("PATCH", "/v2/account/configurations", trading_account.configure),
    ("GET", "/v2/account/activities", trading_account.activities),
    ("GET", "/v2/account/activities/{activity_type}", trading_account.activities_of_type),
    ("GET", "/v2/account/portfolio/history", trading_history.history),
    ("GET", "/v2/assets", trading_assets.assets),
    ("GET", f"{BONDS}/us_treasuries", trading_issues.treasuries),
    ("GET", f"{BONDS}/us_corporates", trading_issues.corporates),
    ("GET", "/v2/assets/{symbol:path}", trading_assets.asset),
    ("GET", CONTRACTS, trading_assets.contracts),
    ("GET", CONTRACTS + "/{symbol}", trading_assets.contract),
    ("GET", "/v2/clock", trading_assets.clock),
    ("GET", "/v2/calendar", trading_assets.calendar),
    ("GET", "/v3/clock", trading_assets.clocks),
    ("GET", "/v3/calendar/{market}", trading_assets.market_calendar),
    ("POST", "/v2/orders", trading_orders.place),
    ("GET", "/v2/orders", trading_orders.listed),
    ("DELETE", "/v2/orders", trading_orders.cancel_all),
    ("GET", "/v2/orders:by_client_order_id", trading_orders.found_by_client_id),
    ("GET", "/v2/orders/{order_id}", trading_orders.found),
    ("PATCH", "/v2/orders/{order_id}", trading_orders.replace),
    ("DELETE", "/v2/orders/{order_id}", trading_orders.cancel),
    ("GET", "/v2/positions", trading_positions.listed),
    ("DELETE", "/v2/positions", trading_positions.close_all),
    ("POST", "/v2/positions/{symbol}/exercise", trading_positions.exercise),
    ("POST", "/v2/positions/{symbol}/do-not-exercise", trading_positions.do_not_exercise),
    ("GET", "/v2/positions/{symbol:path}", trading_positions.found),
    ("DELETE", "/v2/positions/{symbol:path}", trading_positions.close),
    ("GET", "/v2/watchlists", trading_watchlists.listed),
    ("POST", "/v2/watchlists", trading_watchlists.create),
    ("GET", "/v2/watchlists:by_name", trading_watchlists.found),
    ("PUT", "/v2/watchlists:by_name", trading_watchlists.update),
    ("POST", "/v2/watchlists:by_name", trading_watchlists.add),
    ("DELETE", "/v2/watchlists:by_name", trading_watchlists.delete),
    ("GET", "/v2/watchlists/{watchlist_id}", trading_watchlists.found),
    ("PUT", "/v2/watchlists/{watchlist_id}", trading_watchlists.update),
    ("POST", "/v2/watchlists/{watchlist_id}", trading_watchlists.add),
    ("DELETE", "/v2/watchlists/{watchlist_id}", trading_watchlists.delete),
    ("DELETE", "/v2/watchlists/{watchlist_id}/{symbol:path}", trading_watchlists.remove),
    ("GET", ACTIONS, trading_issues.announcements),
    ("GET", ACTIONS + "/{id}", trading_issues.announcement),
)


def routes(state: State) -> list[BaseRoute]:
    """The trading API's paths; any other answers 404 as Alpaca's does."""
    known: list[BaseRoute] = [
        Route(path, endpoint(state, handler), methods=[method]) for method, path, handler in PATHS
    ]
    return [
        *trading_stream.routes(state),
        *known,
        Route("/{rest:path}", _unknown, methods=list(METHODS)),
    ]


async def _unknown(request: Request) -> Response:
    del request
    return JSONResponse({"code": 40410000, "message": "endpoint not found."}, 404)
