"""A feed whose venue is a few lines of Python, on a socket that is none: for virtual time."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from sentio_async import errors
from sentio_async.models import Trade
from sentio_async.streams import Feed, FeedSettings, Plan, Topic, World
from sentio_async.streams.desk import Desk, Read
from sentio_async.streams.dialect import (
    Authenticated,
    Confirmed,
    Hello,
    Lane,
    Problem,
    Refused,
    Remedy,
)

STARTED = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


class VirtualClock:
    """Loop time, and a wall that goes with it."""

    def __init__(self, started: datetime = STARTED) -> None:
        self._started = started
        self._zero: float | None = None

    def time(self) -> float:
        return asyncio.get_running_loop().time()

    def utcnow(self) -> datetime:
        if self._zero is None:
            self._zero = self.time()
        return self._started + timedelta(seconds=self.time() - self._zero)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def ns(self) -> int:
        return int(self.utcnow().timestamp() * 1_000_000) * 1000


class Row(msgspec.Struct, tag_field="k", tag="row"):
    """``t`` trade: symbol, id, time."""

    s: str
    i: int
    t: int
    c: str = "trades"


class Word(msgspec.Struct, tag_field="k", tag="word"):
    w: str
    topics: list[tuple[str, str]] = []
    remedy: str = "retry"


_decoder = msgspec.json.Decoder(list[Row | Word])
_one = msgspec.json.Decoder(Row | Word)


def trade(raw: Row, received_ns: int) -> Trade:
    return Trade(
        symbol=raw.s,
        time_ns=raw.t,
        provider="scripted",
        price=1.0 + raw.i,
        size=1.0,
        id=str(raw.i),
        received_ns=received_ns,
    )


class OtherRow(msgspec.Struct, tag_field="k", tag="quote"):
    s: str


class Dialect:
    """JSON lists of rows and words."""

    url = "ws://127.0.0.1:1/scripted"

    def __init__(self, channel: str = "trades") -> None:
        self.headers: dict[str, str] = {}
        self.lanes = {Row: Lane(channel, trade)}

    def decode(self, payload: bytes) -> Sequence[Any]:
        return _decoder.decode(payload)

    def decode_each(self, payload: bytes) -> tuple[Sequence[Any], int]:
        good, bad = [], 0
        try:
            pieces = msgspec.json.decode(payload, type=list[msgspec.Raw])
        except msgspec.DecodeError:
            return [], 1
        for piece in pieces:
            try:
                good.append(_one.decode(piece))
            except msgspec.DecodeError:
                bad += 1
        return good, bad

    def reader(self, desk: Desk) -> Read:
        return desk.read

    def opening(self) -> Sequence[str]:
        return ()

    def credentials(self) -> Sequence[str]:
        return ("login",)

    def understand(self, raw: Word) -> Any:
        topics = tuple(Topic(*each) for each in raw.topics)
        match raw.w:
            case "hello":
                return Hello()
            case "welcome":
                return Authenticated()
            case "ok":
                return Confirmed(topics)
            case "all":
                return Confirmed(topics, is_all=True)
            case "no":
                return Refused(errors.BadRequestError("not that one"))
            case "problem":
                return Problem(errors.AuthenticationError("go away"), Remedy(raw.remedy))
        return None

    def subscribe(self, topics: Sequence[Topic]) -> Sequence[str]:
        return ("+" + msgspec.json.encode(topics).decode(),)

    def unsubscribe(self, topics: Sequence[Topic]) -> Sequence[str]:
        return ("-" + msgspec.json.encode(topics).decode(),)


@dataclass
class Connection:
    """One connection, seen from the venue."""

    venue: "Venue"
    receiver: Any
    sent: list[str] = field(default_factory=list)
    subscribed: set[tuple[str, str]] = field(default_factory=set)
    is_open: bool = True
    is_paused: bool = False

    # What the client does

    def send(self, frame: str | bytes) -> None:
        text = frame if isinstance(frame, str) else frame.decode()
        self.sent.append(text)
        asyncio.get_running_loop().call_soon(self.venue.answer, self, text)

    def close(self) -> None:
        self.is_open = False

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    # What the venue does

    def say(self, *messages: dict[str, Any]) -> None:
        if self.is_open:
            self.receiver.frame(msgspec.json.encode(messages))

    def say_bytes(self, payload: bytes) -> None:
        if self.is_open:
            self.receiver.frame(payload)

    def drop(self, code: int | None = None, reason: str = "") -> None:
        if self.is_open:
            self.is_open = False
            self.receiver.closed((code, reason))


class Venue:
    """Greets, lets in, confirms; what it does otherwise is told to it."""

    def __init__(self, latency: float = 0.01) -> None:
        self.latency = latency
        self.connections: list[Connection] = []
        self.opened_at: list[float] = []
        self.refuses_to_open: Callable[[], Exception | None] = lambda: None
        self.is_mute_at: str | None = None
        self.drops_at: str | None = None
        self.bad: set[str] = set()
        self.unheard: set[str] = set()
        self.ids = 0

    @property
    def live(self) -> Connection:
        return self.connections[-1]

    async def open(self, url: str, headers: Any, receiver: Any, *, timeout: float) -> None:
        self.opened_at.append(asyncio.get_running_loop().time())
        if self.is_mute_at == "open":
            await asyncio.sleep(timeout)
            raise errors.ConnectionError("no answer")
        await asyncio.sleep(self.latency)
        if (problem := self.refuses_to_open()) is not None:
            raise problem
        made = Connection(self, receiver)
        self.connections.append(made)
        receiver.opened(made)
        self._step(made, "hello", {"k": "word", "w": "hello"})

    def _step(self, made: Connection, name: str, *messages: dict[str, Any]) -> None:
        if self.drops_at == name:
            made.drop()
        elif self.is_mute_at != name:
            made.say(*messages)

    def answer(self, made: Connection, text: str) -> None:
        if text == "login":
            self._step(made, "welcome", {"k": "word", "w": "welcome"})
            return
        topics = [tuple(each) for each in msgspec.json.decode(text[1:])]
        if text[0] == "-":
            made.subscribed.difference_update(topics)
            return
        if any(symbol in self.bad for _, symbol in topics):
            made.say({"k": "word", "w": "no"})
            return
        heard = [topic for topic in topics if topic[1] not in self.unheard]
        made.subscribed.update(heard)
        self._step(made, "ok", {"k": "word", "w": "ok", "topics": heard})

    def trade(self, symbol: str, at_ns: int, *, id: int | None = None) -> dict[str, Any]:
        self.ids += 1
        return {"k": "row", "s": symbol, "i": self.ids if id is None else id, "t": at_ns}


def a_feed(
    venue: Venue,
    *,
    clock: VirtualClock | None = None,
    plan: Plan | None = None,
    events: list[Any] | None = None,
    luck: Callable[[], float] = lambda: 0.5,
    hours: Any = None,
    **settings: Any,
) -> Feed:
    """A feed of trades from a scripted venue."""
    more = {} if hours is None else {"hours": hours}
    return Feed(
        Dialect(),
        {"trades": plan or Plan(memory=64)},
        name="scripted",
        settings=FeedSettings(**settings),
        world=World(
            clock=clock or VirtualClock(),
            listeners=() if events is None else (events.append,),
            open_socket=venue.open,
            luck=luck,
        ),
        **more,
    )


def topics(*symbols: str) -> tuple[Topic, ...]:
    return tuple(Topic("trades", symbol) for symbol in symbols)


async def until(is_so: Callable[[], Any]) -> None:
    """Let time pass until something is so."""
    while not is_so():  # noqa: ASYNC110 (time is virtual)
        await asyncio.sleep(0.01)
