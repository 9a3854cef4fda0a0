"""One client on one stream, whatever the vendor: its steps, its faults, its frames."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Final

from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from sentio_async.sim.faults import LASTING, MESSAGE, ON_MESSAGE, ON_SOCKET, FaultRule
from sentio_async.sim.limits import is_handshake
from sentio_async.sim.market import Market
from sentio_async.sim.serving import head_of, seen_of, wire_of
from sentio_async.sim.sockets import GOING_AWAY, Socket
from sentio_async.sim.state import State
from sentio_async.sim.streams import Moment, Notice

NORMAL: Final = 1000
POLICY: Final = 1008
GARBAGE: Final = b'\x92{"T":"t","S":\xff\xfe*** not a message ***'
BURST: Final = 1000


class Session:
    """A conversation on an open socket; a vendor's stream says what is answered to what."""

    venue: ClassVar[str]
    delay_ns: int = 0

    def __init__(self, state: State, path: str, headers: dict[str, str], head: bytes) -> None:
        self.state = state
        self.path = path
        self.headers = headers
        self.key = ""
        self.frames = 0
        self.rows = 0
        settings = state.streams.settings
        self.socket = Socket(head, self, limit=settings.buffer_bytes, compress=settings.compress)
        self._reordered: bytes | None = None

    @property
    def is_text(self) -> bool:
        """Whether its messages are text frames."""
        return True

    @property
    def market(self) -> Market:
        """Where its prices come from."""
        return self.state.market

    # What a vendor's stream defines.

    def greet(self) -> None:
        """Say what the vendor says first."""

    def answer(self, message: bytes, *, is_text: bool) -> None:
        """Answer what the client said."""
        raise NotImplementedError

    def feed(self, moment: Moment) -> None:
        """Tell what happened."""

    def notice(self, notice: Notice) -> None:
        """Tell something that is not in the market's records."""

    def burst(self, frames: int, rows_per_frame: int) -> int:
        """Send so many frames at once."""
        del frames, rows_per_frame
        return 0

    def evict(self) -> None:
        """Tell the client that it reads too slowly, and leave."""
        self.socket.close(POLICY)

    def limit(self) -> None:
        """Tell the client that it has one connection too many, and leave."""
        self.socket.close(POLICY)

    def complain(self, code: int, text: str) -> None:
        """Tell the client of an error."""

    def ended(self) -> None:
        """Nothing can be said any more."""

    @property
    def topics(self) -> int:
        """How many topics the client listens to."""
        return 0

    # What the socket tells.

    def opened(self) -> None:
        """The handshake is done."""
        self.state.streams.sessions.append(self)
        if self.passes("OPEN"):
            self.greet()

    def heard(self, message: bytes, *, is_text: bool) -> None:
        """The client said something."""
        self.answer(message, is_text=is_text)

    def overflowed(self) -> None:
        """The client reads too slowly."""
        self.evict()

    def closed(self) -> None:
        """Either side has ended it."""
        if self in self.state.streams.sessions:
            self.state.streams.sessions.remove(self)
        self.ended()

    # What a vendor's stream uses.

    def say(self, data: bytes) -> None:
        """Send one message outside the feed."""
        self.socket.send(data, is_text=self.is_text)

    def tell(self, data: bytes, rows: int = 1) -> None:
        """Send one message of the feed, through the fault script."""
        self.frames += 1
        self.rows += rows
        rules = self._strikes(MESSAGE)
        if rules:
            self._send_through(rules[0], data)
        else:
            self.say(data)
        if self._reordered is not None and not (rules and rules[0].kind == "socket_reorder"):
            late, self._reordered = self._reordered, None
            self.say(late)

    def tell_rows(
        self, rows: Sequence[Any], encode: Callable[[Any], bytes], per_frame: int = 0
    ) -> int:
        """Send rows of the feed, several to a frame; answers how many frames."""
        size = per_frame or self.state.streams.settings.rows_per_frame
        count = 0
        for first in range(0, len(rows), size):
            if self.socket.is_over:
                break
            part = rows[first : first + size]
            self.tell(encode(part), len(part))
            count += 1
        return count

    def passes(self, step: str) -> bool:
        """Whether the conversation goes on after what the fault script has for this step."""
        for rule in self._strikes(step):
            self._strike(rule)
        return not self.socket.is_over

    def others(self) -> list["Session"]:
        """The other clients with the same key on the same stream."""
        found = [each for each in self.state.streams.sessions if each is not self]
        return [
            each
            for each in found
            if (each.venue, each.path, each.key) == (self.venue, self.path, self.key)
        ]

    @property
    def is_too_many(self) -> bool:
        """Whether this key has more connections here than it may."""
        allowed = self.state.streams.settings.connections
        return allowed is not None and len(self.others()) >= allowed

    def as_json(self) -> dict[str, Any]:
        """The row of the control port."""
        return {
            "venue": self.venue,
            "path": self.path,
            "authenticated": bool(self.key),
            "topics": self.topics,
            "frames": self.frames,
            "rows": self.rows,
            "waiting_bytes": self.socket.waiting,
        }

    def _strikes(self, step: str) -> list[FaultRule]:
        faults = self.state.faults
        if not faults.rules:
            return []
        rules = faults.strikes(self.venue, step, self.path, kinds=ON_SOCKET)
        for rule in rules:
            faults.record(rule, (self.venue, step, self.path), self.state.clock.now())
        return rules

    def _strike(self, rule: FaultRule) -> None:
        if rule.delay and rule.kind not in LASTING:
            self.socket.later(rule.delay, lambda: self._act(rule))
        else:
            self._act(rule)

    def _act(self, rule: FaultRule) -> None:
        socket = self.socket
        match rule.kind:
            case "socket_drop":
                socket.drop()
            case "socket_reset":
                socket.reset()
            case "socket_close":
                code = rule.status if rule.status >= NORMAL else GOING_AWAY
                socket.close(code, rule.body or "")
            case "socket_mute":
                socket.mute(rule.delay)
            case "socket_freeze":
                socket.freeze(rule.delay)
            case "socket_stall":
                socket.stall(rule.delay or 1.0)
            case _:
                self._misbehave(rule)

    def _misbehave(self, rule: FaultRule) -> None:
        match rule.kind:
            case "socket_evict":
                self.evict()
            case "socket_limit":
                self.limit()
            case "socket_error":
                self.complain(rule.status, rule.body or "")
            case "socket_broken":
                self.socket.break_frame()
            case "socket_garbage":
                body = GARBAGE if rule.body is None else rule.body.encode()
                self.socket.send(body, is_text=False)

    def _send_through(self, rule: FaultRule, data: bytes) -> None:
        if rule.kind not in ON_MESSAGE:
            self._strike(rule)
            self.say(data)
            return
        match rule.kind:
            case "socket_duplicate":
                self.say(data)
                self.say(data)
            case "socket_burst":
                for _ in range(rule.size or BURST):
                    self.say(data)
            case "socket_cut":
                self.socket.cut(data, is_text=self.is_text)
            case "socket_reorder":
                if self._reordered is not None:
                    self.say(self._reordered)
                self._reordered = data


Build = Callable[[State, str, dict[str, str], bytes], Session]


class _Door:
    """Lets clients in on one path."""

    def __init__(self, state: State, build: Build) -> None:
        self._state = state
        self._build = build

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in scope["headers"]}
        session = self._build(self._state, scope["path"], headers, head_of(scope))
        if not wire_of(scope).hand_over(session.socket):
            session.closed()
        seen_of(scope).status = 101


class _Entrance(Route):
    """A path that is there for handshakes alone: `/v1beta1/news` is a REST path as well."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http" or not is_handshake(scope):
            return Match.NONE, {}
        return super().matches(scope)


def doors(state: State, paths: Iterable[str], build: Build) -> list[Route]:
    """One stream on these paths."""
    return [_Entrance(path, _Door(state, build)) for path in paths]


def read_json(message: bytes) -> Any:
    """A JSON message, or None for what is none."""
    try:
        return json.loads(message)
    except ValueError:
        return None
