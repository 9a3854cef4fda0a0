"""Market rows as the exchange keeps them, before a venue words them for its wire."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sentio_async.sim.instruments import Instrument
from sentio_async.sim.prices import MINUTE, Cell

# A trade takes a quote that has stood for this long.
LEAD_NS = 40_000
EXCHANGES = "QPKVZNJD"
TAPES = {"NYSE": "A", "ARCA": "B", "NASDAQ": "C"}

Tick = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Quote:
    """The best bid and ask from one moment on; stock sizes are whole shares."""

    symbol: str
    time_ns: int
    bid: Decimal
    ask: Decimal
    bid_size: int | Decimal
    ask_size: int | Decimal
    bid_exchange: str
    ask_exchange: str


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade on the tape; `id` is unique within its symbol."""

    time_ns: int
    price: Decimal
    size: int | Decimal
    id: int
    exchange: str
    conditions: tuple[str, ...]
    tape: str


@dataclass(frozen=True, slots=True)
class Bar:
    """The trades of one stretch of time, which begins at `time_ns`."""

    time_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int | Decimal
    trade_count: int
    vwap: Decimal


def whole(cell: Cell, parts: Sequence[Cell]) -> Cell:
    """A cell made of what traded in it, in the place of the one it was cut from."""
    return cell._replace(
        open=parts[0].open,
        high=max(part.high for part in parts),
        low=min(part.low for part in parts),
        close=parts[-1].close,
        volume=sum(part.volume for part in parts),
        trades=sum(part.trades for part in parts),
    )


def bar_of(begin: int, cells: Sequence[Cell], instrument: Instrument) -> Bar:
    """The bar these cells add up to; its vwap is their typical prices by volume."""
    cell = cells[0] if len(cells) == 1 else whole(cells[0], cells)
    digits = -instrument.digits
    weights = [part.volume or 1 for part in cells]
    typical = [part.open + part.high + part.low + part.close for part in cells]
    total = sum(weight * price for weight, price in zip(weights, typical, strict=True))
    vwap = Decimal(total * 25 // sum(weights)).scaleb(digits - 2)
    return Bar(
        begin,
        Decimal(cell.open).scaleb(digits),
        Decimal(cell.high).scaleb(digits),
        Decimal(cell.low).scaleb(digits),
        Decimal(cell.close).scaleb(digits),
        _size(cell.volume, instrument),
        cell.trades,
        vwap,
    )


def _size(lots: int, instrument: Instrument) -> int | Decimal:
    digits = instrument.size_digits
    return Decimal(lots).scaleb(-digits) if digits else lots


def trades_of(instrument: Instrument, rows: Sequence[Tick], chance: random.Random) -> list[Trade]:
    """The trades of one minute."""
    conditions, tape = _marks(instrument)
    made = []
    for n, (time_ns, price, lots) in enumerate(rows):
        made.append(
            Trade(
                time_ns,
                Decimal(price).scaleb(-instrument.digits),
                _size(lots, instrument),
                time_ns // MINUTE * 100 + n,
                _exchange(instrument, chance),
                conditions,
                tape,
            )
        )
    return made


def quotes_of(
    instrument: Instrument, rows: Sequence[Tick], end_ns: int, chance: random.Random
) -> list[Quote]:
    """The quotes of one minute: one before each trade, one after it."""
    made: list[Quote] = []
    for n, (time_ns, price, _) in enumerate(rows):
        after = rows[n + 1][0] - LEAD_NS if n + 1 < len(rows) else end_ns
        moments = (time_ns - LEAD_NS, (time_ns + after) // 2)
        made.extend(_quote(instrument, at, price, chance) for at in moments)
    return made


def _quote(instrument: Instrument, at_ns: int, price: int, chance: random.Random) -> Quote:
    """Bid and ask with the price on one of them, a hundredth of a percent apart."""
    spread = max(1, price // 10_000)
    bid = price if chance.random() < 0.5 and price > spread else max(1, price - spread)
    ask = max(price, bid + spread)
    digits = -instrument.digits
    sizes: list[int | Decimal] = [1 + int(chance.random() * 9), 1 + int(chance.random() * 9)]
    if instrument.asset_class == "us_equity":
        sizes = [100 * size for size in sizes]
    elif instrument.asset_class == "crypto":
        sizes = [Decimal(size) / 8 for size in sizes]
    return Quote(
        instrument.symbol,
        at_ns,
        Decimal(bid).scaleb(digits),
        Decimal(ask).scaleb(digits),
        sizes[0],
        sizes[1],
        _exchange(instrument, chance),
        _exchange(instrument, chance),
    )


def _exchange(instrument: Instrument, chance: random.Random) -> str:
    if instrument.asset_class == "crypto":
        return "CBSE"
    return EXCHANGES[int(chance.random() * len(EXCHANGES))]


def _marks(instrument: Instrument) -> tuple[tuple[str, ...], str]:
    if instrument.asset_class == "crypto":
        return (), ""
    if instrument.asset_class == "us_option":
        return ("a",), ""
    return ("@",), TAPES.get(instrument.exchange, "C")
