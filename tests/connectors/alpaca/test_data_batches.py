"""Many symbols are asked for in few requests, and none costs another its answer."""

import asyncio

import pytest

from sentio_async import errors
from sentio_async.connectors.alpaca.batches import MOST_DROPPED, ask_about
from sentio_async.models import Batch


class FakeAlpaca:
    """Knows some symbols, refuses some by name, fails on some; counts the requests."""

    def __init__(self, *, absent=(), invalid=(), failing=(), words="invalid symbol"):
        self.absent, self.invalid, self.failing = set(absent), set(invalid), set(failing)
        self.words = words
        self.requests = []

    async def fetch(self, names):
        self.requests.append(list(names))
        await asyncio.sleep(0)
        if self.failing & set(names):
            raise errors.ServerError("upstream request timeout", status_code=504)
        for name in names:
            if name in self.invalid:
                raise errors.BadRequestError(
                    f"{self.words}: {name}", status_code=400, details={"symbol": name.upper()}
                )
        return Batch({name: name.lower() for name in names if name not in self.absent})


async def test_every_symbol_has_its_value_or_its_error_in_the_order_of_asking():
    alpaca = FakeAlpaca(absent={"GONE"}, invalid={"b$d"})

    found = await ask_about(
        ["MSFT", "GONE", "BTC/USD", "b$d", "", "AAPL", "A,B", "MSFT"], alpaca.fetch
    )

    assert list(found) == ["MSFT", "GONE", "BTC/USD", "b$d", "", "AAPL", "A,B"]
    assert found.found == {"MSFT": "msft", "BTC/USD": "btc/usd", "AAPL": "aapl"}
    assert {symbol: type(error) for symbol, error in found.errors.items()} == {
        "GONE": errors.SymbolNotFoundError,
        "b$d": errors.SymbolNotFoundError,
        "": errors.InvalidRequestError,
        "A,B": errors.InvalidRequestError,
    }
    assert found.errors["b$d"].symbol == "b$d"
    assert isinstance(found.errors["b$d"].__cause__, errors.BadRequestError)


async def test_the_same_list_can_be_asked_about_again():
    alpaca = FakeAlpaca(invalid={"BAD"})

    first, second = [await ask_about(["A", "BAD", "A,B"], alpaca.fetch) for _ in range(2)]

    assert list(first) == list(second) == ["A", "BAD", "A,B"]
    assert [list(names) for names in alpaca.requests] == [["A", "BAD"], ["A"]] * 2
    # Each has an error of its own: who raises one would write into the other's traceback.
    assert first.errors["A,B"] is not second.errors["A,B"]


async def test_a_bad_symbol_is_dropped_and_the_others_are_asked_for_again():
    alpaca = FakeAlpaca(invalid={"BAD", "WORSE"})

    found = await ask_about(["A", "BAD", "B", "WORSE", "C"], alpaca.fetch)

    assert list(found.found) == ["A", "B", "C"]
    assert alpaca.requests == [
        ["A", "BAD", "B", "WORSE", "C"],
        ["A", "B", "WORSE", "C"],
        ["A", "B", "C"],
    ]


async def test_dropping_is_bounded():
    bad = [f"BAD{number}" for number in range(MOST_DROPPED + 5)]
    alpaca = FakeAlpaca(invalid=bad)

    found = await ask_about([*bad, "GOOD"], alpaca.fetch)

    assert len(alpaca.requests) == MOST_DROPPED + 1
    assert found.found == {}
    assert isinstance(found.errors["GOOD"], errors.BadRequestError)


async def test_a_refusal_that_names_nobody_asked_for_is_everybodys():
    class Confused(FakeAlpaca):
        async def fetch(self, names):
            self.requests.append(names)
            raise errors.BadRequestError("invalid symbol: OTHER", details={"symbol": "OTHER"})

    alpaca = Confused()

    found = await ask_about(["A", "B"], alpaca.fetch)

    assert len(alpaca.requests) == 1
    assert {type(error) for error in found.errors.values()} == {errors.BadRequestError}


async def test_a_request_that_fails_costs_its_own_symbols_only():
    stocks = [f"S{number}" for number in range(300)]
    alpaca = FakeAlpaca(failing={"S250"}, invalid={"S299"})

    found = await ask_about([*stocks, "BTC/USD"], alpaca.fetch)

    assert len(found.found) == 201
    assert set(found.errors) == set(stocks[200:])
    assert {type(error) for error in found.errors.values()} == {errors.ServerError}
    with pytest.raises(errors.ServerError):
        found["S250"]


async def test_requests_run_side_by_side():
    waiting, most = 0, 0

    async def fetch(names):
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting -= 1
        return Batch(dict.fromkeys(names, 1))

    found = await ask_about([f"S{number}" for number in range(1000)], fetch)

    assert found.is_complete
    assert most == 5


@pytest.mark.parametrize("size", [250, 1550])  # short lists are looked at once, long ones each time
async def test_a_call_that_takes_few_symbols_is_asked_about_few(size):
    names = [f"US{number:010}" for number in range(size)]
    alpaca = FakeAlpaca()

    found = await ask_about(names, alpaca.fetch, most=100)

    assert list(found.found) == names
    assert {len(asked) for asked in alpaca.requests} == {100, 50}


async def test_nothing_asked_for_asks_nothing():
    alpaca = FakeAlpaca()

    assert len(await ask_about([], alpaca.fetch)) == 0
    assert alpaca.requests == []
    with pytest.raises(errors.InvalidRequestError, match="list"):
        await ask_about("AAPL", alpaca.fetch)


async def test_a_mistake_of_ours_is_not_hidden_in_the_answer():
    async def fetch(names):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ask_about(["A"], fetch)


async def test_cancelling_the_question_cancels_its_requests():
    running = 0

    async def fetch(names):
        nonlocal running
        running += 1
        try:
            await asyncio.Event().wait()
        finally:
            running -= 1

    asking = asyncio.ensure_future(ask_about([f"S{number}" for number in range(500)], fetch))
    for _ in range(20):
        await asyncio.sleep(0)
    assert running == 3
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert running == 0
