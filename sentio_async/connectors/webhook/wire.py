"""Outgoing webhooks on the wire: bodies, signatures, answers; does no I/O.

Standard Webhooks 1.0.0:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
Slack's incoming webhooks: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlsplit

from pydantic import SecretStr

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.http.endpoint import Api, Call, Endpoint, Parts, Problem
from sentio_async.http.wire_json import Json
from sentio_async.models.notices import Delivery, NoticePriority, TradeNotice

__all__ = [
    "aimed_at",
    "check_header",
    "knock",
    "longest_text",
    "notice_body",
    "post_notice",
    "post_to_slack",
    "secret_key",
    "signature_headers",
    "slack_body",
    "split_url",
    "trade_body",
]

PREFIX = "whsec_"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_LONGEST_SLACK_TEXT = 4000
_LONGEST_DISCORD_TEXT = 2000
_CUT = "… (cut)"
# Mattermost: "@name"; Discord: these two words, wherever they are.
_CALL = re.compile(r"(?i)@(?=everyone|here|(?:channel|all)\b)|(?<!\w)@(?=\w)")

# Hop by hop, framing, or ours.
_RESERVED = frozenset(
    (
        *("host", "content-length", "content-type", "content-encoding", "transfer-encoding"),
        *("connection", "keep-alive", "te", "trailer", "upgrade", "expect", "accept-encoding"),
        *("webhook-id", "webhook-timestamp", "webhook-signature", "idempotency-key"),
    )
)


# Bodies


def notice_body(
    kind: str,
    at: datetime,
    *,
    subject: str,
    message: str,
    priority: NoticePriority,
    **known: Any,
) -> Json:
    """A message, as Standard Webhooks shapes it; of ``known``, what is empty is left out."""
    data = {"subject": subject, "message": message, "priority": priority.value}
    return _envelope(kind, at, data | {k: v for k, v in known.items() if v})


def trade_body(at: datetime, trade: TradeNotice) -> Json:
    """A trade; money as text, members that nobody knows left out."""
    data = {
        "symbol": trade.symbol,
        "side": trade.side.value,
        "qty": format(trade.qty, "f"),
        "price": _amount(trade.price),
        "total": _amount(trade.total),
        "order_id": trade.order_id,
        "status": trade.status,
        "strategy": trade.strategy,
        "profit_loss": _amount(trade.profit_loss),
        "at": _utc(trade.at) if trade.at is not None else None,
        "details": dict(trade.details) or None,
    }
    return _envelope("trade", at, {k: v for k, v in data.items() if v is not None})


def _envelope(kind: str, at: datetime, data: Json) -> Json:
    try:
        return {"type": _whole(kind), "timestamp": _utc(at), "data": _whole(data)}
    except RecursionError:
        raise errors.InvalidRequestError("details: too deep to be sent") from None


def _amount(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _whole(value: Any) -> Any:
    """The texts in it with a question mark for half a character: better so than not at all."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {_whole(name): _whole(each) for name, each in value.items()}
        case list() | tuple():
            return [_whole(each) for each in value]
    return value


def _calling_nobody(text: str) -> str:
    return _CALL.sub("@\N{ZERO WIDTH SPACE}", _whole(text))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def longest_text(url: str) -> int:
    """How many characters a chat room takes at once; Discord's have ``/slack`` at the end."""
    return _LONGEST_DISCORD_TEXT if urlsplit(url).path.endswith("/slack") else _LONGEST_SLACK_TEXT


def slack_body(subject: str, message: str, *, most: int = _LONGEST_SLACK_TEXT) -> Json:
    """A message with its subject in bold; cut before it is escaped, never after.

    What stands in it is text: ``<!channel>`` or ``@here`` calls nobody, ``<http…>`` is no link.
    """
    # An asterisk would end the bold; the look-alike does not.
    title = _calling_nobody(subject[:200].replace("*", "\N{ASTERISK OPERATOR}")).strip()
    body = _calling_nobody(message)
    room = most - len(title) - 3
    if len(body) > room:
        body = body[: room - len(_CUT)] + _CUT
    told = f"*{title}*\n{body}" if title else body
    return {"text": _escaped(told)}


# Proof


def check_header(name: str, value: str) -> None:
    """Raise InvalidRequestError unless this can be sent as a header of the caller's own."""
    if not _TOKEN.fullmatch(name):
        raise errors.InvalidRequestError(f"header: {name!r:.80} is not a header name")
    if name.lower() in _RESERVED:
        raise errors.InvalidRequestError(f"header: {name} is set here and cannot be given")
    if not value.isascii() or not value.isprintable() or value != value.strip():
        raise errors.InvalidRequestError(f"header: the value of {name} is not plain ASCII text")


