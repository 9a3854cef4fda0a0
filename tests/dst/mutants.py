"""Deliberate bugs of the gateway, each of which the simulation must notice.

A bug that nobody would notice here could be made for real and nobody would notice it either.
"""

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from unittest.mock import patch
from uuid import uuid4

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.orders import placement, recovery
from sentio_async.orders.carrying import Carrier
from sentio_async.orders.changes import Cancellation, Replacement
from sentio_async.orders.desk import Desk
from sentio_async.orders.entry import Entry, Verdict
from sentio_async.orders.gateway import OrderGateway
from sentio_async.orders.journal import Step
from sentio_async.orders.placement import Placement
from sentio_async.orders.policy import GatewayPolicy

from . import runs, scenario


@dataclass(frozen=True)
class Mutant:
    """A bug: what it replaces, and by what."""

    says: str
    patches: tuple


MUTANTS: dict[str, Mutant] = {}


def mutant(name: str, says: str, *where):
    """Put a function in the place of another: ``where`` is pairs of target and attribute."""

    def put(function):
        patches = tuple((target, attribute, function) for target, attribute in where)
        MUTANTS[name] = Mutant(says, patches)
        return function

    return put


@contextmanager
def applied(name: str | None):
    """Run with the bug of this name; without any when it is None."""
    with ExitStack() as stack:
        for target, attribute, function in MUTANTS[name].patches if name else ():
            if attribute not in vars(target):
                raise LookupError(f"{name}: {target.__name__}.{attribute} is not there any more")
            stack.enter_context(patch.object(target, attribute, function))
        yield


def run_all(count: int, seed: int) -> dict:
    """How many scenarios it took to catch each; one JSON-ready object."""
    caught = {name: caught_after(name, count, seed) for name in MUTANTS}
    return {
        "mutants": len(caught),
        "scenarios": count,
        "seed": seed,
        "caught_after": caught,
        "survivors": [name for name, found in caught.items() if found is None],
    }


def caught_after(name: str, count: int, seed: int) -> dict | None:
    """The number of the first scenario that notices, and what it notices; None if none does."""
    with applied(name):
        for number, each in enumerate(runs.seeds(count, seed), 1):
            findings = scenario.run(each)
            if findings.wrong:
                return {"scenario": number, "as": sorted(findings.wrong), "seed": each}
    return None


# Sending

_send = Placement.send
_write_sent = Placement._write_sent


async def _remember_only(self):
    desk, held = self.desk, []
    self.held = held

    async def keep(*rows):
        held.extend(rows)

    stand_in = SimpleNamespace(wall=desk.wall, write=keep)
    with patch.object(self, "desk", stand_in):
        return await _write_sent(self)


async def _send_then_write(self):
    verdict = await _send(self)
    await self.desk.write(*self.held)
    return verdict


MUTANTS["journal-after-answer"] = Mutant(
    "written down when the answer is there",
    ((Placement, "_write_sent", _remember_only), (Placement, "send", _send_then_write)),
)


@mutant("fresh-id", "every try under a new id", (Placement, "ask"))
async def _fresh_id(self):
    fresh = {"client_order_id": uuid4().hex}
    return await self.desk.venue.place(self.entry.intent.order.model_copy(update=fresh))


@mutant(
    "resend-anywhere",
    "sent again also where repeats are not refused",
    (Placement, "_may_send_again"),
)
def _resend_anywhere(self):
    entry = self.entry
    is_done = entry.is_proved or entry.refusal is not None or entry.is_told_unknown
    return self.may_repeat and not is_done and self.desk.now() < entry.deadline


@mutant(
    "resend-after-the-deadline",
    "sent again after its caller was told",
    (Placement, "_may_send_again"),
)
def _resend_late(self):
    return self.may_repeat and not self.entry.is_proved


MUTANTS["replace-again"] = Mutant(
    "a change that may have arrived is sent again, anywhere",
    ((Replacement, "may_repeat", True), (Placement, "_may_send_again", _resend_late)),
)


# What a failure says


@mutant(
    "timeout-is-not-sent",
    "no answer in time is taken for never sent",
    (placement, "may_have_arrived"),
)
def _timeout_is_not_sent(error):
    if isinstance(error, errors.DeadlineExceededError):
        error.outcome = Outcome.NOT_SENT
    return error.outcome not in (Outcome.NOT_SENT, Outcome.REFUSED)


@mutant(
    "5xx-is-refused", "a server's failure is taken for a refusal", (placement, "may_have_arrived")
)
def _server_error_is_refused(error):
    if isinstance(error, errors.ServerError):
        error.outcome = Outcome.REFUSED
    return error.outcome not in (Outcome.NOT_SENT, Outcome.REFUSED)


@mutant(
    "garbled-is-failed",
    "an answer that cannot be read is a failure",
    (placement, "may_have_arrived"),
)
def _garbled_is_failed(error):
    if isinstance(error, errors.DecodeError):
        error.outcome = Outcome.REFUSED
    return error.outcome not in (Outcome.NOT_SENT, Outcome.REFUSED)


@mutant("duplicate-is-rejected", '"the id was used" is a refusal', (Placement, "_repeated"))
async def _duplicate_is_rejected(self, exc):
    return Verdict(Step.REJECTED, error=exc)


