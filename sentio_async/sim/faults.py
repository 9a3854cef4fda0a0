"""What can go wrong on the way to a venue, by rule, and the same way for the same seed.

A rule says where (venue, method, path), when (n-th call, every k-th, with what probability, how
many times) and what. `*_after` and every kind in `EXECUTED` run the real handler to its end
first: the order exists, whatever the client is told. All others never reach the handler.

A WebSocket's handshake is a GET like any other, so every kind that does not need an answer to
spoil strikes it (429 with `status`). Once the socket is open, the kinds in `ON_SOCKET` strike at
the `STEPS` of its conversation, which stand in the place of the method:
`FaultRule(kind="socket_drop", path="/v2/iex", method="SUBSCRIBED", nth=1)`.
"""

import fnmatch
import math
import random
import re
from collections import deque
from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Final

# The venue does its work, before or after the wait.
DELAYS: Final = frozenset({"delay", "delay_after"})
# Ends before the handler runs; the request was read to its end unless the comment says otherwise.
NOT_EXECUTED: Final = frozenset(
    {
        "drop_before",  # FIN instead of an answer
        "reset_before",  # RST instead of an answer
        "reset_upload",  # RST once the headers are in, before the body is read
        "silence",  # nothing, for `delay` seconds (60 when 0), then FIN
        "status",  # `status`, `headers` and `body` instead of the handler's
        "redirect",  # `status` (307) to `body`, by default to the same path on another host
        "bomb",  # gzip that grows to `size` bytes (200 MB when 0)
        "deep_json",  # a million `[`, or `size` of them
        "nan_json",  # NaN, Infinity and 1e999 where numbers belong
        "endless_headers",  # header lines until `size` bytes (64 MB when 0)
        "endless_body",  # chunks until `size` bytes (64 MB when 0)
    }
)
EXECUTED: Final = frozenset(
    {
        "drop_after",
        "reset_after",
        "silence_after",
        "status_after",
        "unsolicited",  # the answer, then a second one that nobody asked for
        "half",  # half of the header lines, then FIN
        "cut",  # headers that announce the whole body, half of the body, then FIN
        "cut_reset",  # the same, then RST
        "dribble",  # the whole answer, one byte every `delay` seconds (1 ms when 0)
        "garbage",  # bytes that are not HTTP, then FIN
        "bad_gzip",  # 200 with Content-Encoding: gzip over bytes that are not
        "html",  # 200 with a proxy's HTML page
        "truncated_json",  # a complete HTTP answer whose JSON stops half way
    }
)
# Before any request, so `method` and `path` do not apply.
ON_ACCEPT: Final = frozenset({"drop_accept", "reset_accept"})
# What may go wrong with one message of an open WebSocket, whatever the step a rule names.
ON_MESSAGE: Final = frozenset(
    {
        "socket_lose",  # it is never sent
        "socket_duplicate",  # it comes twice
        "socket_reorder",  # it comes after the next one
        "socket_burst",  # it comes `size` times (1000 when 0)
        "socket_cut",  # half of its frame, then FIN
    }
)
# What may go wrong on an open WebSocket at any step; a message about to be sent is lost if the
# connection ends.
ON_SOCKET: Final = ON_MESSAGE | frozenset(
    {
        "socket_drop",  # FIN without a close frame
        "socket_reset",  # RST
        "socket_close",  # a close frame with code `status` (1001 below 1000), reason `body`
        "socket_mute",  # answers pings and nothing else, for `delay` seconds (for ever when 0)
        "socket_freeze",  # neither reads nor writes, for `delay` seconds (for ever when 0)
        "socket_stall",  # holds back what it has to say for `delay` seconds, then all at once
        "socket_evict",  # the vendor's words for a client that reads too slowly, then the end
        "socket_limit",  # the vendor's words for one connection too many, then the end
        "socket_error",  # the vendor's error `status` with text `body`; the socket stays open
        "socket_broken",  # bytes that are no WebSocket frame
        "socket_garbage",  # a message (`body`) that is not in the vendor's format
    }
)
# The steps of a conversation. OPEN: the handshake is done and nothing was said. WELCOMED: the
# greeting was sent. AUTH, SUBSCRIBE: the client's words are in and not yet answered.
# AUTHENTICATED, SUBSCRIBED: they were answered with yes. MESSAGE: a message is about to be sent.
MESSAGE: Final = "MESSAGE"
STEPS: Final = (
    "OPEN",
    "WELCOMED",
    "AUTH",
    "AUTHENTICATED",
    "SUBSCRIBE",
    "SUBSCRIBED",
    MESSAGE,
)
# Whose `delay` is how long they last.
SILENT: Final = frozenset({"silence", "silence_after"})
LASTING: Final = frozenset({"socket_mute", "socket_freeze", "socket_stall"})
ON_HTTP: Final = DELAYS | NOT_EXECUTED | EXECUTED | ON_ACCEPT
# A handshake has no answer of its own that could be cut or spoilt.
ON_HANDSHAKE: Final = NOT_EXECUTED | {"delay"}
KINDS: Final = ON_HTTP | ON_SOCKET

