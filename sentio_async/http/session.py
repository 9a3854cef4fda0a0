"""Sends a vendor's declared calls: signed, in time, within limits, and never twice by accident."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, TypeVar

from sentio_async import errors
from sentio_async.config import ConnectorConfig, check_url
from sentio_async.events import Event, Hedged, LimitObserved, RowSkipped, tell
from sentio_async.http.answer import Answer
from sentio_async.http.auth import Auth, SecretHeaders, SharedAuth, TimedAuth, UrlAuth
from sentio_async.http.client import Resources
from sentio_async.http.endpoint import JSON_HEADERS, Call, Endpoint
from sentio_async.http.exchange import Outgoing, exchange
from sentio_async.http.outgoing import Place
from sentio_async.http.received import note_arrival, skipped_rows
from sentio_async.http.redaction import redactor
from sentio_async.http.renewal import Renewal
from sentio_async.http.values import value_of
from sentio_async.http.warming import open_ahead
from sentio_async.models.page import SkippedRow
from sentio_async.resilience.breaker import BreakerPolicy, CircuitBreaker
from sentio_async.resilience.bulkhead import Bulkhead
from sentio_async.resilience.cache import SingleFlight
from sentio_async.resilience.hedging import HedgePolicy, Hedging
from sentio_async.resilience.limiter import Limiter, Priority, Window
from sentio_async.resilience.pipeline import Pipeline, Work
from sentio_async.resilience.retry import UNSET, RetryBudget, RetryPolicy, Unset
from sentio_async.resilience.retry_after import seconds_until_reset

__all__ = ["Session", "SessionStats"]

T = TypeVar("T")

_NO_LIMIT = (Window(1_000_000, 1.0),)


@dataclass(slots=True)
class SessionStats:
    """What a session remembers of itself."""

    last_success_at: datetime | None = None
    last_error: str | None = None


class _Route(NamedTuple):
    """The way of an endpoint's calls of one cost."""

    pipeline: Pipeline
    work: Work
    limiter: Limiter
    max_body: int