_failed = Placement._failed


@mutant(
    "refusal-is-final",
    "a refused second try ends it, whatever the first did",
    (Placement, "_failed"),
)
async def _refusal_is_final(self, exc):
    verdict = await _failed(self, exc)
    if self.entry.refusal is not None:
        return Verdict(Step.REJECTED, error=exc)
    return verdict


@mutant(
    "any-answer-is-ours", "whose order an answer is about is not looked at", (Placement, "is_ours")
)
def _any_answer_is_ours(self, order):
    return True


# Looking


@mutant("not-found-is-rejected", "not seen once is not there", (Placement, "_not_found"))
def _not_found_is_rejected(self, started):
    return Verdict(Step.NOT_PLACED, error=errors.ConnectorError("gone", outcome=Outcome.NOT_SENT))


_init = GatewayPolicy.__post_init__


@mutant(
    "short-horizon", "given up before a lost request has died", (GatewayPolicy, "__post_init__")
)
def _short_horizon(self):
    object.__setattr__(self, "horizon", 5.0)
    _init(self)


@mutant("no-clock-skew", "the broker's clock is taken for ours", (GatewayPolicy, "__post_init__"))
def _no_clock_skew(self):
    object.__setattr__(self, "clock_skew", 0.0)
    _init(self)


@mutant("no-twin-lock", "two that look alike are sent at once", (Desk, "twin_lock"))
def _no_twin_lock(self, entry):
    return None


@mutant("claims-ignored", "an order can be found twice", (Placement, "_is_unclaimed"))
def _claims_ignored(self, order):
    return True


_look = Placement.look


@mutant("failed-look-is-clean", "a look that failed counts as not seen", (Placement, "look"))
async def _failed_look_is_clean(self):
    started, reason = self.desk.now(), self.entry.reason
    self.entry.reason = ""
    verdict = await _look(self)
    if verdict is None and self.entry.reason.startswith("looking"):
        return self._not_found(started)
    self.entry.reason = self.entry.reason or reason
    return verdict


@mutant("claims-not-made", "an order that was placed can be found again", (Desk, "claim"))
def _claims_not_made(self, entry, order):
    pass


@mutant(
    "looks-are-not-compared", "any order of the symbol is taken for it", (placement, "looks_like")
)
def _looks_are_not_compared(order, found):
    return True


# Callers


@mutant("callers-carry", "a caller who leaves takes his order with him", (Carrier, "outcome_of"))
async def _callers_carry(self, entry):
    try:
        return await _outcome_of(self, entry)
    finally:
        if entry.task is not None and not entry.task.done() and not entry.is_told_unknown:
            entry.task.cancel()


_outcome_of = Carrier.outcome_of


@mutant("time-over-is-failed", "out of time is told as failed", (Carrier, "unknown"))
def _time_over_is_failed(self, entry):
    return errors.DeadlineExceededError("out of time", outcome=Outcome.NOT_SENT)


@mutant("late-is-forgotten", "nobody looks after the caller was told", (Placement, "_pause"))
async def _late_is_forgotten(self, number):
    await _pause(self, number)
    if self.entry.is_told_unknown:
        await self.desk.clock.sleep(1e9)


_pause = Placement._pause


_submit = OrderGateway.submit


@mutant("keys-are-ignored", "the same key makes another order", (OrderGateway, "submit"))
async def _keys_are_ignored(self, order, *, intent_key=None):
    return await _submit(self, order)


# Restart

_take = Entry.take


@mutant("blind-resend", "what was sent before a crash is sent again unseen", (Entry, "take"))
def _blind_resend(self, row):
    _take(self, row)
    self.is_ambiguous = False


@mutant("sent-is-forgotten", "after a crash, sent counts as never sent", (Entry, "take"))
def _sent_is_forgotten(self, row):
    _take(self, row)
    self.attempts = 0


@mutant("claims-not-restored", "after a crash, known orders can be found again", (Desk, "add"))
def _claims_not_restored(self, entry):
    order, entry.order = entry.order, None
    _add(self, entry)
    entry.order = order


_add = Desk.add


@mutant("no-recovery", "what was left open is not looked at", (recovery, "_find_out"))
async def _no_recovery(desk, carrier, left):
    pass


@mutant(
    "restart-forgets-time",
    "after a crash, the horizon counts from the first send",
    (recovery, "_take_up"),
)
def _restart_forgets_time(desk, entry):
    _take_up(desk, entry)
    entry.left_at = -1e9


_take_up = recovery._take_up


# Cancels


@mutant(
    "cancel-is-heard",
    "a cancel that may have been lost counts as heard",
    (Cancellation, "_ask_once"),
)
async def _cancel_is_heard(self):
    error = await _ask_once(self)
    return None if error is not None and error.outcome is Outcome.UNKNOWN else error


_ask_once = Cancellation._ask_once


@mutant(
    "cancel-refused", "a cancel refused after a lost answer is refused", (Cancellation, "_refused")
)
async def _cancel_refused(self, error):
    return Verdict(Step.REJECTED, error=error)


@mutant(
    "change-refused",
    "a change refused because a proxy repeated it is refused",
    (Replacement, "_failed"),
)
async def _change_refused(self, error):
    return await Placement._failed(self, error)
