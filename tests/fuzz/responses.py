"""Answers as servers write them, as they should not write them, and as bytes that went wrong."""

import random
from dataclasses import dataclass
from itertools import pairwise

METHODS = ("GET",) * 6 + ("POST", "DELETE", "HEAD", "HEAD")
VERSIONS = ("1.1",) * 30 + ("1.0",) * 6 + ("0.9", "2.0", "1.2", "11", "1.", "x.1", "1.1 ")
STATUSES = ("200",) * 20 + ("201", "204", "204", "304", "304", "404", "500", "599", "999")
ODD_STATUSES = ("099", "000", "20", "2000", "-20", "2x0", "", " 200", "100", "103", "101")
REASONS = (
    "OK",
    "OK",
    "OK",
    "",
    "Not Found",
    "a  b",
    "\xff\xfe",
    "\ttab",
    "a\x01b",
    "a\x00b",
    "a\x7fb",
    "a\x0bb",
    None,
)
NAMES = ("content-type", "X-Request-Id", "date", "etag", "set-cookie", "Connection", "link", "a")
ODD_NAMES = ("", "x y", "x\x00", "x:", "(", "\xe9", "x-y ", " x", "content-length", "upgrade")
VALUES = ("application/json", "", "a, b", "  spaced  ", "close", "keep-alive", "\xe9", "a:b", "1")
ODD_VALUES = (
    "\x00",
    "a\x00b",
    "a\rb",
    "a\nb",
    "\x7f",
    "\x01",
    "\x0b",
    "a\x7fb",
    "a\r\n b",
    "a\r\n\t",
    "websocket",
)
LENGTHS = ("0", "5", "05", "+5", "-5", " 5 ", "5, 5", "5,6", "0x5", "5 5", "", "9" * 19, "9" * 30)
CODINGS = ("Chunked", "gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "identity")
CODINGS += ("", "chunked;q=1", " chunked ", "xchunked")
SIZES = (
    "0",
    "00",
    "5",
    "05",
    "f" * 15,
    "f" * 16,
    "f" * 17,
    "f" * 25,
    "-1",
    "+5",
    "0x5",
    "5 ",
    " 5",
    "g",
    "",
)
EXTENSIONS = (
    "",
    "",
    "",
    ";a",
    ";a=b",
    ';a="b c"',
    ";",
    ";;",
    "; a=b",
    ";a=\x00",
    ';a="',
    " ;a",
    ";\xe9",
)
ENDS = ("\r\n",) * 40 + ("\n", "\r", "\r\r\n", "", "\n\r")
BYTES = b'\r\n\x00 \t:;,0159aAfHT/.\x7f\x80\xff-+"\x0b'
TOKENS = (
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"\r\n ",
    b"\x00",
)
TOKENS += (b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"9" * 25, b"f" * 20)


@dataclass(frozen=True)
class Case:
    """An answer to ``method`` as it comes: in pieces, and then the connection ends."""

    method: str
    pieces: tuple[bytes, ...]

    @property
    def raw(self):
        return b"".join(self.pieces)

    @property
    def last_head(self):
        """From the last first line on: announcements may come before an answer."""
        return self.raw[max(0, self.raw.rfind(b"HTTP/")) :]


class _Maker:
    def __init__(self, luck):
        self._luck = luck
        # Some are as they should be, and some are wrong all over.
        self._oddness = luck.choice((0.0, 0.0, 0.02, 0.1, 0.3))

    def _odd(self):
        return self._luck.random() < self._oddness

    def _one_of(self, usual, odd):
        return self._luck.choice(odd if self._odd() else usual)

    def _end(self):
        return self._luck.choice(ENDS) if self._odd() else "\r\n"

    def _status_line(self, statuses):
        version = (
            self._luck.choice(VERSIONS) if self._odd() else self._luck.choice(("1.1", "1.1", "1.0"))
        )
        reason = self._luck.choice(REASONS)
        status = self._one_of(statuses, ODD_STATUSES)
        words = status if reason is None else f"{status} {reason if self._odd() else 'OK'}"
        return f"HTTP/{version} {words}{self._end()}"

    def _field(self, name=None, value=None):
        name = self._one_of(NAMES, ODD_NAMES) if name is None else name
        value = self._one_of(VALUES, ODD_VALUES) if value is None else value
        return f"{name}:{self._luck.choice((' ', ' ', ' ', '', '  '))}{value}{self._end()}"

    def _framing(self):
        luck, fields, size = self._luck, [], 5
        kind = luck.choice(("length", "length", "chunked", "chunked", "none"))
        if self._odd():
            kind = luck.choice(("two lengths", "both", "none", "odd"))
        if kind in ("length", "both", "two lengths"):
            size = luck.choice((0, 5, 5, 40))
            length = luck.choice(LENGTHS) if self._odd() else str(size)
            fields.append(self._field(luck.choice(("content-length", "Content-Length")), length))
        if kind == "two lengths":
            fields.append(self._field("Content-Length", luck.choice(("0", "5", "40", "5"))))
        if kind in ("chunked", "both", "odd") and (kind != "both" or self._odd()):
            coding = luck.choice(CODINGS) if self._odd() or kind == "odd" else "chunked"
            fields.append(
                self._field(luck.choice(("Transfer-Encoding", "transfer-encoding")), coding)
            )
        return kind, fields, size

    def _chunks(self):
        text = ""
        for _ in range(self._luck.randrange(4)):
            data = "ab\r\n"[: self._luck.randrange(1, 5)] * self._luck.randrange(1, 4)
            size = self._luck.choice(SIZES) if self._odd() else f"{len(data):x}"
            extension = self._luck.choice(EXTENSIONS) if self._luck.random() < 0.2 else ""
            text += f"{size}{extension}{self._end()}{data}{self._end()}"
        trailers = "".join(self._field() for _ in range(self._luck.choice((0, 0, 0, 1, 2))))
        extension = self._luck.choice(EXTENSIONS) if self._odd() else ""
        return f"{text}0{extension}{self._end()}{trailers}{self._end()}"

    def message(self):
        luck = self._luck
        text = ""
        for _ in range(luck.choice((0, 0, 0, 0, 0, 1, 2))):
            text += self._status_line(("100", "102", "103"))
            text += "".join(self._field() for _ in range(luck.randrange(2))) + self._end()
        kind, framing, size = self._framing()
        fields = framing + [self._field() for _ in range(luck.randrange(5))]
        luck.shuffle(fields)
        text += self._status_line(STATUSES) + "".join(fields) + self._end()
        if kind in ("chunked", "odd"):
            text += self._chunks()
        else:
            text += "h" * (luck.choice((0, 4, 6, 40)) if self._odd() else size)
        if luck.random() < 0.06:
            text += luck.choice(
                ("\r\n", "x", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "\x00")
            )
        return text.encode("latin-1")

    def mutated(self, raw):
        luck, data = self._luck, bytearray(raw)
        for _ in range(luck.choice((1, 1, 1, 2, 4))):
            at = luck.randrange(len(data) + 1)
            match luck.randrange(6):
                case 0:
                    data[at : at + 1] = bytes((luck.choice(BYTES),))
                case 1:
                    data[at:at] = luck.choice(TOKENS)
                case 2:
                    del data[at : at + luck.randrange(1, 4)]
                case 3:
                    data[at : at + 1] = bytes((luck.randrange(256),))
                case 4:
                    other = luck.randrange(len(data) + 1)
                    data[at:at] = data[other : other + luck.randrange(12)]
                case 5:
                    del data[at:]
        return bytes(data)


def a_case(luck: random.Random) -> Case:
    """The next one."""
    maker = _Maker(luck)
    raw = maker.message()
    if luck.random() < 0.3:
        raw = maker.mutated(raw)
    if luck.random() < 0.05:
        raw = raw[: luck.randrange(len(raw) + 1)]
    count = luck.choice((0, 0, 1, 2, 5, len(raw)))
    cuts = (
        sorted(luck.randrange(len(raw) + 1) for _ in range(count))
        if count < len(raw)
        else range(len(raw))
    )
    edges = [0, *cuts, len(raw)]
    pieces = tuple(raw[a:b] for a, b in pairwise(edges) if a < b)
    return Case(luck.choice(METHODS), pieces)