class Session:
    """One vendor host, one credential: sends calls through the pipeline of ``resilience``.

    ``buckets`` names the vendor's quotas; an endpoint belongs to one of them.  Sessions with the
    same host and ``credential`` in one ``Resources`` share their quotas and circuit breakers.
    One slot of a quota and a quarter of the places are kept for orders, unless the host takes none.
    """

    def __init__(  # noqa: PLR0913
        self,
        config: ConnectorConfig,
        base_url: str,
        *,
        auth: Auth,
        resources: Resources,
        buckets: Mapping[str, Sequence[Window]] | None = None,
        credential: str = "",
        has_orders: bool = True,
    ) -> None:
        self._config = config
        self._base_url = check_url(base_url, allow_plain_http=config.allow_plain_http)
        self._place = Place(self._base_url, config.timeouts)
        self._total = config.timeouts.total
        self._auth = auth
        self._aim = auth.aim if isinstance(auth, UrlAuth) else None
        self._age = auth.age if isinstance(auth, TimedAuth) else None
        self._renewal = auth.renewal if isinstance(auth, SharedAuth) else Renewal(auth.refresh)
        self._resources = resources
        self._buckets = dict(buckets or {})
        self._credential = hashlib.sha256(credential.encode()).hexdigest()[:16]
        self._has_orders = has_orders
        self._bulkhead = Bulkhead(config.max_in_flight, reserve=self._kept_for_orders())
        self._flights: SingleFlight[tuple[Any, ...], Any] = SingleFlight()
        self._pipelines: dict[tuple[str, str], Pipeline] = {}
        self._routes: dict[tuple[Endpoint[Any], int], _Route] = {}
        self._limiters: dict[str, Limiter] = {}
        self._hedge = config.hedge_policy
        self._hedgings: dict[Endpoint[Any], Hedging] = {}
        # What all requests with a body say, made once for proof that does not change.
        self._json_proof: tuple[Mapping[str, str] | None, Mapping[str, str]] = (None, {})
        self.stats = SessionStats()

    def _kept_for_orders(self) -> int:
        """Places that slow reads cannot take: an order must not wait for their timeouts."""
        most = self._config.max_in_flight
        return min(-(-most // 4), most - 1) if self._has_orders else 0

    @property
    def base_url(self) -> str:
        """Scheme, host and port that every call goes to."""
        return self._base_url

    @property
    def host(self) -> str:
        """Host and port, for labels."""
        return self._base_url.split("/", 3)[2]

    def send(
        self,
        call: Call[T],
        *,
        timeout: float | None = None,
        retry: RetryPolicy | Unset | None = UNSET,
        in_task: bool = False,
        check: Callable[[], None] | None = None,
    ) -> Coroutine[Any, Any, T]:
        """The value in the answer; raises ConnectorError, with ``outcome`` set to what is known.

        ``timeout`` is for the call as a whole, retries and waiting included, in seconds.
        ``retry=None`` sends once.  Market data that is asked for while the same request is under
        way gets that request's answer.  A write is seen to its end when its caller leaves, in a
        task of its own; with ``in_task`` the caller sees to that, and its leaving ends the write.
        ``check`` may raise when its turn has come, before anything is sent.
        """
        if (
            call.endpoint.shared
            and timeout is None
            and retry is UNSET
            # What renews must not get the answer that waits for the renewal.
            and (self._renewal.task is None or not self._renewal.is_ours())
        ):
            work: Callable[[], Coroutine[Any, Any, T]] = partial(self._send, call, None, UNSET)
            if self._hedge is not None and call.endpoint.priority is Priority.QUOTES:
                work = partial(self._hedging(call.endpoint, self._hedge).run, work)
            return self._flights.run(call.identity, work)
        return self._send(call, timeout, retry, in_task=in_task, check=check)

    def _send(
        self,
        call: Call[T],
        timeout: float | None,
        retry: RetryPolicy | Unset | None,
        *,
        in_task: bool = False,
        check: Callable[[], None] | None = None,
    ) -> Coroutine[Any, Any, T]:
        route = self._routes.get((call.endpoint, call.cost)) or self._route(call)
        seconds = self._total if timeout is None else timeout
        attempt = partial(self._attempt, call, route, (in_task, check))
        pipeline = route.pipeline
        if self._renewal.task is not None and self._renewal.is_ours():
            # Those who wait for it may hold every place.
            pipeline = copy.copy(pipeline)
            pipeline.bulkhead = Bulkhead(1)
        return pipeline.run(attempt, route.work, within=seconds, retry=retry)

    def warm(self, connections: int) -> Coroutine[Any, Any, None]:
        """Open so many connections to the host beforehand."""
        return open_ahead(self._resources.client, self._place, connections)

    def _hedging(self, endpoint: Endpoint[Any], policy: HedgePolicy) -> Hedging:
        """Answers of one endpoint take as long as one another."""
        hedging = self._hedgings.get(endpoint)
        if hedging is None:
            limiter = self._limiter(endpoint.bucket)
            self._hedgings[endpoint] = hedging = Hedging(
                policy,
                may=lambda: not (limiter.waiting or self._bulkhead.waiting),
                on_hedge=partial(self._tell_of_hedge, endpoint.label),
                clock=self._resources.clock,
            )
        return hedging

    def _tell_of_hedge(self, operation: str, waited: float) -> None:
        self._tell(Hedged(self._resources.clock.time(), self._config.label, operation, waited))

    def _failed(self, error: Exception) -> None:
        if isinstance(error, errors.ConnectorError):
            self.stats.last_error = f"{type(error).__name__}: {error}"

    def _route(self, call: Call[Any]) -> _Route:
        endpoint = call.endpoint
        work = Work(
            connector=self._config.label,
            operation=endpoint.label,
            priority=endpoint.priority,
            cost=call.cost,
            repeatable=endpoint.repeatable,
            bucket=endpoint.bucket,
        )
        most = max(endpoint.max_body or 0, self._config.max_body_bytes)
        route = _Route(self._pipeline(call), work, self._limiter(endpoint.bucket), most)
        self._routes[endpoint, call.cost] = route
        return route

    async def _attempt(
        self,
        call: Call[T],
        route: _Route,
        how: tuple[bool, Callable[[], None] | None],
        expires_at: float,
    ) -> T:
        """One exchange; a 401 gets one more with fresh proof, where there is a way to get it."""
        in_task, check = how
        try:
            renewal, tasks = self._renewal, self._resources.renewals
            if self._age is not None and call.endpoint.authenticated:
                await renewal.before(self._age(), expires_at, tasks)
            if check is not None:
                check()
            proof = renewal.number
            answer = await self._exchange(call, route, in_task, expires_at)
            if answer.notes:
                self._observe(call, route, answer)
            if answer.status == 401 and await renewal.after(proof, expires_at, tasks):
                if check is not None:
                    check()
                answer = await self._exchange(call, route, in_task, expires_at)
                self._observe(call, route, answer)
            if call.heard is not None:
                await call.heard(answer.body)
            return self._read(call, answer)
        except errors.ConnectorError as exc:
            exc.connector = exc.connector or self._config.label
            exc.operation = exc.operation or call.endpoint.label
            exc.request = exc.request or redactor.scrub(self._show(call))
            if exc.phase == "connect":
                exc.message = f"{self.host}: {exc.message}; is it up, and the address right?"
            raise

    def _exchange(
        self, call: Call[Any], route: _Route, in_task: bool, expires_at: float
    ) -> Coroutine[Any, Any, Answer]:
        endpoint = call.endpoint
        headers, aim = call.headers, None
        if endpoint.authenticated:
            headers, aim = self._proved(headers, self._auth.sign(call)), self._aim
        outgoing = Outgoing(
            self._place,
            endpoint.method,
            # No local of this frame: a traceback may show those.
            call.target if aim is None else aim(call),
            headers,
            call.body,
            route.max_body,
            endpoint.priority,
            in_task,
        )
        resources = self._resources
        return exchange(resources.client, outgoing, expires_at, resources.tasks, self._keep_place)

    def _proved(self, headers: Mapping[str, str], proof: Mapping[str, str]) -> Mapping[str, str]:
        if not headers:
            return proof
        if headers is not JSON_HEADERS:
            return SecretHeaders({**headers, **proof})
        if self._json_proof[0] is not proof:
            self._json_proof = (proof, SecretHeaders({**headers, **proof}))
        return self._json_proof[1]

    def _keep_place(self, task: asyncio.Task[Any]) -> None:
        """A request whose caller has left still counts among those under way."""
        self._bulkhead.hold()
        task.add_done_callback(lambda _: self._bulkhead.release())

    def _read(self, call: Call[T], answer: Answer) -> T:
        value = value_of(call, answer, self._now)
        self.stats.last_success_at = now = self._now()
        note_arrival(value, now)
        for row in skipped_rows(value):
            self._tell_of_skipped(call, row)
        return value

    def _tell_of_skipped(self, call: Call[Any], row: SkippedRow) -> None:
        at, label = self._resources.clock.time(), self._config.label
        self._tell(RowSkipped(at, label, call.endpoint.label, row.index, row.reason))

    def _observe(self, call: Call[Any], route: _Route, answer: Answer) -> None:
        """What the vendor says of its quota can only tighten ours."""
        notes = answer.notes
        limit = _whole(notes.get("x-ratelimit-limit"))
        left = _whole(notes.get("x-ratelimit-remaining"))
        if limit is None and left is None:
            return
        if not self._resources.listeners:
            reset = partial(self._reset_in, answer)
            route.limiter.observe(limit=limit, remaining=left, reset_in=reset)
            return
        reset_in = self._reset_in(answer)
        route.limiter.observe(limit=limit, remaining=left, reset_in=reset_in)
        at, label = self._resources.clock.time(), self._config.label
        operation, bucket = call.endpoint.label, call.endpoint.bucket
        self._tell(LimitObserved(at, label, operation, bucket, limit, left, reset_in))

    def _reset_in(self, answer: Answer) -> float | None:
        return seconds_until_reset(answer.headers, now=self._now())

    def _now(self) -> datetime:
        return self._resources.clock.utcnow()

    def _tell(self, event: Event) -> None:
        tell(self._resources.listeners, event)

    def _show(self, call: Call[Any]) -> str:
        return f"{call.endpoint.method} {self._base_url}{call.target}"

    def _pipeline(self, call: Call[Any]) -> Pipeline:
        kind = _kind_of(call)
        key = (call.endpoint.bucket, kind)
        pipeline = self._pipelines.get(key)
        if pipeline is None:
            self._pipelines[key] = pipeline = Pipeline(
                retry=RetryPolicy(attempts=self._config.retry_attempts, max_elapsed=math.inf),
                breaker=self._breaker(kind),
                limiter=self._limiter(call.endpoint.bucket),
                bulkhead=self._bulkhead,
                budget=RetryBudget(),
                attempt_timeout=None,
                clock=self._resources.clock,
                listeners=self._resources.listeners,
                failed=self._failed,
            )
        return pipeline

    def _limiter(self, bucket: str) -> Limiter:
        limiter = self._limiters.get(bucket)
        if limiter is None:
            windows = self._buckets.get(bucket) or self._buckets.get("default") or _NO_LIMIT
            if bucket not in self._buckets:
                bucket = "default"
            if bucket == "default":
                windows = self._config.quota(windows)
            limiter = self._resources.limiters.get(
                (self._base_url, self._credential, bucket),
                windows,
                name=f"{self._config.label} {bucket}",
                clock=self._resources.clock,
                reserve=1 if self._has_orders and windows[0].limit > 1 else 0,
            )
            self._limiters[bucket] = limiter
        return limiter

    def _breaker(self, kind: str) -> CircuitBreaker:
        key = (self._base_url, self._credential, kind)
        breaker = self._resources.breakers.get(key)
        if breaker is None:
            breaker = CircuitBreaker(
                BreakerPolicy(failures=self._config.breaker_failures),
                name=f"{self._config.label} {kind}",
                clock=self._resources.clock,
                listeners=self._resources.listeners,
            )
            self._resources.breakers[key] = breaker
        return breaker

    @property
    def breakers(self) -> dict[str, CircuitBreaker]:
        """The circuit breakers of this host and credential, by kind of call."""
        mine = (self._base_url, self._credential)
        return {key[2]: b for key, b in self._resources.breakers.items() if key[:2] == mine}

    def has_shared_reads(self) -> bool:
        """Whether a read is under way whose answer others may share."""
        return len(self._flights) > 0

    @property
    def in_flight(self) -> int:
        """Requests of this session that hold one of its places now."""
        return self._bulkhead.in_use


def _kind_of(call: Call[Any]) -> str:
    """The kinds that fail apart from one another: failing quotes never block a cancel."""
    priority = call.endpoint.priority
    if priority is Priority.ORDERS and call.endpoint.method == "DELETE":
        return "cancels"
    return priority.name.lower()


def _whole(text: str | None) -> int | None:
    """A count from a header; anything else says nothing."""
    return int(text) if text and text.isdigit() and text.isascii() else None
