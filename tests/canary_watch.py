"""Looks for secrets wherever a text could carry them, in every form in which they travel.

It reckons the forms by itself: it must not learn from the redactor it holds to account.
"""

import base64
import logging
import pickle
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

TESTS = str(Path(__file__).parent)
SHORTEST = 6


def forms_of(secret):
    """How a secret may be written: plain, in a repr, percent-encoded, inside longer base64."""
    raw = secret.encode()
    found = {secret, repr(secret)[1:-1], quote(secret), quote(secret, safe=""), quote_plus(secret)}
    found |= {quote(secret, safe=safe) for safe in (":/?&=", ":", ",:/", ":@,=+$!*'()")}
    found.add(raw.hex())
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            # The characters on the edges also hold bits of the neighbours.
            text = encode(b"\0" * before + raw + b"\0" * 3).decode()
            first = -(-before * 8 // 6)
            found.add(text[first : (before + len(raw)) * 8 // 6])
    return {form for form in found if len(form) >= SHORTEST}


class Watch(logging.Handler):
    """Hears every record of every logger, as text and in its parts."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.texts = []

    def emit(self, record):
        self.texts.append(self.format(record))
        self.texts.append(f"{record.name}: {record.msg!r} {record.args!r} {record.exc_text}")

    def __enter__(self):
        self._before = {}
        root = logging.getLogger()
        self._level = root.level
        root.setLevel(logging.DEBUG)
        root.addHandler(self)
        for name in list(root.manager.loggerDict):
            logger = logging.getLogger(name)
            self._before[logger] = (logger.level, logger.disabled)
            logger.setLevel(logging.DEBUG)
            logger.disabled = False
        return self

    def __exit__(self, *_):
        root = logging.getLogger()
        root.removeHandler(self)
        root.setLevel(self._level)
        for logger, (level, is_disabled) in self._before.items():
            logger.setLevel(level)
            logger.disabled = is_disabled


@dataclass
class Canaries:
    """Secrets by name, and every text that was seen."""

    secrets: dict
    arguments: tuple = ()
    """Names of secrets that a caller passes itself, so that its frames show them anyway."""
    seen: list = field(default_factory=list)

    def see(self, where, *things):
        for thing in things:
            self.seen.append((where, thing if isinstance(thing, str) else repr(thing)))

    def see_error(self, where, error):
        """All that can be printed, logged or sent elsewhere of an error."""
        for each in chain_of(error):
            kind = f"{where}: {type(each).__name__}"
            self.see(kind, str(each), repr(each), *getattr(each, "__notes__", ()))
            self.see(f"{kind} traceback", traceback_of(each))
        known = {**error.__dict__, "response": repr(error.__dict__.get("response"))}
        self.see(f"{where}: {type(error).__name__} members", repr(known))
        self.see(f"{where}: {type(error).__name__} pickle", raw_text(pickle.dumps(error)))

    def leaks(self):
        """Where which secret was seen, and what stood around it."""
        found = []
        for name, secret in self.secrets.items():
            for form in forms_of(secret):
                for where, text in self.seen:
                    if name in self.arguments and "traceback" in where:
                        continue
                    at = text.find(form)
                    if at >= 0:
                        around = text[max(0, at - 300) : at + len(form) + 60]
                        found.append(f"{name} as {form!r} in {where}: ...{around}...")
        return found


def raw_text(data):
    return data.decode("latin-1")


def chain_of(error):
    """The error, its causes and contexts, hidden ones too."""
    found, waiting = [], [error]
    while waiting:
        each = waiting.pop()
        if each is not None and each not in found:
            found.append(each)
            waiting += [each.__cause__, each.__context__]
    return found


def traceback_of(error):
    """Its own frames with their locals, from the first that is not a test's."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(TESTS):
        frames = frames.tb_next
    shown = traceback.TracebackException(
        type(error), error, frames, capture_locals=True, compact=True
    )
    shown.__cause__ = shown.__context__ = None
    return "".join(shown.format())
