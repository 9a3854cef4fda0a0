"""The ways in which a session's request can leave."""

import functools

import pytest

from sentio_async.http import client, exchange
from token_vendor import Vendor

DOORS = ("direct", "ordinary", "stock")


@pytest.fixture(params=DOORS)
def door(request, monkeypatch):
    """Straight to our pool; through httpx to our pool; through httpx as it is."""
    if request.param != "direct":
        monkeypatch.setattr(exchange, "unheard", lambda _: None)
    if request.param == "stock":
        stock = functools.partial(client.open_client, stock=True)
        monkeypatch.setattr(client, "open_client", stock)
    return request.param


@pytest.fixture
async def vendor():
    """Somebody whose tokens run out."""
    async with Vendor() as vendor:
        yield vendor
