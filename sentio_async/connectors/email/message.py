"""Builds e-mail messages; does no I/O.

Whatever comes from outside cannot add a header, a recipient or a part: texts in headers become
one line and are written by ``headers``, addresses and header names are checked one by one, and
refused when in doubt.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime

import idna

from sentio_async import errors
from sentio_async.connectors.email.headers import (
    Field,
    Mailbox,
    mailboxes_field,
    one_line,
    text_field,
)
from sentio_async.models.notices import Attachment, NoticePriority

__all__ = [
    "Letter",
    "build_message",
    "envelope_of",
    "flatten",
    "mailboxes",
    "message_id_for",
    "plain_address",
]

# RFC 5321 4.5.3.1: sizes of a local part and of a path without its brackets.
_LONGEST_LOCAL_PART = 64
_LONGEST_ADDRESS = 254
_LONGEST_SUBJECT = 900

_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+")
_DOMAIN = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*|\[[0-9.]+\]|\[IPv6:[0-9A-Fa-f:.]+\]"
)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,76}")
_MEDIA_TYPE = re.compile(r"([A-Za-z0-9!#$&^_.+-]{1,127})/([A-Za-z0-9!#$&^_.+-]{1,127})")
_CONTENT_ID = re.compile(r"[A-Za-z0-9._+-]{1,120}(?:@[A-Za-z0-9.-]{1,120})?")
_SAFE_EVENT_ID = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

# Ours to set, or the server's; "content-" and "resent-" are refused as a whole.
_RESERVED = frozenset(
    (
        *("from", "to", "cc", "bcc", "sender", "subject", "date", "message-id", "reply-to"),
        *("mime-version", "return-path", "received", "dkim-signature", "in-reply-to"),
        *("references", "auto-submitted"),
    )
)

_PRIORITY: Mapping[NoticePriority, Mapping[str, str]] = {
    NoticePriority.LOW: {"X-Priority": "5", "Importance": "low", "Priority": "non-urgent"},
    NoticePriority.NORMAL: {},
    NoticePriority.HIGH: {"X-Priority": "2", "Importance": "high", "Priority": "urgent"},
    NoticePriority.CRITICAL: {"X-Priority": "1", "Importance": "high", "Priority": "urgent"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What a message says, and to whom."""

    sender: str
    to: Sequence[str]
    subject: str
    text: str
    message_id: str
    date: datetime
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    """They get the message, and nobody sees that they do."""
    html: str | None = None
    attachments: Sequence[Attachment] = ()
    priority: NoticePriority = NoticePriority.NORMAL
    reply_to: str | None = None
    thread_id: str | None = None
    """A Message-ID that all messages of one incident refer to, so that clients group them."""
    headers: Mapping[str, str] = field(default_factory=dict)


def plain_address(text: object) -> Mailbox:
    """One mailbox, ``a@example.com`` or ``A <a@example.com>``; raises InvalidRequestError."""
    if not isinstance(text, str) or not text.isprintable():
        raise _not_an_address(text)
    name, address = "", text.strip()
    if address.endswith(">"):
        name, _, address = address[:-1].rpartition("<")
        name = _plain_name(name.strip(), text)
    local, at, domain = address.rpartition("@")
    if not at or "=?" in local or not all(_is_atom(atom) for atom in local.split(".")):
        # Servers have been seen to decode "=?utf-8?q?=40?=", and so to find another address.
        raise _not_an_address(text)
    domain = _ascii_domain(domain, text)
    if len(local.encode()) > _LONGEST_LOCAL_PART or not _DOMAIN.fullmatch(domain):
        raise _not_an_address(text)
    address = f"{local}@{domain}"
    if len(address.encode()) > _LONGEST_ADDRESS:
        raise _not_an_address(text)
    return Mailbox(name, address)


def _plain_name(name: str, text: str) -> str:
    if len(name) >= 2 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    elif any(c in name for c in '<>@,;:"'):
        raise _not_an_address(text)
    return name


def _is_atom(atom: str) -> bool:
    # Letters beyond ASCII need a server with SMTPUTF8; that is seen when it has said what it can.
    return bool(_ATOM.fullmatch("".join("x" if _is_letter_beyond_ascii(c) else c for c in atom)))


def _is_letter_beyond_ascii(c: str) -> bool:
    """A letter, digit, or the mark on one: many alphabets write vowels that way."""
    return c > "\x7f" and (c.isalnum() or unicodedata.category(c) in ("Mn", "Mc"))


def _ascii_domain(domain: str, text: str) -> str:
    if domain.isascii():
        return domain
    try:
        # Not the codec of that name: it takes "straße.example" for "strasse.example".
        return idna.encode(domain, uts46=True).decode("ascii")
    except UnicodeError:
        raise _not_an_address(text) from None


def _not_an_address(text: object) -> errors.InvalidRequestError:
    shown = repr(text)[:80]
    return errors.InvalidRequestError(
        f"recipient: {shown} is not one address such as name@example.com"
    )


def mailboxes(addresses: str | Iterable[str]) -> tuple[Mailbox, ...]:
    """Each address by itself; a single text is one address, never a list."""
    each = (addresses,) if isinstance(addresses, str) else addresses
    return tuple(plain_address(address) for address in each)


