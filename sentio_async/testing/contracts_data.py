"""What every provider of market data promises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from sentio_async import errors
from sentio_async.base import Capability, DataProviderConnector
from sentio_async.clock import SystemClock
from sentio_async.errors import Outcome
from sentio_async.testing.contracts_connector import (
    ConnectorContract,
    Probe,
    Rig,
    first_of,
    needs,
    refuses,
)

__all__ = ["DataProviderContract", "DataRig"]

CROWD = 50
Ask = Callable[[str], Awaitable[object]]
NOT_SYMBOLS = ("", " ", "A B", "A,B", "A\n", "A" * 100)

UNDECLARED: dict[Capability, Probe] = {
    Capability.QUOTES: lambda data: data.get_quotes(["AAPL"]),
    Capability.TRADES: lambda data: data.get_trade("AAPL"),
    Capability.SNAPSHOTS: lambda data: data.get_snapshots(["AAPL"]),
    Capability.BARS: lambda data: data.get_bars("AAPL"),
    Capability.TICK_HISTORY: lambda data: data.iter_trades("AAPL"),
    Capability.MARKET_STATUS: lambda data: data.get_market_status(),
    Capability.QUOTE_STREAM: lambda data: data.stream_quotes("AAPL"),
}


class DataRig(Rig[DataProviderConnector]):
    """A source of prices that knows ``symbols``, and does not know ``unknown_symbol``."""

    symbols: tuple[str, str] = ("AAPL", "MSFT")
    unknown_symbol = "NOSUCH"
    bars_from = datetime(2025, 3, 3, 15, 0, tzinfo=UTC)
    """There are 20 bars or more of the first symbol in the ``bars_span`` from here on ..."""
    no_bars_from = datetime(2025, 3, 1, 15, 0, tzinfo=UTC)
    """... and none in the ``bars_span`` from here on (a Saturday)."""
    timeframe = "1Min"
    """What the bars are asked for by; ``1Day`` where there are no others, with a longer span."""
    bars_span = timedelta(minutes=30)


class _Later(SystemClock):
    """An hour ahead, for which everything is old."""

    def utcnow(self) -> datetime:
        return super().utcnow() + timedelta(hours=1)


def asks(data: DataProviderConnector, rig: DataRig) -> dict[Capability, Ask]:
    """The declared calls about one symbol; skips the test if there is none."""

    def bars(symbol: str) -> Awaitable[object]:
        return data.get_bars(symbol, rig.timeframe, start=rig.bars_from)

    calls: dict[Capability, Ask] = {
        Capability.QUOTES: data.get_quote,
        Capability.TRADES: data.get_trade,
        Capability.SNAPSHOTS: data.get_snapshot,
        Capability.BARS: bars,
    }
    declared = {each: ask for each, ask in calls.items() if data.supports(each)}
    if not declared:
        pytest.skip(f"{data.name} declares no call about one symbol")
    return declared


class DataProviderContract(ConnectorContract[DataProviderConnector]):
    """Quotes, trades, bars.  The fixture ``rig`` gives a ``DataRig``."""

    async def test_a_quote_says_when_and_from_whom(self, rig: DataRig) -> None:
        """Aware UTC time, prices the right way round, the vendor's name."""
        symbol = rig.symbols[0]
        async with rig.new() as data:
            needs(data, Capability.QUOTES)
            quote = await data.get_quote(symbol)

        assert quote.symbol == symbol
        assert 0 < quote.bid <= quote.ask
        assert quote.time.utcoffset() == timedelta(0)
        assert quote.provider == data.vendor

    async def test_an_unknown_symbol_is_named(self, rig: DataRig) -> None:
        """SymbolNotFoundError with the symbol, for each call about what is latest of one."""
        async with rig.new() as data:
            declared = asks(data, rig)
            # Some vendors have no bars of it, as of a symbol that was not traded then.
            declared.pop(Capability.BARS, None)
            for ask in declared.values():
                with pytest.raises(errors.SymbolNotFoundError) as caught:
                    await ask(rig.unknown_symbol)
                assert caught.value.symbol == rig.unknown_symbol
                assert rig.unknown_symbol in str(caught.value)

    @pytest.mark.parametrize("text", NOT_SYMBOLS)
    async def test_what_cannot_be_a_symbol_is_not_sent(self, rig: DataRig, text: str) -> None:
        """InvalidRequestError, and no request."""
        async with rig.new() as data:
            declared = asks(data, rig)
            asked = rig.requests
            for ask in declared.values():
                with pytest.raises(errors.InvalidRequestError) as caught:
                    await ask(text)
                assert caught.value.outcome is Outcome.NOT_SENT
            assert rig.requests == asked

    async def test_a_batch_has_a_quote_or_an_error_for_each(self, rig: DataRig) -> None:
        """One bad symbol costs the others nothing; the order is the order of asking."""
        wanted = [rig.symbols[0], rig.unknown_symbol, rig.symbols[1]]
        async with rig.new() as data:
            needs(data, Capability.BATCH_QUOTES)
            batch = await data.get_quotes(wanted)

        assert list(batch) == wanted
        assert set(batch.found) == set(rig.symbols)
        assert isinstance(batch.errors[rig.unknown_symbol], errors.SymbolNotFoundError)
        assert not batch.is_complete
        with pytest.raises(errors.SymbolNotFoundError):
            batch[rig.unknown_symbol]

    async def test_what_cannot_be_a_symbol_does_not_cost_the_others(self, rig: DataRig) -> None:
        """Its own error in a batch, in the order of asking."""
        good = rig.symbols[0]
        async with rig.new() as data:
            needs(data, Capability.BATCH_QUOTES)
            batch = await data.get_quotes(["A B", good, ""])

        assert list(batch) == ["A B", good, ""]
        assert list(batch.found) == [good]
        assert all(isinstance(e, errors.InvalidRequestError) for e in batch.errors.values())

    async def test_a_symbol_named_twice_is_asked_once(self, rig: DataRig) -> None:
        """And a single text is not a list of symbols; nothing asked is nothing sent."""
        first, second = rig.symbols
        async with rig.new() as data:
            needs(data, Capability.BATCH_QUOTES)
            before = rig.requests
            once = await data.get_quotes([first, second])
            cost = rig.requests - before
            twice = await data.get_quotes([first, second, first, first])
            assert rig.requests - before == 2 * cost
            assert list(once) == list(twice) == [first, second]

            before = rig.requests
            with pytest.raises(errors.InvalidRequestError):
                await data.get_quotes(first)
            assert len(await data.get_quotes([])) == 0
            assert rig.requests == before

    async def test_a_crowd_asking_the_same_is_one_request(self, rig: DataRig) -> None:
        """All get that answer; one who leaves takes nothing from the others."""
        async with rig.new() as data:
            needs(data, Capability.QUOTES)
            before = rig.requests
            tasks = [asyncio.create_task(data.get_quote(rig.symbols[0])) for _ in range(CROWD)]
            await asyncio.sleep(0)
            tasks[1].cancel()
            quotes = await asyncio.gather(*tasks, return_exceptions=True)

            assert rig.requests - before == 1
            assert isinstance(quotes.pop(1), asyncio.CancelledError)
            assert len({quote.time_ns for quote in quotes}) == 1  # type: ignore[union-attr]

    async def test_when_the_first_of_a_crowd_leaves_one_asks_again(self, rig: DataRig) -> None:
        """The request was its own; all the others share the second."""
        async with rig.new() as data:
            needs(data, Capability.QUOTES)
            before = rig.requests
            tasks = [asyncio.create_task(data.get_quote(rig.symbols[0])) for _ in range(CROWD)]
            await asyncio.sleep(0)
            tasks[0].cancel()
            quotes = await asyncio.gather(*tasks, return_exceptions=True)

            assert rig.requests - before <= 2
            assert isinstance(quotes.pop(0), asyncio.CancelledError)
            assert len({quote.time_ns for quote in quotes}) == 1  # type: ignore[union-attr]

    async def test_old_data_is_refused_on_request(self, rig: DataRig) -> None:
        """StaleDataError with the age, when ``max_age`` is exceeded."""
        async with rig.new(clock=_Later()) as data:
            needs(data, Capability.QUOTES)
            quote = await data.get_quote(rig.symbols[0], max_age=10_000_000)
            with pytest.raises(errors.StaleDataError) as caught:
                await data.get_quote(rig.symbols[0], max_age=60)

        assert quote.symbol == rig.symbols[0]
        assert caught.value.age > 60

    async def test_an_outage_is_told(self, rig: DataRig) -> None:
        """A typed error for each call about one symbol, and not that there is no such symbol."""
        async with rig.new({"retry_attempts": 1}) as data:
            declared = asks(data, rig)
            rig.fail()
            for ask in declared.values():
                with pytest.raises(errors.ConnectorError) as caught:
                    await ask(rig.symbols[0])
                assert not isinstance(caught.value, errors.SymbolNotFoundError)
            rig.heal()

    async def test_an_outage_is_told_of_each_in_a_batch(self, rig: DataRig) -> None:
        """An error for each, or one for all."""
        async with rig.new({"retry_attempts": 1}) as data:
            needs(data, Capability.BATCH_QUOTES)
            rig.fail()
            try:
                batch = await data.get_quotes(rig.symbols)
            except errors.ConnectorError:
                return
            finally:
                rig.heal()

        assert set(batch.errors) == set(rig.symbols)
        assert not any(isinstance(e, errors.SymbolNotFoundError) for e in batch.errors.values())

    async def test_bars_ascend_within_their_bounds(self, rig: DataRig) -> None:
        """Each high is the highest, each time within what was asked for."""
        start, end = rig.bars_from, rig.bars_from + rig.bars_span
        async with rig.new() as data:
            needs(data, Capability.BARS)
            bars = await data.get_bars(rig.symbols[0], rig.timeframe, start=start, end=end)
            few = await data.get_bars(rig.symbols[0], rig.timeframe, start=start, end=end, limit=5)
            walked = await first_of(
                data.iter_bars(rig.symbols[0], rig.timeframe, start=start, end=end), len(bars) + 1
            )
            pages = data.iter_bar_pages(rig.symbols[0], rig.timeframe, start=start, end=end)
            paged = [bar async for page in pages for bar in page]

        assert len(bars) >= 20
        times = [bar.time for bar in bars]
        assert times == sorted(set(times))
        assert start <= times[0]
        assert times[-1] <= end
        assert all(bar.low <= bar.open <= bar.high for bar in bars)
        assert all(bar.low <= bar.close <= bar.high for bar in bars)
        assert len(few) == 5
        assert walked == paged == list(bars)

    async def test_no_bars_and_no_answer_are_two_things(self, rig: DataRig) -> None:
        """A time without trades is empty; an outage raises."""
        start, end = rig.no_bars_from, rig.no_bars_from + rig.bars_span
        async with rig.new({"retry_attempts": 1}) as data:
            needs(data, Capability.BARS)
            bars = await data.get_bars(rig.symbols[0], rig.timeframe, start=start, end=end)
            assert len(bars) == 0
            assert bars.symbol == rig.symbols[0]

            rig.fail()
            with pytest.raises(errors.ConnectorError):
                await data.get_bars(rig.symbols[0], rig.timeframe, start=start, end=end)
            rig.heal()

    async def test_a_timeframe_that_is_none_is_not_sent(self, rig: DataRig) -> None:
        """InvalidRequestError, and no request."""
        async with rig.new() as data:
            needs(data, Capability.BARS)
            asked = rig.requests
            with pytest.raises(errors.InvalidRequestError):
                await data.get_bars(rig.symbols[0], "1Fortnight", start=rig.bars_from)
            assert rig.requests == asked

    async def test_a_time_without_a_zone_is_not_guessed(self, rig: DataRig) -> None:
        """InvalidRequestError, and no request."""
        async with rig.new() as data:
            needs(data, Capability.BARS)
            asked = rig.requests
            naive = rig.bars_from.replace(tzinfo=None)
            with pytest.raises(errors.InvalidRequestError):
                await data.get_bars(rig.symbols[0], rig.timeframe, start=naive)
            assert rig.requests == asked

    async def test_the_last_trade_has_a_price(self, rig: DataRig) -> None:
        """And a time."""
        async with rig.new() as data:
            needs(data, Capability.TRADES)
            trade = await data.get_trade(rig.symbols[0])

        assert trade.symbol == rig.symbols[0]
        assert trade.price > 0
        assert trade.time.utcoffset() == timedelta(0)

    async def test_snapshots_are_by_symbol(self, rig: DataRig) -> None:
        """Each has its snapshot or its error."""
        async with rig.new() as data:
            needs(data, Capability.SNAPSHOTS)
            batch = await data.get_snapshots([rig.symbols[0], rig.unknown_symbol])
            one = await data.get_snapshot(rig.symbols[0])

        assert list(batch) == [rig.symbols[0], rig.unknown_symbol]
        assert batch[rig.symbols[0]].symbol == one.symbol == rig.symbols[0]
        assert isinstance(batch.errors[rig.unknown_symbol], errors.SymbolNotFoundError)

    async def test_past_trades_ascend(self, rig: DataRig) -> None:
        """Page after page, to the nanosecond."""
        start, end = rig.bars_from, rig.bars_from + timedelta(minutes=1)
        async with rig.new() as data:
            needs(data, Capability.TICK_HISTORY)
            trades = await first_of(data.iter_trades(rig.symbols[0], start=start, end=end), 200)

        times = [trade.time_ns for trade in trades]
        assert times
        assert times == sorted(times)

    async def test_the_market_is_open_or_not(self, rig: DataRig) -> None:
        """It says which."""
        async with rig.new() as data:
            needs(data, Capability.MARKET_STATUS)
            status = await data.get_market_status()

        assert status.is_open in (True, False)

    async def test_what_it_does_not_declare_is_refused(self, rig: DataRig) -> None:
        """NotSupportedError names the capability and who has it."""
        await refuses(rig.new(), UNDECLARED)
