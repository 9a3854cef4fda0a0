"""What the fault script does to a mail server's replies."""

import asyncio
from typing import Final

from sentio_async.sim.faults import DELAYS, ON_ACCEPT, SILENT, Applied, FaultRule
from sentio_async.sim.serving import reset
from sentio_async.sim.state import State

VENUE: Final = "smtp"
SILENCE: Final = 60.0
GARBAGE: Final = b"\xff\xfb\x01 *** not a reply ***\r\n"
DEFAULT_REPLY: Final = {421: "4.3.2 service not available", 451: "4.3.0 try again later"}
BEFORE: Final = frozenset({"drop_before", "reset_before", "silence", "status"})
AFTER: Final = frozenset(
    {
        "drop_after",
        "reset_after",
        "silence_after",
        "status_after",
        "unsolicited",
        "cut",
        "cut_reset",
        "half",
        "dribble",
        "garbage",
    }
)
KINDS: Final = BEFORE | AFTER | DELAYS | ON_ACCEPT


def strike(state: State, command: str, argument: str) -> list[Applied]:
    """The faults this command meets, noted on record."""
    call, now = (VENUE, command, argument), state.clock.now()
    rules = state.faults.strikes(*call, kinds=KINDS)
    return [state.faults.record(rule, call, now) for rule in rules]


def reply_of(rule: FaultRule) -> bytes:
    """The reply line a `status` rule asks for."""
    words = rule.body or DEFAULT_REPLY.get(rule.status, "5.3.0 refused")
    return f"{rule.status} {words}\r\n".encode()


async def wait(struck: list[Applied], kind: str) -> None:
    """Sleep for as long as the delays of this kind say."""
    if seconds := sum(each.rule.delay for each in struck if each.rule.kind == kind):
        await asyncio.sleep(seconds)


async def fail(rule: FaultRule, transport: asyncio.Transport) -> None:
    """Do what the rule says in place of the command."""
    if rule.kind not in DELAYS | SILENT:
        await asyncio.sleep(rule.delay)
    match rule.kind:
        case "status" | "status_after":
            transport.write(reply_of(rule))
            if rule.status == 421:
                transport.close()
        case "silence" | "silence_after":
            await asyncio.sleep(rule.delay or SILENCE)
            transport.close()
        case "drop_before" | "drop_after":
            transport.close()
        case "reset_before" | "reset_after":
            reset(transport)


async def misreply(rule: FaultRule, reply: bytes, transport: asyncio.Transport) -> None:
    """Send this reply, due for a command that was carried out, as the rule spoils it."""
    if rule.kind not in ("half", "cut", "cut_reset", "garbage", "dribble", "unsolicited"):
        await fail(rule, transport)
        return
    if rule.kind != "dribble":
        await asyncio.sleep(rule.delay)
    match rule.kind:
        case "dribble":
            for each in reply:
                transport.write(bytes((each,)))
                await asyncio.sleep(rule.delay or 0.001)
        case "unsolicited":
            transport.write(reply + b"250 2.0.0 nobody asked for this\r\n")
        case "garbage":
            transport.write(rule.body.encode() if rule.body else GARBAGE)
            transport.close()
        case _:
            transport.write(reply[: len(reply) // 2])
            # Leaves before the reset does: the kernel drops what a reset overtakes.
            await asyncio.sleep(0)
            if rule.kind == "cut_reset":
                reset(transport)
            else:
                transport.close()