def envelope_of(letter: Letter) -> tuple[str, ...]:
    """Everybody who gets it, in order, nobody twice; domains compare without case."""
    everybody = (*mailboxes(letter.to), *mailboxes(letter.cc), *mailboxes(letter.bcc))
    found: dict[str, str] = {}
    for mailbox in everybody:
        local, _, domain = mailbox.address.rpartition("@")
        found.setdefault(f"{local}@{domain.lower()}", mailbox.address)
    if not found:
        raise errors.InvalidRequestError("recipient: nobody is named")
    return tuple(found.values())


def message_id_for(event_id: str, domain: str) -> str:
    """The Message-ID of an event: the same event always has the same one."""
    short = len(event_id) <= _LONGEST_LOCAL_PART and _SAFE_EVENT_ID.fullmatch(event_id)
    left = event_id if short else hashlib.sha256(event_id.encode("utf-8", "replace")).hexdigest()
    return f"<{left}@{domain}>"


def build_message(letter: Letter) -> EmailMessage:
    """The message, without its Bcc recipients; raises InvalidRequestError."""
    message = EmailMessage(policy=policy.SMTP.clone(cte_type="7bit"))
    for each in (*_who_and_what(letter), *_own_fields(letter.headers)):
        message[each.name] = each
    for name, value in _PRIORITY[letter.priority].items():
        if name not in message:
            message[name] = value
    _add_content(message, letter)
    return message


def _who_and_what(letter: Letter) -> Iterator[Field]:
    if letter.date.tzinfo is None:
        raise errors.InvalidRequestError("date: needs a zone")
    yield mailboxes_field("From", mailboxes(letter.sender))
    yield mailboxes_field("To", mailboxes(letter.to)) or Field("To", "undisclosed-recipients:;")
    if letter.cc:
        yield mailboxes_field("Cc", mailboxes(letter.cc))
    if letter.reply_to:
        yield mailboxes_field("Reply-To", mailboxes(letter.reply_to))
    yield text_field("Subject", one_line(letter.subject)[:_LONGEST_SUBJECT])
    yield Field("Date", format_datetime(letter.date))
    yield Field("Message-ID", letter.message_id)
    if letter.thread_id and letter.thread_id != letter.message_id:
        yield Field("In-Reply-To", letter.thread_id)
        yield Field("References", letter.thread_id)
    yield Field("Auto-Submitted", "auto-generated")
    yield Field("X-Auto-Response-Suppress", "All")


def flatten(message: EmailMessage) -> bytes:
    """The bytes of the message, 7-bit clean unless an address is not ASCII."""
    written = (value for value in message.values() if isinstance(value, Field))
    rules = policy.SMTP if all(value.isascii() for value in written) else policy.SMTPUTF8
    return message.as_bytes(policy=rules.clone(cte_type="7bit"))


def _own_fields(headers: Mapping[str, str]) -> Iterator[Field]:
    for name, value in headers.items():
        lower = name.lower()
        if not _HEADER_NAME.fullmatch(lower):
            raise errors.InvalidRequestError(f"header: {name!r:.80} is not a header name")
        if lower in _RESERVED or lower.startswith(("content-", "resent-", "arc-")):
            raise errors.InvalidRequestError(f"header: {name} is set here and cannot be given")
        yield text_field(name, str(value))


def _add_content(message: EmailMessage, letter: Letter) -> None:
    message.set_content(_clean(letter.text))
    inline = [a for a in letter.attachments if a.content_id is not None]
    if inline and letter.html is None:
        raise errors.InvalidRequestError("attachments: an inline image needs html that shows it")
    if letter.html is not None:
        message.add_alternative(_clean(letter.html), subtype="html")
        html_part = message.get_payload()[1]  # type: ignore[index]  # parts, after an alternative
        for image in inline:
            kind, subtype = _media_type(image)
            html_part.add_related(  # type: ignore[union-attr]
                image.content,
                maintype=kind,
                subtype=subtype,
                cid=_content_id(image),
                filename=_filename(image),
                disposition="inline",
            )
    for attachment in letter.attachments:
        if attachment.content_id is None:
            kind, subtype = _media_type(attachment)
            message.add_attachment(
                attachment.content, maintype=kind, subtype=subtype, filename=_filename(attachment)
            )


def _clean(text: str) -> str:
    return _NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", text.encode("utf-8", "replace").decode())


def _media_type(attachment: Attachment) -> tuple[str, str]:
    found = _MEDIA_TYPE.fullmatch(attachment.content_type)
    if found is None or found[1].lower() in ("multipart", "message"):
        raise errors.InvalidRequestError(
            f"attachments: {attachment.content_type!r:.80} is not a media type such as text/csv"
        )
    return found[1], found[2]


def _content_id(image: Attachment) -> Field:
    cid = (image.content_id or "").removeprefix("<").removesuffix(">")
    if not _CONTENT_ID.fullmatch(cid):
        raise errors.InvalidRequestError(f"attachments: {cid!r:.80} is not a content id")
    return Field("Content-ID", f"<{cid}>")


def _filename(attachment: Attachment) -> str:
    name = attachment.filename
    is_odd = not name.isprintable() or "=?" in name or any(c in name for c in '/\\"')
    if not name or len(name) > 200 or is_odd:
        raise errors.InvalidRequestError(f"attachments: {name!r:.80} is not a file name")
    return name
