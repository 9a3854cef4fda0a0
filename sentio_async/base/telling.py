"""Telling several people: each has a result of their own, and a message one id for all of them."""

from __future__ import annotations

import asyncio
import hashlib
import re
import uuid
from collections.abc import Awaitable, Iterable

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.models.notices import Delivery, RecipientResult

__all__ = ["notice_id", "tell_each"]

_ID = re.compile(r"[A-Za-z0-9_:-]{1,128}")


def notice_id(event_id: str | None) -> str:
    """The id of a message: one event always has the same, and without an event each its own.

    It is plain text without dots, so that others may put it into what they sign or store.
    """
    if not event_id:
        return f"msg_{uuid.uuid4().hex}"
    if _ID.fullmatch(event_id):
        return event_id
    return f"evt_{hashlib.sha256(event_id.encode('utf-8', 'replace')).hexdigest()[:32]}"


async def tell_each(
    told: Iterable[tuple[str, Awaitable[RecipientResult]]],
) -> tuple[RecipientResult, ...]:
    """Each recipient's result, all asked side by side; an error if nobody is known to have got it.

    The error is the first that leaves it open whether the message arrived, else the first.

    ``told`` holds a recipient's name in the receipt, and the call that tells it.
    """
    pairs = list(told)
    ended = await asyncio.gather(*(call for _, call in pairs), return_exceptions=True)
    results: list[RecipientResult] = []
    failures: list[errors.ConnectorError] = []
    for (name, _), end in zip(pairs, ended, strict=True):
        if isinstance(end, errors.ConnectorError):
            failures.append(end)
            results.append(_failed(name, end))
        elif isinstance(end, BaseException):
            raise end
        else:
            results.append(end)
    if failures and len(failures) == len(results):
        raise next((e for e in failures if e.outcome is Outcome.UNKNOWN), failures[0])
    return tuple(results)


def _failed(recipient: str, error: errors.ConnectorError) -> RecipientResult:
    match error.outcome:
        case Outcome.UNKNOWN:
            delivery = Delivery.UNKNOWN
        case Outcome.NOT_SENT if not error.is_permanent:
            delivery = Delivery.DEFERRED
        case _ if isinstance(error, errors.RateLimitError):
            delivery = Delivery.DEFERRED
        case _:
            delivery = Delivery.REFUSED
    status = getattr(error, "status_code", None)
    return RecipientResult(
        recipient=recipient,
        delivery=delivery,
        code=None if status is None else str(status),
        reason=error.message,
    )
