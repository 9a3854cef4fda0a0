"""Polygon (Massive since October 2025): one REST host for every market.

https://massive.com/docs/rest/quickstart
Not served: futures, filings, the economy, partners' data (Benzinga, ETF Global, TMX, consumer
spending), which nothing on this exchange has; and the retired `/v1/historic`, `/v2/ticks`.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sentio_async.sim.state import State
from sentio_async.sim.venues.polygon import (
    aggregates,
    company,
    contracts,
    financials,
    indicators,
    market_status,
    reference,
    snapshots,
    stream,
    ticks,
    universal,
)
from sentio_async.sim.venues.polygon.asking import answer, request_id


def routes(state: State) -> list[BaseRoute]:
    """Everything the host answers."""
    found: list[BaseRoute] = [*stream.routes(state)]
    for part in (
        aggregates,
        ticks,
        snapshots,
        universal,
        reference,
        contracts,
        company,
        financials,
        market_status,
        indicators,
    ):
        found += part.routes(state)
    return [*found, Route("/{path:path}", _nowhere, methods=["GET", "POST", "PUT", "DELETE"])]


async def _nowhere(_request: Request) -> Response:
    body = {"status": "ERROR", "request_id": request_id(), "error": "Not Found"}
    return answer(404, body)
