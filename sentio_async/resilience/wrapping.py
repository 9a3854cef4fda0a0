"""Which functions the decorators of this package accept."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, Protocol, TypeVar

__all__ = ["Decorator", "check_coroutine_function", "name_of"]

P = ParamSpec("P")
T = TypeVar("T")


class Decorator(Protocol):
    """Gives back a function of the same signature and result."""

    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, T]], /
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        """Decorate an ``async def``."""
        ...


def name_of(function: Callable[..., Any]) -> str:
    """A name for messages, also of partials and callable objects."""
    return getattr(function, "__qualname__", None) or type(function).__qualname__


def check_coroutine_function(decorator: str, function: Callable[..., Any]) -> None:
    """Raise TypeError, when decorating rather than when calling, unless it is ``async def``."""
    called = getattr(function, "__call__", function)  # noqa: B004
    if any(map(inspect.iscoroutinefunction, (function, called))):
        return
    if any(map(inspect.isasyncgenfunction, (function, called))):
        kind = "an async generator: a stream that broke off cannot be started again unseen"
    elif any(map(inspect.isgeneratorfunction, (function, called))):
        kind = "a generator"
    else:
        kind = "not async"
    raise TypeError(f"@{decorator} takes async def functions; {name_of(function)} is {kind}")