APPLIED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """One fault, where and when it strikes.

    `venue`, `method` and `path` are globs (`*` also matches `/`); a path that starts with
    `re:` is a regular expression that must match whole. `nth` and `every` count the calls that
    match, from 1, whichever connection they come from. `delay` is in seconds and precedes every
    kind of fault that is not said to last so long. On an open socket, `method` is the step.
    """

    kind: str
    venue: str = "*"
    method: str = "*"
    path: str = "*"
    nth: int | None = None
    every: int | None = None
    probability: float = 1.0
    times: int | None = None
    delay: float = 0.0
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    size: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: {self.kind!r} is none of {', '.join(sorted(KINDS))}")
        self._check_globs()
        for name in ("nth", "every", "times"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ValueError(f"{name}: {value!r} is not a whole number from 1 up")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability: {self.probability!r} is not between 0 and 1")
        if not 100 <= self.status <= (4999 if self.kind in ON_SOCKET else 999):
            raise ValueError(f"status: {self.status!r} is not an HTTP or SMTP status")
        if self.kind in ON_SOCKET and not fnmatch.filter(STEPS, self.method.upper()):
            raise ValueError(f"method: {self.method!r} is none of the steps {', '.join(STEPS)}")
        if not 0 <= self.delay < math.inf:
            raise ValueError(f"delay: {self.delay!r} is not a number of seconds from 0 up")
        if self.size < 0:
            raise ValueError("size: must not be negative")

    def _check_globs(self) -> None:
        for name in ("venue", "method", "path"):
            value = getattr(self, name)
            if not isinstance(value, str):
                raise TypeError(f"{name}: {value!r} is not a text")
        if self.path.startswith("re:"):
            try:
                re.compile(self.path[3:])
            except re.error as exc:
                raise ValueError(f"path: {self.path!r} is not a pattern, {exc}") from exc

    @property
    def is_executed(self) -> bool:
        """Whether the venue means to do what was asked, before or besides the fault.

        Whether it did is for `Applied` to say: the client may have left while still sending.
        """
        return self.kind in EXECUTED or self.kind in DELAYS

    def matches(self, venue: str, method: str, path: str) -> bool:
        """Whether this rule is about such a call at all."""
        if not fnmatch.fnmatchcase(venue, self.venue):
            return False
        if self.kind in ON_ACCEPT:
            return method == ACCEPT
        if self.kind in ON_MESSAGE and method != MESSAGE:
            return False
        if method == ACCEPT or not fnmatch.fnmatchcase(method.upper(), self.method.upper()):
            return False
        if self.path.startswith("re:"):
            return re.fullmatch(self.path[3:], path) is not None
        return fnmatch.fnmatchcase(path, self.path)

    def as_json(self) -> dict[str, Any]:
        """The members that differ from their defaults, as `from_json` reads them."""
        plain = asdict(self)
        default = asdict(FaultRule(kind=self.kind))
        return {
            name: plain[name] for name in plain if name == "kind" or plain[name] != default[name]
        }

    @classmethod
    def from_json(cls, raw: Any) -> "FaultRule":
        """A rule from a JSON object; a member nobody knows is refused by name."""
        if not isinstance(raw, dict):
            raise TypeError(f"a fault rule is an object, not {type(raw).__name__}")
        known = {each.name for each in fields(cls)}
        if unknown := sorted(set(raw) - known):
            raise ValueError(f"{unknown[0]}: no such member; there are {', '.join(sorted(known))}")
        if "kind" not in raw:
            raise ValueError("kind: missing")
        try:
            return cls(**raw)
        except TypeError as exc:
            raise ValueError(f"a member has the wrong type: {exc}") from exc


# The method of a connection that has not asked for anything yet.
ACCEPT: Final = "ACCEPT"


@dataclass(slots=True)
class Applied:
    """One fault that struck; `is_executed` becomes true once the venue did what was asked."""

    rule: FaultRule
    venue: str
    method: str
    path: str
    at: datetime
    is_executed: bool = False

    def as_json(self) -> dict[str, Any]:
        """The same row for the control port."""
        return {
            "rule": self.rule.as_json(),
            "venue": self.venue,
            "method": self.method,
            "path": self.path,
            "at": self.at.isoformat(),
            "executed": self.is_executed,
        }


@dataclass(slots=True)
class _Count:
    calls: int = 0
    strikes: int = 0


class FaultScript:
    """The rules in force, in order, and what they did.

    Delays add up; of the others the first that fires strikes. Every rule that matches counts the
    call, whether or not it fires.
    """

    def __init__(self, rules: Iterable[FaultRule] = (), seed: int = 0) -> None:
        self._rules: list[tuple[FaultRule, _Count]] = [(rule, _Count()) for rule in rules]
        self._luck = random.Random(seed)
        self.applied: deque[Applied] = deque(maxlen=APPLIED)

    @property
    def rules(self) -> tuple[FaultRule, ...]:
        """The rules in force, first come first."""
        return tuple(rule for rule, _ in self._rules)

    def add(self, rule: FaultRule) -> None:
        """Put one more rule behind the others."""
        self._rules.append((rule, _Count()))

    def clear(self) -> None:
        """Take every rule away; what was applied stays on record."""
        self._rules.clear()

    def strikes(
        self, venue: str, method: str, path: str, kinds: Container[str] = ON_HTTP
    ) -> list[FaultRule]:
        """The faults this call meets, delays first; at most one that is not a delay.

        Rules of other `kinds` do not see the call: a mail server has no gzip to spoil.
        """
        delays: list[FaultRule] = []
        others: list[FaultRule] = []
        for rule, count in self._rules:
            if rule.kind not in kinds or not rule.matches(venue, method, path):
                continue
            count.calls += 1
            fired = delays if rule.kind in DELAYS else others
            if (fired is delays or not others) and self._fires(rule, count):
                fired.append(rule)
        return delays + others

    def record(self, rule: FaultRule, call: tuple[str, str, str], at: datetime) -> Applied:
        """Note that a rule struck this (venue, method, path), which is not executed yet."""
        applied = Applied(rule, *call, at)
        self.applied.append(applied)
        return applied

    def _fires(self, rule: FaultRule, count: _Count) -> bool:
        if rule.times is not None and count.strikes >= rule.times:
            return False
        if rule.nth is not None and count.calls != rule.nth:
            return False
        if rule.every is not None and count.calls % rule.every:
            return False
        # Drawn only where it matters, so a certain rule does not shift the luck of the others.
        if rule.probability < 1 and self._luck.random() >= rule.probability:
            return False
        count.strikes += 1
        return True
