"""A vendor's calls, declared: method, path, how the answer is read, what it costs.

    api = Api("alpaca.trading", problem=read_problem)

    @api.get("/v2/orders/{order_id}", returns=read_order)
    def order(order_id: str, *, nested: bool = False) -> Parts:
        return Parts(path={"order_id": order_id}, query={"nested": nested})

Calling ``order("…")`` does no I/O: it gives a ``Call``, which a session sends.  ``api.endpoints``
lists what was declared; tests, docs and the capability table are made from it.
"""

from __future__ import annotations

import string
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import update_wrapper
from types import MappingProxyType
from typing import Any, Generic, ParamSpec, TypeVar

import msgspec

from sentio_async import errors
from sentio_async.http.texts import QueryValue, form_text, query_text, segment_text
from sentio_async.http.wire_json import Json, decode_json, encode_json
from sentio_async.resilience.limiter import Priority

__all__ = [
    "JSON_HEADERS",
    "Api",
    "Call",
    "Declared",
    "Endpoint",
    "Parts",
    "Problem",
    "QueryValue",
    "query_text",
]

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_formatter = string.Formatter()


class _Nothing(Enum):
    NOTHING = 0


NOTHING = _Nothing.NOTHING
JSON_HEADERS: Mapping[str, str] = MappingProxyType({"content-type": "application/json"})
"""What a request with a body says besides."""
FORM_HEADERS: Mapping[str, str] = MappingProxyType(
    {"content-type": "application/x-www-form-urlencoded"}
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A vendor's error, read from its body.  ``kind`` overrides what the status would say.

    ``retry_after`` is in seconds; a function is given the time, such as ``until_midnight(zone)``.
    """

    message: str
    code: str | int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    kind: type[errors.APIError] | None = None
    outcome: errors.Outcome | None = None
    retry_after: float | Callable[[datetime], float] | None = None


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What one call puts into its request.

    ``key`` is the id by which the vendor recognises a repeated write.  ``context`` goes to the
    reader as keyword arguments, for what the answer itself does not say.  In ``query`` None is
    left out, True is ``true``, a list is joined by commas, a time is RFC 3339 in UTC.  ``form`` is
    a body instead of ``json``; there a list is one member for each.
    """

    path: Mapping[str, str] = {}
    query: Mapping[str, QueryValue] = {}
    json: Json = NOTHING
    form: Mapping[str, QueryValue] | None = None
    headers: Mapping[str, str] = {}
    key: str | None = None
    context: Mapping[str, Any] = {}
    cost: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint(Generic[T_co]):
    """One declared call."""

    api: Api
    name: str
    method: str
    path: str
    returns: Callable[..., T_co]
    decode: Callable[[bytes], Any]
    bucket: str
    cost: int
    priority: Priority
    repeatable: bool
    """May be sent again when the first may have arrived."""
    shared: bool
    """Callers who ask the same at the same time share one request; never for what one's own
    orders change, where an answer may be older than the order."""
    accepts: frozenset[int]
    max_body: int | None
    authenticated: bool
    headers: tuple[str, ...]
    """Headers of the answer that its reader is given by name, ``x-id`` as ``x_id=``; None for one
    that is not there."""
    summary: str

    @property
    def label(self) -> str:
        """``GET /v2/orders/{order_id}``: the same for every call of this endpoint."""
        return f"{self.method} {self.path}"


class Call(msgspec.Struct, Generic[T_co], frozen=True, eq=False):
    """One request, ready to be sent, and how its answer is read."""

    endpoint: Endpoint[T_co]
    path: str
    query: str
    target: str
    """Path and query as they go on the wire, but for a proof that stands in them (``UrlAuth``)."""
    body: bytes | None
    headers: Mapping[str, str]
    key: str | None
    context: Mapping[str, Any]
    cost: int
    heard: Callable[[bytes], Awaitable[None]] | None = None
    """Awaited with the body that came, before it is decoded; not for an answer that is shared."""

    @property
    def identity(self) -> tuple[Any, ...]:
        """The same for two calls that ask the same."""
        return (self.endpoint, self.target, self.body)

    def __repr__(self) -> str:
        # Some vendors' paths and queries are credentials, and tracebacks show locals.
        return f"<Call {self.endpoint.label}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """As little as ``repr``, for tools that print Structs by their fields."""
        return [("endpoint", self.endpoint.label)]

    def at(self, path: str, query: str) -> Call[T_co]:
        """The same call at another place of the same host."""
        target = f"{path}?{query}" if query else path
        return msgspec.structs.replace(self, path=path, query=query, target=target)

    def heard_by(self, heard: Callable[[bytes], Awaitable[None]]) -> Call[T_co]:
        """The same call, whose answer is shown to ``heard`` as soon as it has come."""
        return msgspec.structs.replace(self, heard=heard)

    def read(self, raw: Any, headers: Mapping[str, str] = {}) -> T_co:
        """The value in a decoded answer; ``headers`` has those of it that the endpoint reads."""
        if not self.endpoint.headers:
            return self.endpoint.returns(raw, **self.context)
        told = {name.replace("-", "_"): headers.get(name) for name in self.endpoint.headers}
        return self.endpoint.returns(raw, **self.context, **told)


class Declared(Generic[P, T]):
    """A declared endpoint: call it to get a ``Call``."""

    def __init__(self, endpoint: Endpoint[T], build: Callable[P, Parts]) -> None:
        self.endpoint = endpoint
        self._build = build
        # What stands before each name, and the name; a last text has none.
        self._path = _parts_of(endpoint)
        self._names = dict.fromkeys(name for _, name in self._path if name).keys()
        update_wrapper(self, build)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Call[T]:
        """The request for these arguments; raises InvalidRequestError if they cannot be sent."""
        try:
            return self._made(self._build(*args, **kwargs))
        except UnicodeEncodeError:
            error = errors.InvalidRequestError("a text has half a character, which cannot be sent")
        raise error

    def _made(self, parts: Parts) -> Call[T]:
        endpoint, headers, body = self.endpoint, parts.headers, None
        if parts.json is not NOTHING:
            headers = {**headers, **JSON_HEADERS} if headers else JSON_HEADERS
            body = encode_json(parts.json)
        elif parts.form is not None:
            headers = {**headers, **FORM_HEADERS}
            body = form_text(parts.form).encode("ascii")
        path, query = self._fill(parts.path), query_text(parts.query)
        return Call(
            endpoint,
            path,
            query,
            f"{path}?{query}" if query else path,
            body,
            headers,
            parts.key,
            parts.context,
            endpoint.cost if parts.cost is None else parts.cost,
        )

    def _fill(self, values: Mapping[str, str]) -> str:
        if not self._names:
            return self.endpoint.path
        if values.keys() != self._names:
            raise TypeError(f"{self.endpoint.label} needs {', '.join(self._names)} in its path")
        return "".join(
            [text + segment_text(name, values[name]) if name else text for text, name in self._path]
        )


def _parts_of(endpoint: Endpoint[Any]) -> list[tuple[str, str | None]]:
    """The texts of a path, each with the name after it; a secret's name is text."""
    parts: list[tuple[str, str | None]] = []
    for text, name, _, _ in _formatter.parse(endpoint.path):
        if name not in endpoint.api.secrets:
            parts.append((text, name))
            continue
        if not endpoint.authenticated:
            raise TypeError(f"{endpoint.label} needs proof: {name} is a secret")
        parts.append((f"{text}{{{name}}}", None))
    return parts


class Api:
    """The declared calls of one vendor API.

    ``problem`` reads the vendor's error bodies: it is given the status, the decoded body (None
    when it is not JSON) and the endpoint.  ``plain`` reads those that are not JSON: it is given
    their text.  ``check`` finds failures inside 2xx answers, before the answer is read.
    ``secrets`` are names in paths that calls leave as they are: ``PathAuth`` puts in what they
    stand for when a call is sent.
    """

    def __init__(
        self,
        name: str,
        *,
        problem: Callable[[int, Json, Endpoint[Any]], Problem | None] | None = None,
        plain: Callable[[int, str, Endpoint[Any]], Problem | None] | None = None,
        check: Callable[[Json], Problem | None] | None = None,
        priority: Priority = Priority.QUOTES,
        secrets: Iterable[str] = (),
    ) -> None:
        self.name = name
        self.problem = problem
        self.plain = plain
        self.check = check
        self.priority = priority
        self.secrets = frozenset(secrets)
        self.endpoints: list[Endpoint[Any]] = []

    def endpoint(
        self,
        method: str,
        path: str,
        *,
        returns: Callable[..., T],
        decode: Callable[[bytes], Any] = decode_json,
        **options: Any,
    ) -> Callable[[Callable[P, Parts]], Declared[P, T]]:
        """Declare a call; see ``Endpoint`` for the options."""

        def declare(build: Callable[P, Parts]) -> Declared[P, T]:
            priority = options.pop("priority", self.priority)
            endpoint = Endpoint(
                api=self,
                name=build.__name__,
                method=method,
                path=path,
                returns=returns,
                decode=decode,
                bucket=options.pop("bucket", "default"),
                cost=options.pop("cost", 1),
                priority=priority,
                repeatable=options.pop("repeatable", method in ("GET", "HEAD")),
                shared=options.pop("shared", method == "GET" and priority >= Priority.QUOTES),
                accepts=frozenset(options.pop("accepts", (200, 201, 202, 204))),
                max_body=options.pop("max_body", None),
                authenticated=options.pop("authenticated", True),
                headers=tuple(name.lower() for name in options.pop("headers", ())),
                summary=(build.__doc__ or "").strip().split("\n", 1)[0],
            )
            if options:
                raise TypeError(f"{endpoint.label}: unknown options {', '.join(options)}")
            declared = Declared(endpoint, build)
            self.endpoints.append(endpoint)
            return declared

        return declare

    def get(
        self, path: str, *, returns: Callable[..., T], **options: Any
    ) -> Callable[[Callable[P, Parts]], Declared[P, T]]:
        """Declare a GET."""
        return self.endpoint("GET", path, returns=returns, **options)

    def post(
        self, path: str, *, returns: Callable[..., T], **options: Any
    ) -> Callable[[Callable[P, Parts]], Declared[P, T]]:
        """Declare a POST, by default not repeatable."""
        return self.endpoint("POST", path, returns=returns, **options)

    def put(
        self, path: str, *, returns: Callable[..., T], **options: Any
    ) -> Callable[[Callable[P, Parts]], Declared[P, T]]:
        """Declare a PUT, by default not repeatable."""
        return self.endpoint("PUT", path, returns=returns, **options)

    def patch(
        self, path: str, *, returns: Callable[..., T], **options: Any
    ) -> Callable[[Callable[P, Parts]], Declared[P, T]]:
        """Declare a PATCH, by default not repeatable."""
        return self.endpoint("PATCH", path, returns=returns, **options)

    def delete(
        self, path: str, *, returns: Callable[..., T], **options: Any
    ) -> Callable[[Callable[P, Parts]], Declared[P, T]]:
        """Declare a DELETE, by default not repeatable."""
        return self.endpoint("DELETE", path, returns=returns, **options)
