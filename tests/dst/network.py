"""The way between a process and the broker, on which requests and answers go astray."""

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.orders.venue import BrokerClass
from sentio_async.resilience.deadline import current_deadline

from .broker import DEDUPES, SHOWS_IDS, Broker, Refusal
from .world import Process, World

ZOMBIE_LIFE = 22.0
"""Seconds that a lost request may take to arrive after all."""

FAULTS = (
    "refused",
    "lost request",
    "zombie",
    "lost answer",
    "reset before",
    "reset after",
    "503 before",
    "504 after",
    "429",
    "garbled",
)
"""Those of which the literature tells; each is as likely as the next."""

RARE = ("repeated by a proxy", "another's answer", "breaker open", "mistake in the connector")
"""Together as likely as one of the others."""
OUTAGE = ("refused", "lost request", "lost request", "zombie")
"""What an outage looks like from here."""


class Wire:
    """A broker as one process reaches it: a ``Venue`` with faults."""

    def __init__(self, world: World, broker: Broker, process: Process, plan) -> None:
        self.broker_class = BrokerClass(broker.kind)
        self._world = world
        self._broker = broker
        self._process = process
        self._fault_rate = plan.rate
        self._outage = plan.outage

    async def place(self, order, /):
        return await self._call("place", self._broker.place, order)

    async def cancel(self, order_id, /):
        return await self._call("cancel", self._broker.cancel, order_id)

    async def replace(self, order_id, change, /):
        return await self._call("replace", self._broker.replace, order_id, change)

    async def find(self, client_order_id, /):
        return await self._call("find", self._broker.find, client_order_id)

    async def recent(self, since, symbol=None):
        return await self._call("recent", self._broker.recent, since, symbol)

    def _fault(self, what: str) -> str | None:
        luck, kind = self._world.luck, self._broker.kind
        begin, end = self._outage
        if begin <= self._world.now() < end:
            return luck.choice(OUTAGE)
        if luck.random() >= self._fault_rate:
            return None
        fault = luck.choice((*FAULTS, "rare"))
        if fault != "rare":
            return fault
        fault = luck.choice(RARE)
        if fault == "repeated by a proxy" and not (
            what == "replace" or (what == "place" and kind in DEDUPES)
        ):
            return "lost answer"
        if fault == "another's answer" and (what != "place" or kind not in SHOWS_IDS):
            return "garbled"
        return fault

    async def _call(self, what, do, *args):
        self._process.check()
        world = self._world
        now, deadline = world.now(), current_deadline()
        if deadline is not None and deadline <= now:
            raise errors.DeadlineExceededError("no time left", outcome=Outcome.NOT_SENT)
        fault = self._fault(what)
        world.say(
            f"p{self._process.number}: {what} {_words(args)}" + (f": {fault}" if fault else "")
        )
        after, request = self._send(fault, do, args)
        if deadline is not None and now + after > deadline:
            after = deadline - now
            request = _Request(do, args)
            request.error = errors.DeadlineExceededError("time is over", outcome=Outcome.UNKNOWN)
        answer = world.loop.create_future()
        world.loop.call_later(after, _wake, answer)
        await answer
        self._process.check()
        return request.answer()

    def _send(self, fault, do, args):
        """Let it go its way: seconds until its sender hears of it, and the request it hears of."""
        luck = self._world.luck
        way = luck.uniform(0.002, 0.05) if luck.random() < 0.9 else luck.uniform(0.05, 3.0)
        back = luck.uniform(0.002, 0.05)
        patience = luck.uniform(0.2, 10.0)
        request = _Request(do, args)
        match fault:
            case None:
                self._arrive(way, request)
                return way + back, request
            case "lost request":
                request.error = _timed_out()
                return patience, request
            case "zombie":
                self._arrive(luck.uniform(0.0, ZOMBIE_LIFE), request)
                request.error = _timed_out()
                return patience, request
            case "lost answer":
                self._arrive(way, request)
                request.error = _timed_out()
                return way + patience, request
            case "reset after" | "504 after" | "garbled" | "mistake in the connector":
                self._arrive(way, request)
                request.error = _FAILURES[fault]()
                return way + (patience if fault == "504 after" else back), request
            case "repeated by a proxy":
                self._arrive(way, request)
                later = way + luck.uniform(0.001, 1.0)
                # A proxy asks twice when it got no answer, so it passes on the second.
                again = self._broker.place_again if do == self._broker.place else do
                second = _Request(again, args)
                self._arrive(later, second)
                return later + back, second
            case "another's answer":
                if luck.random() < 0.5:
                    self._arrive(way, request)
                request.stolen_from = self._broker
                return way + back, request
            case "429":
                wait = luck.choice((None, 0.5, 2.0, 20.0))
                request.error = errors.RateLimitError("429", status_code=429, retry_after=wait)
                return way, request
        request.error = _FAILURES[fault]()
        return way, request

    def _arrive(self, after: float, request) -> None:
        self._world.in_flight += 1
        self._world.loop.call_later(after, self._arrived, request)

    def _arrived(self, request) -> None:
        self._world.in_flight -= 1
        request.arrive()


class _Request:
    """One request, and what its sender will hear of it."""

    __slots__ = ("args", "do", "error", "refusal", "stolen_from", "value")

    def __init__(self, do, args) -> None:
        self.do = do
        self.args = args
        self.value = None
        self.refusal = None
        self.error = None
        self.stolen_from = None

    def arrive(self) -> None:
        try:
            self.value = self.do(*self.args)
        except Refusal as exc:
            self.refusal = exc.code

    def answer(self):
        if self.stolen_from is not None:
            stolen = self.stolen_from.show_other(self.args[0])
            if stolen is not None:
                return stolen
            raise errors.DecodeError("an empty answer")
        if self.error is not None:
            raise self.error
        if self.refusal is not None:
            error = _REFUSALS[self.refusal]()
            raise error
        return self.value


def _wake(answer) -> None:
    if not answer.done():
        answer.set_result(None)


def _timed_out():
    return errors.DeadlineExceededError("no answer", outcome=Outcome.UNKNOWN)


_REFUSALS = {
    "duplicate": lambda: errors.ConflictError("client_order_id must be unique", status_code=422),
    "rejected": lambda: errors.OrderRejectedError("insufficient buying power", status_code=403),
    "not_found": lambda: errors.NotFoundError("order not found", status_code=404),
    "not_open": lambda: errors.BadRequestError("order is not open", status_code=422),
}
_FAILURES = {
    "refused": lambda: errors.ConnectionError("refused", outcome=Outcome.NOT_SENT),
    "reset before": lambda: errors.ConnectionError("reset", outcome=Outcome.UNKNOWN),
    "reset after": lambda: errors.ConnectionError("reset", outcome=Outcome.UNKNOWN),
    "503 before": lambda: errors.ServerError("503", status_code=503),
    "504 after": lambda: errors.ServerError("504", status_code=504),
    "garbled": lambda: errors.DecodeError("not JSON"),
    "breaker open": lambda: errors.CircuitOpenError("open", retry_in=5.0),
    "mistake in the connector": lambda: KeyError("id"),
}


def _words(args) -> str:
    words = []
    for arg in args:
        instructions = getattr(arg, "instructions", None)
        words.append(f"<{instructions['tag']}>" if instructions else str(arg))
    return " ".join(words)
