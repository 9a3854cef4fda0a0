"""Decorators one around the other, run as one coroutine.

A coroutine and a look at the clock for each of them cost more than what they do while all goes
well.  So a decorator that then has nothing to wait for puts a gate on what it returns; ``retry``
around it goes through the gate to the function inside.  When the gate does not open at once, the
decorated function is called as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import FunctionType
from typing import Any

__all__ = ["Gate", "gate_in", "gate_of", "put_gate"]

_MARK = "__sentio_gate__"


def _open(_now: float, /) -> bool:
    """To everyone, at any time."""
    return True


def _nothing(_held: object, _error: object = None, /) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What a decorated function does before and after it calls the function inside."""

    function: Callable[..., Coroutine[Any, Any, Any]]
    """The function inside."""
    enter: Callable[[float], Any] = _open
    """Told the time, what the other two are to be given; None, and nothing is taken, when it has
    to wait or refuses."""
    failed: Callable[[Any, BaseException], None] = _nothing
    passed: Callable[[Any], None] = _nothing
    time: Callable[[], float] | None = None
    """The clock that ``enter`` is told the time of; None: any will do."""


def put_gate(decorated: Callable[..., Any], gate: Gate) -> None:
    """Say how to do without the coroutine of ``decorated``."""
    setattr(decorated, _MARK, (decorated, gate))


def gate_of(function: Callable[..., Any], time: Callable[[], float]) -> Gate | None:
    """The gate of a decorated function, if it can be told this clock's time."""
    gate = _gate_on(function)
    return gate if gate is not None and gate.time in (None, time) else None


def gate_in(function: Callable[..., Any]) -> Gate:
    """The gate of a rate limit, which hears of failures only; of the rest, one always open."""
    gate = _gate_on(function)
    return gate if gate is not None and gate.passed is _nothing else Gate(function)


def _gate_on(function: Callable[..., Any]) -> Gate | None:
    mark = function.__dict__.get(_MARK) if isinstance(function, FunctionType) else None
    # ``functools.wraps`` copies it onto what a foreign decorator has put around.
    return mark[1] if mark is not None and mark[0] is function else None
