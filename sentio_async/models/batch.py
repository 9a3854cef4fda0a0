"""An answer about many symbols: for each either its value or its error, never a hole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from sentio_async.errors import ConnectorError

__all__ = ["Batch"]

T = TypeVar("T")
D = TypeVar("D")


class Batch(Generic[T]):
    """What was found for each symbol asked for, in the order of asking.

    ``batch["AAPL"]`` gives the value or raises that symbol's own error.  ``found`` has the values
    only, ``errors`` the errors only; together they hold every symbol asked for.
    """

    __slots__ = ("_results",)

    def __init__(self, results: Mapping[str, T | ConnectorError]) -> None:
        self._results = dict(results)

    def __getitem__(self, symbol: str) -> T:
        result = self._results[symbol]
        if isinstance(result, ConnectorError):
            raise result
        return result

    def get(self, symbol: str, default: D) -> T | D:
        """The value, or ``default`` when there is none."""
        result = self._results.get(symbol)
        return default if result is None or isinstance(result, ConnectorError) else result

    def items(self) -> Iterator[tuple[str, T | ConnectorError]]:
        """Each symbol with its value or its error."""
        return iter(self._results.items())

    def values(self) -> Iterator[T | ConnectorError]:
        """The value or the error of each symbol."""
        return iter(self._results.values())

    def to_dict(self) -> dict[str, T | ConnectorError]:
        """The value or the error of each symbol, as a dict of its own."""
        return self._results.copy()

    @property
    def found(self) -> dict[str, T]:
        """The values by symbol."""
        return {s: r for s, r in self._results.items() if not isinstance(r, ConnectorError)}

    @property
    def errors(self) -> dict[str, ConnectorError]:
        """The errors by symbol."""
        return {s: r for s, r in self._results.items() if isinstance(r, ConnectorError)}

    @property
    def is_complete(self) -> bool:
        """Every symbol has its value."""
        return not self.errors

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._results

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    def __repr__(self) -> str:
        return f"<Batch {len(self.found)} found, {len(self.errors)} failed>"
