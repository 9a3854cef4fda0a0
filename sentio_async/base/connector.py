"""What every connector is: a life, a health, and the calls of its role.

A vendor's class overrides the calls its vendor offers and lists them in ``capabilities``; every
other call raises ``NotSupportedError`` and names who offers it.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, NoReturn, Self, TypeVar

from sentio_async import errors
from sentio_async.base.chores import END_WITHIN, Chore, Chores
from sentio_async.clock import SYSTEM_CLOCK, Clock
from sentio_async.config import ConnectorConfig, check_url, load_config
from sentio_async.events import Listener
from sentio_async.http.auth import Auth
from sentio_async.http.client import AsyncClient, Resources
from sentio_async.http.redaction import Hidden
from sentio_async.http.session import Session
from sentio_async.models.health import ConnectorStatus, HealthReport, HealthStatus
from sentio_async.resilience.limiter import Window

__all__ = ["BaseConnector", "Capability", "Role"]


T = TypeVar("T")


class Role(StrEnum):
    """What a connector is for."""

    BROKER = "broker"
    DATA = "data_provider"
    NOTIFICATION = "notification"


class Capability(StrEnum):
    """What a vendor can do; the contract suite tests each one that a connector declares."""

    # Brokers
    MARKET_ORDERS = "market_orders"
    LIMIT_ORDERS = "limit_orders"
    STOP_ORDERS = "stop_orders"
    TRAILING_STOPS = "trailing_stops"
    FRACTIONAL_ORDERS = "fractional_orders"
    NOTIONAL_ORDERS = "notional_orders"
    BRACKET_ORDERS = "bracket_orders"
    MULTI_LEG_ORDERS = "multi_leg_orders"
    EXTENDED_HOURS = "extended_hours"
    CLIENT_ORDER_IDS = "client_order_ids"
    REPLACE_ORDERS = "replace_orders"
    CANCEL_ALL = "cancel_all"
    CLOSE_POSITIONS = "close_positions"
    ACTIVITIES = "activities"
    PORTFOLIO_HISTORY = "portfolio_history"
    ASSETS = "assets"
    OPTION_CONTRACTS = "option_contracts"
    CLOCK = "clock"
    CALENDAR = "calendar"
    WATCHLISTS = "watchlists"
    PAPER_TRADING = "paper_trading"
    # Market data
    QUOTES = "quotes"
    BATCH_QUOTES = "batch_quotes"
    TRADES = "trades"
    SNAPSHOTS = "snapshots"
    BARS = "bars"
    TICK_HISTORY = "tick_history"
    MARKET_STATUS = "market_status"
    NEWS = "news"
    OPTION_CHAINS = "option_chains"
    CORPORATE_ACTIONS = "corporate_actions"
    REFERENCE = "reference"
    INDICATORS = "indicators"
    CRYPTO = "crypto"
    FOREX = "forex"
    # Streams, of both
    ORDER_UPDATES = "order_updates"
    QUOTE_STREAM = "quote_stream"
    # Notifications
    RECIPIENTS = "recipients"
    HTML = "html"
    ATTACHMENTS = "attachments"
    SIGNATURES = "signatures"


class BaseConnector:
    """One vendor, in one role.

    ``config`` is a mapping, the vendor's own model, or None for the environment alone.
    ``client`` is any ``httpx.AsyncClient``; it is never closed here.  ``resources`` is what the
    connectors of one hub share.  Use it as ``async with``, or call ``connect`` and ``disconnect``.
    """

    vendor: ClassVar[str]
    role: ClassVar[Role]
    Config: ClassVar[type[ConnectorConfig]] = ConnectorConfig
    capabilities: ClassVar[frozenset[Capability]] = frozenset()

    def __init__(
        self,
        config: Mapping[str, Any] | ConnectorConfig | None = None,
        *,
        client: AsyncClient | None = None,
        resources: Resources | None = None,
        listeners: Sequence[Listener] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if client is not None and resources is not None:
            raise errors.ConfigurationError("give client or resources, not both")
        self._config = load_config(self.Config, config)
        self._resources = resources or Resources(client=client, listeners=listeners, clock=clock)
        self._clock = self._resources.clock
        self._chores = Chores(self.name, self._clock)
        self._sessions: list[Session] = []
        self._main: Session | None = None
        self._connected_at: datetime | None = None
        self._connecting: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
        # Late answers may still be logged after disconnect, so they stay hidden until the end.
        self._hidden = Hidden(*self._config.secrets())
        self._set_up()

    def _open_session(
        self,
        base_url: str,
        *,
        auth: Auth,
        buckets: Mapping[str, Sequence[Window]] | None = None,
        credential: str = "",
        has_orders: bool | None = None,
        is_main: bool = True,
    ) -> Session:
        """A session to one host of the vendor; ``credential`` tells whose quota it uses.

        A host that takes orders keeps a slot of its quota for them; if None, those of brokers do.
        One that is there for something else, such as the login, is none of the main ones.
        """
        try:
            check_url(base_url, allow_plain_http=self._config.allow_plain_http)
        except ValueError as exc:
            # Settings are checked as they are read; this one had a name that nobody knew.
            raise errors.ConfigurationError(str(exc), connector=self.name) from None
        session = Session(
            self._config,
            base_url,
            auth=auth,
            resources=self._resources,
            buckets=buckets,
            credential=credential,
            has_orders=is_main and self.role is Role.BROKER if has_orders is None else has_orders,
        )
        self._sessions.append(session)
        if is_main and self._main is None:
            self._main = session
        return session

    def _shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """What connectors of one hub have in common under a key, such as the tokens of a login.

        Made for the first of them, and gone with the last.
        """
        shared = self._resources.shared
        thing = shared.get(key)
        if thing is None:
            shared[key] = thing = make()
        found: T = thing
        return found

    def _repeat(self, every: float, chore: Chore) -> None:
        """Do this every so many seconds while connected; to be said in ``_set_up``.

        While it fails, health checks say that this is degraded, and why.
        """
        self._chores.add(every, chore)

    @property
    def name(self) -> str:
        """What this connector is called in logs and reports."""
        return self._config.label

    @property
    def is_connected(self) -> bool:
        """``connect`` has succeeded and ``disconnect`` was not called since."""
        return self._connected_at is not None

    def supports(self, capability: Capability | str) -> bool:
        """Whether this vendor offers it."""
        return capability in self.capabilities

    async def connect(self) -> None:
        """Reach the vendor and see that the credentials are right; a second call does nothing."""
        async with self._one_at_a_time():
            await self._connect()

    def _one_at_a_time(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if self._connecting is None or self._connecting[0] is not loop:
            # A lock belongs to the loop in which somebody first had to wait for it.
            self._connecting = (loop, asyncio.Lock())
        return self._connecting[1]

    async def _connect(self) -> None:
        if self.is_connected:
            self._chores.begin()
            return
        self._resources.enter()
        try:
            await self._check()
            await self._open()
        except BaseException as exc:
            if isinstance(exc, errors.AuthenticationError) and (known := self._config.origins()):
                exc.add_note(f"tried with {known}")
            await self._resources.leave()
            raise
        self._connected_at = self._clock.utcnow()
        self._chores.begin()

    async def warm(self, connections: int) -> None:
        """Open so many connections to the vendor's main host, so that a burst finds them open.

        ``connect`` has opened one, which is enough for calls one after the other.  They close
        when they have had nothing to do for half a minute.
        """
        if self._main is not None:
            await self._main.warm(connections)

    async def disconnect(self) -> None:
        """Let go of what ``connect`` and calls without it took; a second call does nothing.

        A ``connect`` under way is waited for first.  Uses are not counted: whoever disconnects,
        be it by leaving an inner ``async with``, disconnects for all who share this connector.
        """
        async with self._one_at_a_time():
            was_connected, self._connected_at = self.is_connected, None
            chores = self._chores.end()
        try:
            if chores:
                await asyncio.wait(chores, timeout=END_WITHIN)
            await self._close()
        finally:
            # Also when cancelled meanwhile: nobody else would ever leave in its place.
            if was_connected:
                await self._resources.leave()
            else:
                await self._resources.close_if_unused()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.disconnect()

    async def health_check(self) -> HealthReport:
        """Ask the vendor something cheap; a failure is a report, not an exception."""
        started = self._clock.time()
        try:
            reason = await self._check() or self._chores.problem
        except errors.ConnectorError as exc:
            return self._report(_status_of(exc), reason=f"{type(exc).__name__}: {exc}")
        latency = self._clock.time() - started
        status = HealthStatus.HEALTHY if reason is None else HealthStatus.DEGRADED
        return self._report(status, latency=latency, reason=reason)

    def _report(
        self, status: HealthStatus, *, latency: float | None = None, reason: str | None = None
    ) -> HealthReport:
        return HealthReport(
            connector=self.name,
            status=status,
            checked_at=self._clock.utcnow(),
            latency=latency,
            reason=reason,
        )

    def get_status(self) -> ConnectorStatus:
        """What is known without asking anybody; costs nothing and never fails."""
        successes = [s.stats.last_success_at for s in self._sessions if s.stats.last_success_at]
        problems = [s.stats.last_error for s in self._sessions if s.stats.last_error]
        return ConnectorStatus(
            connector=self.name,
            vendor=self.vendor,
            role=self.role.value,
            is_connected=self.is_connected,
            connected_at=self._connected_at,
            breakers={
                f"{session.host} {kind}": breaker.state.value
                for session in self._sessions
                for kind, breaker in session.breakers.items()
            },
            in_flight=sum(session.in_flight for session in self._sessions),
            last_success_at=max(successes, default=None),
            last_error=problems[-1] if problems else None,
        )

    def _set_up(self) -> None:
        """Make what calls need, such as sessions, from the settings; does no I/O."""

    async def _check(self) -> str | None:
        """Ask the vendor something cheap; a text says what is not quite right."""
        raise NotImplementedError

    async def _open(self) -> None:
        """Make ready what calls need, once the credentials are known to be right."""

    async def _close(self) -> None:
        """Let go of what this vendor holds besides the shared client."""

    def _unsupported(self, capability: Capability) -> NoReturn:
        # The vendors' table is above this layer, and is asked for a hint only.
        table = importlib.import_module("sentio_async.connectors")
        offering = table.vendors_offering(capability, self.role)
        others = tuple(vendor for vendor in offering if vendor != self.vendor)
        hint = f"; {', '.join(others)} can" if others else ""
        raise errors.NotSupportedError(
            f"{capability.value.replace('_', ' ')}: not offered{hint}",
            available_from=others,
            connector=self.name,
        )

    def __repr__(self) -> str:
        if "_connected_at" not in self.__dict__:
            # Tracebacks with locals show it while its settings are being refused.
            return f"<{type(self).__name__} not configured>"
        state = "connected" if self.is_connected else "not connected"
        return f"<{type(self).__name__} {self.name!r} {state}>"


def _status_of(exc: errors.ConnectorError) -> HealthStatus:
    # Throttled is not broken.
    if isinstance(exc, errors.RateLimitError):
        return HealthStatus.DEGRADED
    return HealthStatus.UNHEALTHY
