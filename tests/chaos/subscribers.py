"""Who listens during a storm of drops, and keeps count of what was heard."""

import asyncio
import time
from collections import Counter, defaultdict
from decimal import Decimal

FRESH_WITHIN = 20.0


async def until(is_so, seconds: float) -> bool:
    """Wait until it is so; false when it is not in time."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.01)
    return True


class Watch:
    """Consumers of one vendor's quotes and trades: quick, slow, and failing ones."""

    def __init__(self, name: str, data, symbols: tuple[str, ...]) -> None:
        self.name = name
        self.rows = 0
        self.repeated: list[str] = []
        self._data, self._symbols = data, symbols
        # Polygon's streams tell milliseconds.
        self._unit = 1_000_000 if name == "polygon" else 1
        self._trades: dict[str, set[str]] = {symbol: set() for symbol in symbols}
        self._quotes: dict[str, set[int]] = {symbol: set() for symbol in symbols}
        self._span: dict[tuple[str, str], list[int]] = {}
        self._fresh: Counter = Counter()
        self._quick_trades = self._quick_quotes = 0

    async def begin(self) -> None:
        """Subscribe, and wait until every symbol is confirmed."""
        data, symbols = self._data, self._symbols
        self._all = [
            data.on_quotes(self._quote, *symbols),
            data.on_trades(self._trade, *symbols),
            data.on_quotes(self._fail, symbols[0]),
        ]
        self._slow_trades = data.stream_trades(*symbols, buffer=2)
        self._slow_quotes = data.stream_quotes(*symbols, buffer=2)
        self._read = [0, 0]
        self._tasks = [
            asyncio.create_task(self._crawl(self._slow_trades, 0)),
            asyncio.create_task(self._crawl(self._slow_quotes, 1)),
        ]
        self._all += [self._slow_trades, self._slow_quotes]
        for each in self._all:
            await each.ready()

    def _quote(self, quote) -> None:
        self._quick_quotes += 1
        self._note("quotes", quote)
        self._quotes[quote.symbol].add(quote.time_ns // self._unit)

    def _trade(self, trade) -> None:
        self._quick_trades += 1
        self._note("trades", trade)
        heard = self._trades[trade.symbol]
        if trade.id in heard:
            self.repeated.append(f"{self.name} trade {trade}")
        heard.add(trade.id)

    def _note(self, channel: str, row) -> None:
        self.rows += 1
        self._fresh[channel, row.symbol] += 1
        span = self._span.setdefault((channel, row.symbol), [row.time_ns, row.time_ns])
        span[1] = max(span[1], row.time_ns)

    def _fail(self, _row) -> None:
        raise RuntimeError("this consumer fails")

    async def _crawl(self, stream, number: int) -> None:
        async for _ in stream:
            self._read[number] += 1
            await asyncio.sleep(0.5)

    @property
    def dropped(self) -> int:
        """Trades that the slow consumer lost."""
        return self._slow_trades.dropped

    @property
    def conflated(self) -> int:
        """Quotes that the slow consumer never saw."""
        return self._slow_quotes.conflated

    def mark(self) -> tuple[int, int]:
        """A point in what was heard."""
        return self._data.get_stream_status()[0].connections, self._quick_quotes

    def is_back(self, mark: tuple[int, int]) -> bool:
        """A new connection confirmed everything, and brings quotes."""
        if self.mark()[0] <= mark[0] or not all(each.is_current for each in self._all):
            return False
        return self._quick_quotes > mark[1]

    def missing(self) -> int:
        """Topics that are wanted and not confirmed."""
        return sum(status.wanted - status.confirmed for status in self._data.get_stream_status())

    def status(self) -> object:
        """How the feed is."""
        return self._data.get_stream_status()[0]

    async def silent(self, venue, path: str) -> list[str]:
        """Topics that the venue does not send any more, or of which nothing comes."""
        self._fresh.clear()
        # A symbol is traded every few seconds only: time goes faster, and one trade is enough.
        await venue.advance(10.0)
        quotes = {("quotes", symbol) for symbol in self._symbols}
        trades = {("trades", symbol) for symbol in self._symbols}
        await until(
            lambda: not quotes - self._fresh.keys() and trades & self._fresh.keys(), FRESH_WITHIN
        )
        found = [f"{self.name}: nothing of {topic}" for topic in quotes - self._fresh.keys()]
        found += [f"{self.name}: no trades"] * (not trades & self._fresh.keys())
        short = self.status().wanted - await venue.topics(path)
        return [*found, *[f"{self.name}: the venue does not send it"] * max(0, short)]

    def unaccounted(self) -> int:
        """Rows that a slow consumer neither read nor was told it had lost."""
        for task in self._tasks:
            task.cancel()
        trades = self._read[0] + self.dropped + len(self._slow_trades._queue)
        quotes = self._read[1] + self.conflated + len(self._slow_quotes._queue)
        return abs(self._quick_trades - trades) + abs(self._quick_quotes - quotes)

    async def unreported(self, venue, spans) -> list[str]:
        """Rows that there were, that nobody was given, in no gap that was reported."""
        missing = []
        for (channel, symbol), (first, last) in self._span.items():
            known = spans.get((self.name, channel, symbol), [])
            gaps = [(begin // self._unit, end // self._unit + 1) for begin, end in known]
            for time_ns, id in await venue.happened(channel, symbol, first, last):
                at = time_ns // self._unit
                if channel == "trades":
                    is_heard = id in self._trades[symbol]
                else:
                    is_heard = at in self._quotes[symbol]
                if not is_heard and not any(begin <= at <= end for begin, end in gaps):
                    missing.append(f"{self.name} {channel} {symbol} at {time_ns}")
        return missing


class OrderWatch:
    """A quick consumer of order updates, and one that is too slow from time to time."""

    def __init__(self, broker) -> None:
        self.repeated: list[str] = []
        self._broker = broker
        self._heard = [_Book(), _Book()]
        self._count = 0

    async def begin(self) -> None:
        """Subscribe."""
        self._quick = self._broker.on_order_updates(self._take)
        self._slow = self._broker.stream_order_updates(buffer=200)
        self._task = asyncio.create_task(self._crawl())
        await self._quick.ready()
        # While an order is open, a stream that has gone silent is noticed.
        await self._broker.place_order(
            "AAPL", 1, "buy", order_type="limit", limit_price=Decimal(1), time_in_force="gtc"
        )

    def _take(self, update) -> None:
        self._count += 1
        if self._heard[0].note(update):
            self.repeated.append(f"execution {update.execution_id} {update.is_reconciled}")

    async def _crawl(self) -> None:
        async for update in self._slow:
            self._heard[1].note(update)
            await asyncio.sleep(0.002)

    def mark(self) -> tuple[int, int]:
        """A point in what was heard."""
        return self._quick.feeds[0].connections, self._count

    def is_back(self, mark: tuple[int, int]) -> bool:
        """A new connection is confirmed, what was missed is known, and more has come."""
        if self.mark()[0] <= mark[0] or not self._quick.is_current:
            return False
        return self._count > mark[1]

    def missing(self) -> int:
        """Topics that are wanted and not confirmed."""
        return sum(status.wanted - status.confirmed for status in self._quick.feeds)

    def status(self) -> object:
        """How the feed is."""
        return self._quick.feeds[0]

    async def missed(self, placed: list[str]) -> list[str]:
        """Orders whose end, and executions whose quantity, a consumer did not hear of."""
        orders = [
            order async for order in self._broker.iter_orders(status="all") if order.id in placed
        ]
        await until(lambda: not any(book.missed(orders) for book in self._heard), FRESH_WITHIN)
        self._task.cancel()
        notes = [note for book in self._heard for note in book.missed(orders)]
        notes += [f"{len(orders)} of {len(placed)} orders listed"] * (len(orders) != len(placed))
        return notes


class _Book:
    """What one consumer was told of each order."""

    def __init__(self) -> None:
        self._filled: dict[str, Decimal] = defaultdict(Decimal)
        self._executions: set[str] = set()
        self._ended: set[str] = set()

    def note(self, update) -> bool:
        """Take note; true if this execution was told before."""
        order = update.order
        if order.is_final:
            self._ended.add(order.id)
        if not update.is_fill:
            return False
        if update.execution_id in self._executions:
            return True
        self._executions.add(update.execution_id)
        self._filled[order.id] += update.qty
        return False

    def missed(self, orders) -> list[str]:
        """What there was and was not told."""
        found = []
        for order in orders:
            if order.is_final and order.id not in self._ended:
                found.append(f"{order.id}: {order.status} was not told")
            if self._filled[order.id] != order.filled_qty:
                found.append(f"{order.id}: {self._filled[order.id]} of {order.filled_qty} told")
        return found
