"""The calls of a notification service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

from pydantic import ValidationError

from sentio_async import errors
from sentio_async.base.connector import BaseConnector, Role
from sentio_async.models.notices import Attachment, NoticePriority, Receipt, TradeNotice

__all__ = [
    "NotificationConnector",
    "check_options",
    "priority_of",
    "subject_of",
    "text_of",
    "trade_of",
]


class NotificationConnector(BaseConnector):
    """Tells people; every call gives a ``Receipt`` that says what became of it."""

    role: ClassVar[Role] = Role.NOTIFICATION

    async def send_notification(
        self,
        recipient: str | Iterable[str] | None,
        subject: str,
        message: str,
        *,
        priority: NoticePriority | str = NoticePriority.NORMAL,
        html: str | None = None,
        attachments: Iterable[Attachment] = (),
        event_id: str | None = None,
        **more: Any,
    ) -> Receipt:
        """Tell ``recipient`` (None: whoever is configured).

        Messages with the same ``event_id`` are the same message: a receiver that can tell will
        show it once.
        """
        raise NotImplementedError

    async def send_alert(
        self,
        alert_type: str,
        message: str,
        *,
        priority: NoticePriority | str = NoticePriority.HIGH,
        event_id: str | None = None,
    ) -> Receipt:
        """Tell the configured recipients that something needs attention."""
        level = priority_of(priority)
        return await self.send_notification(
            None,
            f"[{level.value}] {alert_type}",
            message,
            priority=level,
            event_id=event_id,
        )

    async def send_trade_notification(
        self, trade: TradeNotice | Mapping[str, Any], *, event_id: str | None = None
    ) -> Receipt:
        """Tell the configured recipients of a trade."""
        notice = trade if isinstance(trade, TradeNotice) else trade_of(trade)
        return await self.send_notification(
            None, subject_of(notice), text_of(notice), event_id=event_id
        )


def check_options(given: Iterable[str], known: type) -> None:
    """Raise InvalidRequestError for an option that ``known``, a TypedDict, does not have."""
    names = known.__annotations__
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise errors.InvalidRequestError(
            f"{unknown[0]}: is not an option; there are {', '.join(names)}"
        )


def priority_of(word: NoticePriority | str) -> NoticePriority:
    """The priority of that name; raises InvalidRequestError."""
    try:
        return NoticePriority(word)
    except ValueError:
        known = ", ".join(NoticePriority)
        raise errors.InvalidRequestError(f"priority: {word!r} is none of {known}") from None


def trade_of(fields: Mapping[str, Any]) -> TradeNotice:
    """The trade in a mapping; raises InvalidRequestError."""
    try:
        return TradeNotice.model_validate(fields)
    except ValidationError as exc:
        where = ", ".join(str(e["loc"][0]) if e["loc"] else "trade" for e in exc.errors())
        raise errors.InvalidRequestError(f"trade: missing or wrong: {where}") from None


def subject_of(notice: TradeNotice) -> str:
    """``BUY 100 AAPL @ 187.20``."""
    price = "" if notice.price is None else f" @ {notice.price:f}"
    return f"{notice.side.value.upper()} {notice.qty:f} {notice.symbol}{price}"


def text_of(notice: TradeNotice) -> str:
    """The trade in lines, those that are known."""
    rows = {
        "Symbol": notice.symbol,
        "Side": notice.side.value,
        "Quantity": notice.qty,
        "Price": notice.price,
        "Total": notice.total,
        "Status": notice.status,
        "Order": notice.order_id,
        "Strategy": notice.strategy,
        "Profit/loss": notice.profit_loss,
        "Time": None if notice.at is None else notice.at.isoformat(),
        **notice.details,
    }
    return "\n".join(
        f"{name}: {_plain(value)}" for name, value in rows.items() if value is not None
    )


def _plain(value: Any) -> str:
    """``100000``, not ``1E+5``."""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