def secret_key(secret: SecretStr) -> bytes:
    """The key in ``whsec_…``; raises ConfigurationError without saying what was given."""
    key = _decoded(secret)
    # The specification asks for 24 to 64 bytes; shorter ones are in use.
    if key is None or not 16 <= len(key) <= 64:
        del key
        raise errors.ConfigurationError(
            "signing secret: whsec_ and 24 to 64 bytes in base64 are needed"
        )
    return key


def _decoded(secret: SecretStr) -> bytes | None:
    encoded = secret.get_secret_value().strip().removeprefix(PREFIX)
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        return None


def signature_headers(
    secrets: Iterable[SecretStr], id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """Id, time and a signature by each secret, for exactly these bytes."""
    headers = {"webhook-id": id, "webhook-timestamp": str(timestamp)}
    content = b".".join((id.encode(), str(timestamp).encode(), body))
    signatures = [hmac.digest(secret_key(each), content, hashlib.sha256) for each in secrets]
    if signatures:
        shown = (f"v1,{base64.b64encode(each).decode()}" for each in signatures)
        headers["webhook-signature"] = " ".join(shown)
    return headers


# Addresses


def split_url(url: str) -> tuple[str, str, str]:
    """Origin, path and query of a URL, ready for the wire; raises InvalidRequestError.

    The error never shows the URL: it is a credential.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise errors.InvalidRequestError("url: is not one") from None
    host = parts.hostname
    if not url.isprintable() or " " in url or "\\" in url or not host:
        raise errors.InvalidRequestError("url: is not one")
    if "@" in parts.netloc:
        raise errors.InvalidRequestError("url: must not carry a user name or password")
    if parts.fragment:
        raise errors.InvalidRequestError("url: must not have a fragment")
    shown = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")
    path = quote(parts.path or "/", safe="/:@,=+$!*'();~%&")
    if any(segment in (".", "..") for segment in path.lower().replace("%2e", ".").split("/")):
        raise errors.InvalidRequestError("url: must not have . or .. in its path")
    return origin, path, quote(parts.query, safe="/:@,=+$!*'();~%&?")


def aimed_at(call: Call[Delivery], url: str) -> Call[Delivery]:
    """The call, at the URL's path and query."""
    _, path, query = split_url(url)
    return call.at(path, query)


# Calls


def _read_problem(status: int, _decoded: Json, _endpoint: Endpoint[Any]) -> Problem | None:
    """What a receiver's status means; its words are kept in the error's ``body``."""
    match status:
        case 410:
            return Problem(
                "the receiver is gone (410) and wants no more; remove or renew its URL",
                code=410,
                kind=errors.NotFoundError,
            )
        case 404:
            return Problem(
                "there is no receiver at this URL (404)", code=404, kind=errors.NotFoundError
            )
        case 401 | 403:
            return Problem(f"the receiver does not accept our proof ({status})", code=status)
        case 413:
            return Problem("the message is too large (413)", code=413, kind=errors.BadRequestError)
    return Problem(f"the receiver answered {status}", code=status)


def _check_slack(text: Json) -> Problem | None:
    """Slack says ``ok``, or why not, sometimes under 200."""
    if text is None or str(text).strip() == "ok":
        return None
    # Both spellings occur: ratelimited, rate_limited.
    word = str(text).strip()[:80]
    if "rate" in word and "limited" in word:
        return Problem(f"refused: {word}", kind=errors.RateLimitError, outcome=Outcome.REFUSED)
    return Problem(
        f"refused: {word!r}", code=word, kind=errors.BadRequestError, outcome=Outcome.REFUSED
    )


def _text_of(body: bytes) -> str:
    return body[:2048].decode("utf-8", "replace")


def _read_delivery(_text: str | None) -> Delivery:
    """A receiver says yes and nothing that could be shown as proof."""
    return Delivery.ACCEPTED_WITHOUT_PROOF


def _read_nothing(_text: str | None) -> None:
    """An answer is answer enough."""


_TAKEN = tuple(range(200, 300))

api = Api("webhook", problem=_read_problem)
slack_api = Api("webhook.slack", problem=_read_problem, check=_check_slack)


@api.post("/", returns=_read_delivery, repeatable=True, accepts=_TAKEN, decode=_text_of)
def post_notice(body: Json, id: str) -> Parts:
    """A message; receivers know one that comes twice by its id."""
    return Parts(json=body, key=id)


@slack_api.post("/", returns=_read_delivery, accepts=_TAKEN, decode=_text_of)
def post_to_slack(body: Json, id: str) -> Parts:
    """A message; Slack shows one that comes twice, twice."""
    return Parts(json=body, key=id)


@api.endpoint(
    "HEAD",
    "/",
    returns=_read_nothing,
    accepts=tuple(range(200, 500)),
    decode=_text_of,
    authenticated=False,
    cost=0,
)
def knock() -> Parts:
    """Whether anybody is there: any answer will do, and no message is sent or counted."""
    return Parts()
