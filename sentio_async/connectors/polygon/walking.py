"""A session with Massive, and how its pages are walked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar, cast

from sentio_async import errors
from sentio_async.base import DataProviderConnector
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.config import ConnectorConfig
from sentio_async.connectors.polygon import wire
from sentio_async.connectors.polygon.config import PolygonConfig
from sentio_async.events import Listener
from sentio_async.http.auth import BearerAuth
from sentio_async.http.client import AsyncClient, Resources
from sentio_async.http.endpoint import Call
from sentio_async.models import Page
from sentio_async.resilience.limiter import Window

__all__ = ["PolygonSession"]

T = TypeVar("T")

# Paid plans have no limit; the vendor asks to stay under 100 a second.
_ADVISED = (Window(100, 1.0),)


class PolygonSession(DataProviderConnector):
    """Sends calls to Massive with the key in a header, never in a URL."""

    vendor = "polygon"
    Config: ClassVar[type[ConnectorConfig]] = PolygonConfig
    _config: PolygonConfig

    def __init__(
        self,
        config: Mapping[str, Any] | ConnectorConfig | None = None,
        *,
        client: AsyncClient | None = None,
        resources: Resources | None = None,
        listeners: Sequence[Listener] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(
            config, client=client, resources=resources, listeners=listeners, clock=clock
        )
        key = self._config.api_key
        self._session = self._open_session(
            self._config.base_url,
            auth=BearerAuth(key),
            buckets={"default": _ADVISED},
            credential=key.get_secret_value(),
        )

    async def _check(self) -> str | None:
        await self._session.send(wire.status.market_status())
        return None

    async def _pages(self, call: Call[Any]) -> AsyncIterator[Any]:
        """Page after page; a failure on any of them is raised, never an end.

        An answer that has no pages is the only one.
        """
        walk = wire.Walk(call, max_pages=self._config.max_pages)
        further: Call[Any] | None = call
        while further is not None:
            answer = await self._session.send(further)
            page = answer if isinstance(answer, Page) else Page(answer)
            yield page.items
            further = walk.next(further, page.next)

    async def _rows(self, call: Call[Page[Any]], limit: int | None = None) -> AsyncIterator[Any]:
        """Row after row, at most ``limit``; no page is asked for that is not needed."""
        left = limit
        if left == 0:
            return
        async for page in self._pages(call):
            for row in cast("Iterable[Any]", page):
                yield row
                if left is not None:
                    left -= 1
                    if left == 0:
                        return

    async def _about(self, symbol: str, call: Call[T]) -> T:
        """The answer about one symbol; the vendor's 404 is a symbol that is not there."""
        try:
            return await self._session.send(call)
        except errors.NotFoundError as exc:
            raise errors.SymbolNotFoundError(
                f"{symbol}: {exc.message}",
                symbol=symbol,
                connector=exc.connector,
                operation=exc.operation,
                request=exc.request,
            ) from exc
