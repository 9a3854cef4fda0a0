"""The ways to place an order that are compared: the gateway, and what its peers do.

Each tells its caller one of ``("placed", order id)``, ``("failed", why)``, ``("unknown", handle)``.
What a library raises without saying that the order may live counts as failed: its caller has
nothing else to go by.
"""

from contextlib import nullcontext
from uuid import uuid4

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.orders.gateway import OrderGateway
from sentio_async.orders.intent import looks_like
from sentio_async.orders.policy import GatewayPolicy
from sentio_async.orders.rails import Rails
from sentio_async.resilience.deadline import with_deadline

from .journal import Disk, SimJournal
from .network import Wire
from .world import Process


class GatewayClient:
    """The gateway of this library, as an application uses it."""

    recovers = True

    def __init__(self, process: Process, wire: Wire, disk: Disk, setting) -> None:
        policy = GatewayPolicy(
            timeout=setting.timeout, horizon=setting.horizon, late=setting.late, attempts=4
        )
        self._gateway = OrderGateway(
            wire,
            journal=SimJournal(process, disk, setting.pace),
            account="dst",
            policy=policy,
            rails=Rails(max_unknown=setting.max_unknown),
            clock=process,
        )

    async def start(self) -> None:
        await self._gateway.start()

    async def stop(self) -> None:
        await self._gateway.stop()

    def kill(self) -> None:
        self._gateway.abandon()

    @property
    def open(self) -> list[str]:
        return [f"{each.id} {each.step.value} {each.reason}" for each in self._gateway.open]

    async def submit(self, wish):
        around = nullcontext() if wish.patience is None else with_deadline(wish.patience)
        with around:
            return await _told(self._gateway.submit(wish.order, intent_key=wish.key))

    async def replace(self, order_id, change):
        return await _told(self._gateway.replace(order_id, change))

    async def cancel(self, order_id):
        return await _told_cancel(self._gateway.cancel(order_id))

    async def resolve(self, handle):
        return await _told(handle.resolve())


async def _told(work):
    try:
        order = await work
    except errors.OutcomeUnknownError as exc:
        return "unknown", getattr(exc, "handle", None)
    except errors.ConnectorError as exc:
        is_known = exc.outcome in (Outcome.NOT_SENT, Outcome.REFUSED)
        return ("failed", repr(exc)) if is_known else ("unknown", None)
    return ("failed", "found out that there is none") if order is None else ("placed", order.id)


async def _told_cancel(work):
    try:
        await work
    except errors.OutcomeUnknownError:
        return "unknown", None
    except errors.ConnectorError as exc:
        is_known = exc.outcome in (Outcome.NOT_SENT, Outcome.REFUSED)
        return "failed" if is_known else "unknown", repr(exc)
    return "heard", None


class Peer:
    """What most clients are: no memory on disk, and every error is a failure."""

    recovers = False
    open = ()

    def __init__(self, process: Process, wire: Wire, disk: Disk, setting) -> None:
        self.process = process
        self.wire = wire

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def kill(self) -> None:
        pass

    async def submit(self, wish):
        try:
            order = await self.place(wish.order)
        except (errors.ConnectorError, KeyError) as exc:
            return "failed", repr(exc)
        return ("failed", "rejected") if order is None else ("placed", order.id)

    async def place(self, order):
        raise NotImplementedError

    async def replace(self, order_id, change):
        return await _told(self.wire.replace(order_id, change))

    async def cancel(self, order_id):
        return await _told_cancel(self.wire.cancel(order_id))


class AlpacaPy(Peer):
    """alpaca-py 0.44: no id unless given; 429 and 504 are sent again, three times, 3 s apart."""

    async def place(self, order):
        for left in (3, 2, 1, 0):
            try:
                return await self.wire.place(_under(order, None))
            except errors.APIError as exc:
                if exc.status_code not in (429, 504) or not left:
                    raise
            await self.process.sleep(3.0)
        raise AssertionError


class RetryNewId(Peer):
    """A retrying decorator around a submit that makes an id each time: four tries, backing off."""

    async def place(self, order):
        return await self._again(lambda: self.wire.place(_under(order, uuid4().hex)))

    async def _again(self, ask):
        for number in range(3):
            try:
                return await ask()
            except (errors.ConnectorError, KeyError) as exc:
                if isinstance(exc, errors.OrderRejectedError | errors.ConflictError):
                    raise
            luck = self.process.world.luck.random()
            await self.process.sleep(0.5 * 2**number * (0.5 + luck))
        return await ask()


class StableId(RetryNewId):
    """The same with one id for all tries; "duplicate" is an error like any other."""

    async def place(self, order):
        wanted = _under(order, uuid4().hex)
        return await self._again(lambda: self.wire.place(wanted))


class LookupThenReject(Peer):
    """Send once; if nobody knows, look five times, then call it rejected."""

    async def place(self, order):
        wanted = _under(order, uuid4().hex)
        started = self.process.utcnow()
        for _ in range(4):
            try:
                return await self.wire.place(wanted)
            except (errors.ConnectorError, KeyError) as exc:
                outcome = getattr(exc, "outcome", Outcome.UNKNOWN)
                if outcome is Outcome.UNKNOWN:
                    break
                if outcome is Outcome.REFUSED and not isinstance(exc, errors.RateLimitError):
                    raise
            await self.process.sleep(1.0)
        for _ in range(5):
            await self.process.sleep(1.0)
            try:
                found = await self._look(wanted, started)
            except (errors.ConnectorError, KeyError):
                continue
            if found is not None:
                return found
        return None

    async def _look(self, wanted, started):
        if self.wire.broker_class.value == "unique":
            return await self.wire.find(wanted.client_order_id)
        listed = await self.wire.recent(started, wanted.symbol)
        if self.wire.broker_class.value == "echo":
            return next((o for o in listed if o.client_order_id == wanted.client_order_id), None)
        return next((o for o in listed if looks_like(wanted, o)), None)


def _under(order, id):
    return order.model_copy(update={"client_order_id": id})


CLIENTS = {
    "gateway": GatewayClient,
    "alpaca-py": AlpacaPy,
    "retry-new-id": RetryNewId,
    "stable-id": StableId,
    "lookup-then-reject": LookupThenReject,
}
