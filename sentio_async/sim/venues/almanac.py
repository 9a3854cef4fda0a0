"""What happened to the listed companies: dividends, splits, renamings, news.

Splits and renamings are historical facts; dividends keep a steady calendar, news is made up.
Every vendor tells the same story.
"""

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sentio_async.sim.calendar import next_session
from sentio_async.sim.venues.times import MINUTE, SECOND

_NAMESPACE = uuid.UUID("6f1b6c0e-8a53-4df2-9d53-2f7f0f3f7c11")


@dataclass(frozen=True, slots=True)
class Split:
    """Every `old` shares became `new` shares on the morning of `executed`."""

    symbol: str
    executed: date
    old: Decimal
    new: Decimal

    @property
    def id(self) -> str:
        """Always the same id for the same split."""
        return identity("split", self.symbol, self.executed.isoformat())

    @property
    def is_forward(self) -> bool:
        """Whether there are more shares than before."""
        return self.new > self.old


@dataclass(frozen=True, slots=True)
class Dividend:
    """Cash per share, and the days that matter for it."""

    symbol: str
    declared: date
    ex: date
    record: date
    paid: date
    amount: Decimal

    @property
    def id(self) -> str:
        """Always the same id for the same dividend."""
        return identity("dividend", self.symbol, self.ex.isoformat())


@dataclass(frozen=True, slots=True)
class Renaming:
    """A company that trades under another symbol since `day`."""

    old: str
    new: str
    day: date
    company: str


@dataclass(frozen=True, slots=True)
class Article:
    """One piece of news."""

    number: int
    time_ns: int
    symbol: str
    headline: str
    summary: str
    content: str
    author: str
    mood: str

    @property
    def url(self) -> str:
        """Where it could be read, if it existed."""
        return f"https://news.sentio.test/{self.number}"


def _split(symbol: str, day: str, new: int, old: int = 1) -> Split:
    return Split(symbol, date.fromisoformat(day), Decimal(old), Decimal(new))


SPLITS = (
    _split("AAPL", "2014-06-09", 7),
    _split("AAPL", "2020-08-31", 4),
    _split("TSLA", "2020-08-31", 5),
    _split("NVDA", "2021-07-20", 4),
    _split("GE", "2021-08-02", 1, 8),
    _split("AMZN", "2022-06-06", 20),
    _split("GOOG", "2022-07-18", 20),
    _split("GOOGL", "2022-07-18", 20),
    _split("TSLA", "2022-08-25", 3),
    _split("WMT", "2024-02-26", 3),
    _split("NVDA", "2024-06-10", 10),
)
_SPLITS_OF = {
    symbol: tuple(each for each in SPLITS if each.symbol == symbol)
    for symbol in {each.symbol for each in SPLITS}
}
RENAMINGS = (Renaming("FB", "META", date(2022, 6, 9), "Meta Platforms, Inc."),)

# Cash per share and quarter.
PAYERS = {
    "AAPL": Decimal("0.25"),
    "MSFT": Decimal("0.83"),
    "KO": Decimal("0.485"),
    "JPM": Decimal("1.25"),
    "XOM": Decimal("0.99"),
    "WMT": Decimal("0.2075"),
    "PFE": Decimal("0.42"),
    "SPY": Decimal("1.75"),
    "T": Decimal("0.2775"),
    "V": Decimal("0.59"),
}
_MOODS = ("positive", "neutral", "negative")
_HEADLINES = (
    "{name} Shares Edge Higher as Volume Picks Up",
    "What Analysts Expect From {name} This Quarter",
    "{name} Slips After Mixed Guidance",
)
_EVERY = 20 * MINUTE


def identity(*parts: str) -> str:
    """A UUID that is always the same for the same words."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(parts)))


def cusip(symbol: str) -> str:
    """Nine characters that look like a CUSIP and identify the symbol."""
    return hashlib.sha256(symbol.encode()).hexdigest()[:9].upper()


def splits(first: date, last: date) -> list[Split]:
    """The splits executed from `first` to `last`, both included."""
    return [each for each in SPLITS if first <= each.executed <= last]


def dividends(first: date, last: date) -> list[Dividend]:
    """The dividends whose ex-day is from `first` to `last`, both included, oldest first."""
    found = [
        _dividend(symbol, amount, date(year, month, 9 + n % 5))
        for year in range(max(first.year, 2003), last.year + 1)
        for month in (2, 5, 8, 11)
        for n, (symbol, amount) in enumerate(PAYERS.items())
    ]
    return sorted(
        (each for each in found if first <= each.ex <= last),
        key=lambda each: (each.ex, each.symbol),
    )


def _dividend(symbol: str, amount: Decimal, ex: date) -> Dividend:
    ex = next_session(ex).day
    paid = next_session(ex + timedelta(days=10)).day
    return Dividend(symbol, ex - timedelta(days=12), ex, ex, paid, amount)


def split_factor(symbol: str, day: date, today: date) -> Decimal:
    """How many of today's shares one share of that day has become."""
    factor = Decimal(1)
    for each in _SPLITS_OF.get(symbol, ()):
        if day < each.executed <= today:
            factor *= each.new / each.old
    return factor


def articles(names: dict[str, str], start_ns: int, end_ns: int) -> Iterator[Article]:
    """The news from `start_ns` to `end_ns`, newest first: one every twenty minutes."""
    symbols = sorted(names)
    number = end_ns // _EVERY
    while number * _EVERY + 30 * SECOND > end_ns:
        number -= 1
    while symbols and (time_ns := number * _EVERY + 30 * SECOND) >= start_ns:
        symbol = symbols[number % len(symbols)]
        name, turn = names[symbol], number // len(symbols) % 3
        headline = _HEADLINES[turn].format(name=name)
        yield Article(
            number=number,
            time_ns=time_ns,
            symbol=symbol,
            headline=headline,
            summary=f"{name} ({symbol}) was among the names traders watched.",
            content=f"<p>{headline}. {name} ({symbol}) was among the names traders watched.</p>",
            author="Sentio Newsdesk",
            mood=_MOODS[turn],
        )
        number -= 1
