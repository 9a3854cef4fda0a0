"""Pages of history: all of one symbol's rows, then the next symbol's, until the limit."""

from collections.abc import Callable, Iterator
from typing import Any

from sentio_async.sim.market import Bar
from sentio_async.sim.venues.alpaca.data_asking import Ask, Timeframe, Token
from sentio_async.sim.venues.tape import Period, Tape

Rows = Iterator[tuple[int, Any]]
# Symbol, first and last instant, newest first?
Walk = Callable[[str, int, int, bool], Rows]

LIMIT = 1_000
TOP = 10_000


def page(
    ask: Ask, symbols: list[str], span: tuple[int, int], walk: Walk
) -> tuple[dict[str, list[Any]], str | None]:
    """The rows of one page by symbol, and the token of the next one."""
    limit = ask.number("limit", LIMIT, TOP)
    back = ask.is_descending()
    token = ask.token()
    room = limit
    found: dict[str, list[Any]] = {}
    for symbol in symbols:
        if token is not None and symbol < token.symbol:
            continue
        is_resumed = token is not None and symbol == token.symbol
        rows = (
            _resumed(walk, token, span, back) if is_resumed and token else walk(symbol, *span, back)
        )
        taken, follower = _take(rows, room)
        if taken:
            found[symbol] = [row for _, row in taken]
        room -= len(taken)
        if follower is not None:
            return found, _next(symbol, follower, taken, token if is_resumed else None)
    return found, None


def _resumed(walk: Walk, token: Token, span: tuple[int, int], back: bool) -> Rows:
    start, end = span
    rows = walk(token.symbol, *((start, token.time_ns) if back else (token.time_ns, end)), back)
    skip = token.skip
    for time_ns, row in rows:
        if time_ns == token.time_ns and skip:
            skip -= 1
            continue
        yield time_ns, row


def _take(rows: Rows, room: int) -> tuple[list[tuple[int, Any]], int | None]:
    taken: list[tuple[int, Any]] = []
    for time_ns, row in rows:
        if len(taken) == room:
            return taken, time_ns
        taken.append((time_ns, row))
    return taken, None


def _next(symbol: str, follower: int, taken: list[tuple[int, Any]], before: Token | None) -> str:
    skip = sum(1 for time_ns, _ in reversed(taken) if time_ns == follower)
    if before is not None and before.time_ns == follower:
        skip += before.skip
    return str(Token(symbol, follower, skip))


def framed(
    ask: Ask, symbol: str, frame: Timeframe, span: tuple[int, int], back: bool
) -> Iterator[Bar]:
    """The bars of any timeframe."""
    tape = Tape(ask.state.market)
    if frame.step_ns is not None:
        return tape.bars(symbol, frame.step_ns, *span, back=back)
    if frame.unit == "Day":
        return tape.days(symbol, *span, back=back)
    period = Period(months=frame.count) if frame.unit == "Month" else Period()
    return tape.periods(symbol, period, *span, back=back)
