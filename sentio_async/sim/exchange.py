"""The embedded exchange: every venue on its own loopback port, in the loop that is running."""

import asyncio
import importlib
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, Self, cast

from starlette.applications import Starlette
from starlette.types import ASGIApp

from sentio_async.sim.clock import SimClock, time_of
from sentio_async.sim.faults import FaultRule, FaultScript
from sentio_async.sim.faulty import Faulty
from sentio_async.sim.limits import ALPACA, POLYGON, Limited, Limits, Refusal
from sentio_async.sim.serving import Recorded, Server
from sentio_async.sim.settings import MailSettings, SinkSettings
from sentio_async.sim.state import START_CASH, Credential, Hook, Mail, Seen, State

if TYPE_CHECKING:
    from collections import deque

    from sentio_async.sim.market import Market
    from sentio_async.sim.matching import Engine
    from sentio_async.sim.prices import Hours
    from sentio_async.sim.streams import Streams

log = logging.getLogger("sentio_async.sim")

# How often the engine is told the time: orders fill within a blink, and an idle exchange costs
# about half a percent of one core.
TICK: Final = 0.02

# They open nothing but this process.
ALPACA_KEY: Final = "PKSIMULATEDEXCHANGE0"
ALPACA_SECRET: Final = "simulated-alpaca-secret"  # noqa: S105
POLYGON_KEY: Final = "simulated-polygon-key"
SMTP_USERNAME: Final = "bot@sentio.test"
SMTP_PASSWORD: Final = "simulated-mail-password"  # noqa: S105
SIGNING_SECRET: Final = "whsec_c2ltdWxhdGVkLXNpZ25pbmcta2V5LTAwMQ=="  # noqa: S105

# The module of each venue, and how it refuses who asks too often.
HTTP_VENUES: Final[Mapping[str, tuple[str, Refusal | None]]] = {
    "alpaca_trading": ("sentio_async.sim.venues.alpaca.trading", ALPACA),
    "alpaca_data": ("sentio_async.sim.venues.alpaca.data", ALPACA),
    "polygon": ("sentio_async.sim.venues.polygon", POLYGON),
    "webhook": ("sentio_async.sim.venues.webhook", None),
}
MARKET_VENUES: Final = frozenset({"alpaca_trading", "alpaca_data", "polygon"})
CONTROL: Final = "control"
SMTP: Final = "smtp"
VENUES: Final = (*HTTP_VENUES, SMTP)
PORTS: Final = (*VENUES, CONTROL)


class Stoppable(Protocol):
    """Something that listens until it is stopped."""

    async def stop(self) -> None:
        """Stop listening and hang up."""


class NoMarket:
    """Stands where the market and its engine would be, in an exchange that has none."""

    def __getattr__(self, name: str) -> NoReturn:
        raise LookupError(
            f"this exchange has no market (asked for {name}): venues= names none of "
            f"{', '.join(sorted(MARKET_VENUES))}"
        )


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where each venue listens: base URLs, and host and port of the mail server.

    Empty (port 0) for a venue that was not asked for.
    """

    alpaca_trading: str = ""
    alpaca_data: str = ""
    polygon: str = ""
    webhook: str = ""
    control: str = ""
    smtp_host: str = ""
    smtp_port: int = 0

    @property
    def alpaca_trading_stream(self) -> str:
        """Where Alpaca tells of orders."""
        return f"{_ws(self.alpaca_trading)}/stream"

    @property
    def alpaca_data_stream(self) -> str:
        """In front of Alpaca's feeds: `/v2/iex`, `/v1beta3/crypto/us` and so on."""
        return _ws(self.alpaca_data)

    @property
    def polygon_stream(self) -> str:
        """In front of Polygon's markets: `/stocks`, `/options`, `/crypto` and so on."""
        return _ws(self.polygon)

    def as_json(self) -> dict[str, Any]:
        """The same by name, without the venues that are not there."""
        return {name: value for name, value in asdict(self).items() if value}


