"""A FastAPI application with one hub: quotes, orders placed once, a health route.

uvicorn --app-dir examples fastapi_app:app
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, Header, Request, Response
from pydantic import BaseModel
from venue import settings_for

from sentio_async import (
    BrokerConnector,
    ConnectorHub,
    DataProviderConnector,
    HealthStatus,
    Order,
    OrderSide,
    Quote,
)


class Desk:
    """What the routes use."""

    def __init__(
        self, hub: ConnectorHub, broker: BrokerConnector, data: DataProviderConnector
    ) -> None:
        self.hub, self.broker, self.data = hub, broker, data


class Ticket(BaseModel):
    """What a caller wants."""

    symbol: str
    qty: int
    side: OrderSide


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the hub with the application, and close it with it."""
    async with settings_for("alpaca", "polygon") as settings, ConnectorHub() as hub:
        broker = hub.create_broker("alpaca", settings["alpaca"])
        data = hub.create_data_provider("polygon", settings["polygon"])
        await hub.connect()
        app.state.desk = Desk(hub, broker, data)
        yield


def the_desk(request: Request) -> Desk:
    """The application's connectors."""
    desk: Desk = request.app.state.desk
    return desk


app = FastAPI(lifespan=lifespan)
TheDesk = Annotated[Desk, Depends(the_desk)]
Key = Annotated[str, Header(alias="idempotency-key", min_length=8)]


@app.get("/quotes/{symbol}")
async def quote(symbol: str, desk: TheDesk) -> Quote:
    """The quote, at most a minute old."""
    return await desk.data.get_quote(symbol, max_age=60)


@app.post("/orders")
async def place(ticket: Ticket, key: Key, desk: TheDesk) -> Order:
    """An order, once for each key, however often the caller repeats it."""
    return await desk.broker.place_order(ticket.symbol, ticket.qty, ticket.side, intent_key=key)


@app.get("/health")
async def health(desk: TheDesk, response: Response) -> dict[str, object]:
    """503 as long as something is unhealthy; asks nobody."""
    summary = desk.hub.health.get_summary()
    if summary.status is HealthStatus.UNHEALTHY:
        response.status_code = 503
    return {"status": summary.status, "connectors": summary.connectors}


async def main() -> None:
    """Call the routes without a server."""
    transport = httpx.ASGITransport(app)
    async with (
        lifespan(app),
        httpx.AsyncClient(transport=transport, base_url="http://app") as client,
    ):
        print((await client.get("/quotes/AAPL")).json())
        ticket = {"symbol": "AAPL", "qty": 1, "side": "buy"}
        key = {"idempotency-key": "checkout-4711"}
        for _ in range(2):
            print((await client.post("/orders", json=ticket, headers=key)).json()["id"])
        await app.state.desk.hub.health.check_all()
        print((await client.get("/health")).json())


if __name__ == "__main__":
    asyncio.run(main())
