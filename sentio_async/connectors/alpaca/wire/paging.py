"""How Alpaca's long lists are read to their end: which page comes next, and when it is the last.

Orders have no page token: the next page is asked for by an order's id.  Nothing says whether
"submitted before the order with this ID" leaves out its twins of the same instant (the exits of a
bracket have the time of their entry).  So the cursor is the last order *before* the instant at
which a page ends; what then comes twice is dropped.  A server that ignores the cursor, and so
sends the same page for ever, ends the list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from sentio_async import errors
from sentio_async.connectors.alpaca.wire import account, orders
from sentio_async.http.endpoint import Call
from sentio_async.models import Order, Page, Rows

__all__ = ["IdPages", "OrderPages", "TokenPages"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=_HasId)
T = TypeVar("T")


class OrderPages:
    """Pages of orders: ask ``next()``, give its answer to ``take()``, until None is next."""

    def __init__(
        self,
        *,
        page_size: int = orders.MAX_PAGE,
        direction: str = "desc",
        after: datetime | None = None,
        until: datetime | None = None,
        **filters: Any,
    ) -> None:
        _check_size(page_size, orders.MAX_PAGE)
        self._size = page_size
        self._newest_first = direction != "asc"
        self._after = after
        self._until = until
        self._filters = {**filters, "limit": page_size, "direction": direction}
        self._cursor: str | None = None
        self._seen: set[str] = set()
        self._is_done = False

    def next(self) -> Call[Rows[Order]] | None:
        """The request for the next page; None after the last."""
        if self._is_done:
            return None
        if self._cursor is None:
            return orders.orders(**self._filters, after=self._after, until=self._until)
        name = "before_order_id" if self._newest_first else "after_order_id"
        return orders.orders(**{**self._filters, name: self._cursor})

    def take(self, rows: Rows[Order]) -> list[Order]:
        """The orders of a page that are new, up to the far end of the times asked for."""
        fresh = [row for row in rows if row.id not in self._seen]
        self._seen.update(row.id for row in fresh)
        wanted = [row for row in fresh if not self._is_past(row)]
        self._move(rows, fresh, is_past=len(wanted) < len(fresh))
        return wanted

    def _is_past(self, row: Order) -> bool:
        """Beyond the far end of the times asked for, which go with the first page only."""
        at = row.nanoseconds.get("submitted_at")
        far = self._after if self._newest_first else self._until
        if at is None or far is None:
            return False
        return at <= _ns(far) if self._newest_first else at >= _ns(far)

    def _move(self, rows: Rows[Order], fresh: list[Order], *, is_past: bool) -> None:
        # With legs rolled up into their parent, a page that is not full need not be the last.
        is_short = len(rows) + len(rows.skipped) < self._size and not self._filters.get("nested")
        if not rows or is_short or is_past:
            self._is_done = True
            return
        cursor = _before_last_instant(rows) if fresh else rows[-1].id
        self._is_done = cursor == self._cursor
        self._cursor = cursor


def _before_last_instant(rows: Sequence[Order]) -> str:
    """The last order that is not of the instant at which the page ends."""
    ends_at = rows[-1].nanoseconds.get("submitted_at")
    before = (row for row in reversed(rows) if row.nanoseconds.get("submitted_at") != ends_at)
    return next(before, rows[-1]).id


def _ns(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


class IdPages(Generic[R]):
    """Pages that continue after the id of the last row, as those of activities do."""

    def __init__(
        self,
        ask: Callable[..., Call[Rows[R]]],
        *,
        page_size: int = account.MAX_PAGE,
        **filters: Any,
    ) -> None:
        _check_size(page_size, account.MAX_PAGE)
        self._ask = ask
        self._size = page_size
        self._filters = {**filters, "page_size": page_size}
        self._cursor: str | None = None
        self._seen: set[str] = set()
        self._is_done = False

    def next(self) -> Call[Rows[R]] | None:
        """The request for the next page; None after the last."""
        return None if self._is_done else self._ask(**self._filters, page_token=self._cursor)

    def take(self, rows: Rows[R]) -> list[R]:
        """The rows of a page that are new."""
        fresh = [row for row in rows if row.id not in self._seen]
        self._seen.update(row.id for row in fresh)
        self._is_done = not fresh or len(rows) + len(rows.skipped) < self._size
        self._cursor = rows[-1].id if rows else None
        return fresh


class TokenPages(Generic[T]):
    """Pages that name the next one by a token, as those of option contracts do."""

    def __init__(self, ask: Callable[..., Call[Page[Rows[T]]]], **filters: Any) -> None:
        self._ask = ask
        self._filters = filters
        self._token: str | None = None
        self._tokens: set[str] = set()
        self._is_done = False

    def next(self) -> Call[Page[Rows[T]]] | None:
        """The request for the next page; None after the last."""
        return None if self._is_done else self._ask(**self._filters, page_token=self._token)

    def take(self, page: Page[Rows[T]]) -> list[T]:
        """The rows of a page."""
        if page.next in self._tokens:
            raise errors.DecodeError("pages: a page token came twice, so the list has no end")
        self._token = page.next
        self._is_done = page.next is None
        if page.next is not None:
            self._tokens.add(page.next)
        return page.items


def _check_size(page_size: int, most: int) -> None:
    # A page cut shorter by Alpaca than was asked for would look like the last one.
    if not 1 <= page_size <= most:
        raise errors.InvalidRequestError(f"page_size: from 1 to {most}, not {page_size}")
