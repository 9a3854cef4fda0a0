"""One call a symbol, and what a vendor's "not found" means."""

import asyncio

import pytest

from sentio_async import errors
from sentio_async.base import DataProviderConnector, about, one_each
from sentio_async.config import ConnectorConfig
from sentio_async.models import Bar, Bars


async def price_of(symbol):
    """A vendor with a price for each letter; it does not have Z, and fails at X."""
    await asyncio.sleep(0)
    match symbol:
        case "Z":
            raise errors.NotFoundError("no such symbol", connector="toy", operation="GET /price")
        case "X":
            raise errors.ServerError("down")
        case "BUG":
            raise KeyError("price")
    return ord(symbol)


async def test_a_vendors_not_found_names_the_symbol():
    with pytest.raises(errors.SymbolNotFoundError) as caught:
        await about("Z", price_of("Z"))

    error = caught.value
    assert error.symbol == "Z"
    assert str(error) == "toy GET /price: Z: no such symbol"
    assert isinstance(error.__cause__, errors.NotFoundError)
    assert await about("A", price_of("A")) == 65


async def test_each_symbol_has_its_value_or_its_error_in_the_order_of_asking():
    batch = await one_each(["B", "Z", "no way", "X", "A", "B"], price_of)

    assert list(batch) == ["B", "Z", "no way", "X", "A"]
    assert batch.found == {"B": 66, "A": 65}
    assert {symbol: type(error) for symbol, error in batch.errors.items()} == {
        "Z": errors.SymbolNotFoundError,
        "no way": errors.InvalidRequestError,
        "X": errors.ServerError,
    }


async def test_nothing_is_a_value_too():
    async def none(_symbol):
        return None

    assert (await one_each(["A"], none)).found == {"A": None}
    assert len(await one_each([], none)) == 0


async def test_a_mistake_of_our_own_is_no_result():
    with pytest.raises(KeyError):
        await one_each(["A", "BUG"], price_of)


async def test_a_single_text_is_not_a_list():
    with pytest.raises(errors.InvalidRequestError):
        await one_each("AAPL", price_of)


class Days(DataProviderConnector):
    """Somebody's connector, whose vendor answers a whole history at once."""

    vendor = "own"
    Config = ConnectorConfig

    async def get_bars(self, symbol, timeframe="1Day", *, most=3, **_options):
        rows = [Bar(symbol, time_ns, "own", 1.0, 2.0, 0.5, 1.5, 9.0) for time_ns in range(most)]
        return Bars.of(symbol, rows, provider="own", step=timeframe)


async def test_who_has_get_bars_has_them_one_by_one_and_in_pages():
    data = Days()
    bars = await data.get_bars("A")

    assert [bar async for bar in data.iter_bars("A")] == list(bars)
    assert [page async for page in data.iter_bar_pages("A")] == [bars]
    assert [bar async for bar in data.iter_bars("A", "1Min", most=1)] == list(bars)[:1]
