"""Writes headers of an e-mail so that a text says there what it says, and nothing else.

The library would read them first, and so decode ``=?utf-8?q?=0A?=``: what came as plain text would
end a line and begin a header (CVE-2024-6923, and names and ids of any length).  What is written
here it passes on as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.header import Header
from email.policy import Policy
from typing import Any, NamedTuple, Self

__all__ = ["Field", "Mailbox", "mailboxes_field", "one_line", "text_field"]

_LINE_END = "\r\n"
_LINE = 76
_LONGEST_WORD = 900
"""RFC 5322 2.1.1: a line has 998 characters at most."""
_LONGEST_PLAIN_NAME = 70
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")


class Mailbox(NamedTuple):
    """Somebody's name, often empty, and address."""

    name: str
    address: str


class Field(str):
    """A header's value as it stands in the message, lines and all."""

    __slots__ = ("name",)
    name: str

    def __new__(cls, name: str, value: str) -> Self:
        """The value of the header ``name``; nothing is checked."""
        field = super().__new__(cls, value)
        field.name = name
        return field

    def fold(self, *, policy: Policy[Any]) -> str:
        """The header, which has its lines already."""
        return f"{self.name}: {self}{policy.linesep}"


def one_line(text: str) -> str:
    """The text without control characters and line ends of any alphabet, each run a space."""
    whole = text.encode("utf-8", "replace").decode()
    return " ".join("".join(c if c.isprintable() else " " for c in whole).split())


def text_field(name: str, text: str) -> Field:
    """A header that says ``text``; plain where it can be, so that machines can read it."""
    text = one_line(text)
    if _is_plain(text) and all(len(word) <= _LONGEST_WORD for word in text.split()):
        # Told the header's name, the library would begin with an empty line before a long word.
        header = Header(text, maxlinelen=_LINE)
    else:
        header = Header(text, "utf-8", _LINE, name)
    return Field(name, header.encode(linesep=_LINE_END))


def mailboxes_field(name: str, mailboxes: Iterable[Mailbox]) -> Field:
    """A header that names these, each on a line of its own."""
    return Field(name, f",{_LINE_END} ".join(map(_shown, mailboxes)))


def _shown(mailbox: Mailbox) -> str:
    name = one_line(mailbox.name)
    if not name:
        return mailbox.address
    return f"{_phrase(name)} <{mailbox.address}>"


def _phrase(name: str) -> str:
    if not _is_plain(name) or len(name) > _LONGEST_PLAIN_NAME:
        return Header(name, "utf-8", _LINE, "Reply-To").encode(linesep=_LINE_END)
    if _PHRASE.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _is_plain(text: str) -> bool:
    """ASCII that no reader takes for something encoded."""
    return text.isascii() and "=?" not in text