class Exchange:
    """Alpaca, Polygon, a mail server and a webhook sink, for as long as the block lasts.

    Prices follow from `seed`, or from `replay` (bars by symbol, as `read_bars` gives them).
    `hours="nyse"` closes the stock market at night. `ports` fixes ports by venue name; any other
    is chosen by the system. `venues` leaves the others out: without a market venue there is no
    market, and the start is quicker. Requests are limited as the vendors limit them; lift that
    with `exchange.state.limits.per_minute["alpaca_trading"] = None`.
    """

    alpaca_key = ALPACA_KEY
    alpaca_secret = ALPACA_SECRET
    polygon_key = POLYGON_KEY
    smtp_username = SMTP_USERNAME
    smtp_password = SMTP_PASSWORD
    signing_secret = SIGNING_SECRET

    def __init__(
        self,
        *,
        seed: int = 0,
        replay: Mapping[str, Any] | None = None,
        hours: "Hours" = "always",
        faults: Iterable[FaultRule] = (),
        clock: SimClock | None = None,
        host: str = "127.0.0.1",
        ports: Mapping[str, int] | None = None,
        venues: Collection[str] = VENUES,
        mail: MailSettings | None = None,
    ) -> None:
        _check("ports", ports or (), PORTS)
        _check("venues", venues, VENUES)
        self.venues: Final = tuple(name for name in VENUES if name in venues)
        self._has_market = not MARKET_VENUES.isdisjoint(self.venues)
        self.state: Final = self._new_state(seed, clock, replay, hours)
        for rule in faults:
            self.state.faults.add(rule)
        if mail is not None:
            self.state.mail = mail
        self.state.sink = SinkSettings(secrets=[self.signing_secret])
        self._host = host
        self._ports = dict(ports or {})
        self._addresses: Addresses | None = None
        self._running: list[Stoppable] = []
        self._ticking: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        if self._has_market:
            self.add_account(self.alpaca_key, self.alpaca_secret)
        self.add_key("polygon", self.polygon_key)
        self.add_key(SMTP, self.smtp_username, self.smtp_password)

    def _new_state(
        self,
        seed: int,
        clock: SimClock | None,
        replay: Mapping[str, Any] | None,
        hours: "Hours",
    ) -> State:
        clock = clock or SimClock()
        market, engine = cast("tuple[Market, Engine]", (NoMarket(), NoMarket()))
        if self._has_market:
            market, engine = _new_market(clock, seed, replay, hours)
        limits, faults = Limits(clock.wall_ns), FaultScript(seed=seed)
        state = State(clock=clock, market=market, engine=engine, limits=limits, faults=faults)
        if self._has_market:
            state.streams.follow(market)
        return state

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: object, exc: object, traceback: object) -> None:
        await self.stop()
        if exc is None and self._failure is not None:
            raise self._failure

    async def start(self) -> None:
        """Listen on every port; `async with` does it for you."""
        if self._addresses is not None:
            raise RuntimeError("the exchange is already running")
        try:
            found = {name: await self._serve(name) for name in self.venues if name != SMTP}
            found[CONTROL] = await self._serve_control()
            smtp_port = await self._serve_mail() if SMTP in self.venues else 0
        except BaseException:
            await self.stop()
            raise
        smtp_host = self._host if smtp_port else ""
        self._addresses = Addresses(**found, smtp_host=smtp_host, smtp_port=smtp_port)
        if self._has_market:
            self._ticking = asyncio.create_task(self._tick_on(), name="sentio.sim.tick")

    async def stop(self) -> None:
        """Hang up on everybody and stop listening; well under a third of a second."""
        self._addresses = None
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
            self._ticking = None
        running, self._running = self._running, []
        await asyncio.gather(*(each.stop() for each in running))

    async def _serve(self, venue: str) -> str:
        module, refusal = HTTP_VENUES[venue]
        app: ASGIApp = Starlette(routes=importlib.import_module(module).routes(self.state))
        if refusal is not None:
            app = Limited(app, venue, self.state.limits, refusal)
        faulty = Faulty(app, venue, self.state)
        recorded = Recorded(faulty, venue, self.state)
        return await self._listen(venue, Server(recorded, now=self._wall, greet=faulty.greet))

    async def _serve_control(self) -> str:
        from sentio_async.sim.control import routes

        app = Starlette(routes=routes(self))
        return await self._listen(CONTROL, Server(app, now=self._wall))

    async def _listen(self, venue: str, server: Server) -> str:
        address = await server.start(self._host, self._ports.get(venue, 0))
        self._running.append(server)
        return address

    async def _serve_mail(self) -> int:
        from sentio_async.sim.venues.smtp import MailServer

        server = MailServer(self.state)
        port = await server.start(self._host, self._ports.get(SMTP, 0))
        self._running.append(server)
        return port

    def _wall(self) -> datetime:
        return time_of(self.state.clock.wall_ns())

    async def _tick_on(self) -> None:
        try:
            while True:
                self.state.engine.tick()
                self.state.streams.pump()
                await asyncio.sleep(TICK)
        except Exception as exc:
            log.exception("the engine has failed; nothing will happen any more")
            self._failure = exc

    @property
    def addresses(self) -> Addresses:
        """Where each venue listens, while it does."""
        if self._addresses is None:
            raise RuntimeError("the exchange is not running: use it in `async with`")
        return self._addresses

    @property
    def inbox(self) -> list[Mail]:
        """The mails that were accepted, oldest first."""
        return self.state.inbox

    @property
    def hooks(self) -> list[Hook]:
        """What was posted to the webhook sink, oldest first."""
        return self.state.hooks

    @property
    def requests(self) -> "deque[Seen]":
        """Every HTTP request a venue saw, oldest first, without secrets."""
        return self.state.requests

    @property
    def streams(self) -> "Streams":
        """The WebSockets: their settings, who listens, and what may be told to them."""
        return self.state.streams

    def add_fault(self, rule: FaultRule) -> None:
        """Let one more thing go wrong from now on."""
        self.state.faults.add(rule)

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self.state.faults.clear()

    def forget(self) -> None:
        """Forget the requests, mails and hooks seen so far."""
        for rows in (self.requests, self.inbox, self.hooks):
            rows.clear()

    def add_account(self, key: str, secret: str, *, cash: Decimal = START_CASH) -> str:
        """Open one more brokerage account under this Alpaca key; answers its number."""
        account: str = self.state.engine.add_account(cash=cash)
        self.state.add_credential(Credential("alpaca", key, secret, account))
        return account

    def add_key(self, vendor: str, key: str, secret: str = "") -> None:
        """Let `polygon` or `smtp` accept one more key (and password)."""
        self.state.add_credential(Credential(vendor, key, secret))

    def settings(self, connector: str) -> dict[str, Any]:
        """Ready-made settings for `alpaca`, `polygon`, `email` or `webhook`."""
        at = self.addresses
        match connector:
            case "alpaca":
                keys = {"api_key": self.alpaca_key, "api_secret": self.alpaca_secret}
                # Of two hosts one may be left out; nothing must lead to the vendor's own then.
                trading, data = at.alpaca_trading, at.alpaca_data
                return {**keys, "base_url": trading or data, "data_url": data or trading}
            case "polygon":
                return {"api_key": self.polygon_key, "base_url": at.polygon}
            case "email":
                return {
                    "host": at.smtp_host,
                    "port": at.smtp_port,
                    "username": self.smtp_username,
                    "password": self.smtp_password,
                    "tls": self.state.mail.security,
                    "sender": self.smtp_username,
                }
            case "webhook":
                url = f"{at.webhook}/hook"
                return {"webhook_url": url, "signing_secret": self.signing_secret}
        raise ValueError(f"{connector!r} is none of alpaca, polygon, email, webhook")

    async def settle(self, timeout: float = 5.0) -> None:
        """Tick until no order can do anything more at the present time and prices."""
        if self._failure is not None:
            raise self._failure
        if not self._has_market:
            return
        engine = self.state.engine
        heard: list[object] = []
        end = engine.listen(heard.append)
        try:
            async with asyncio.timeout(timeout):
                is_quiet = False
                while not is_quiet:
                    heard.clear()
                    engine.tick()
                    is_quiet = not heard
                    # Other tasks may want the loop, and the timeout needs it.
                    await asyncio.sleep(0)
        finally:
            end()


def _ws(url: str) -> str:
    return "ws" + url.removeprefix("http") if url else ""


def _check(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(f"{what}: no venue {unknown[0]!r}; there are {', '.join(known)}")


def _new_market(
    clock: SimClock, seed: int, replay: Mapping[str, Any] | None, hours: "Hours"
) -> "tuple[Market, Engine]":
    from sentio_async.sim.instruments import Instruments
    from sentio_async.sim.market import Market
    from sentio_async.sim.matching import Engine

    market = Market(clock, Instruments(), seed=seed, replay=replay, hours=hours)
    return market, Engine(market, clock, seed)
