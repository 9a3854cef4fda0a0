"""The values that users get: exact, frozen, and at home in other people's models."""

import copy
import json
import math
import pickle
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import httpx
import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from sentio_async import errors
from sentio_async.models import (
    Bar,
    Bars,
    Batch,
    Delivery,
    Order,
    OrderChange,
    OrderRequest,
    OrderStatus,
    Quote,
    Receipt,
    RecipientResult,
    Rows,
    SkippedRow,
    Snapshot,
    Trade,
    exact,
)
from sentio_async.models.rows import utc_from_ns

NS = 1_700_000_000_123_456_789


def an_order(**more):
    return OrderRequest(**{"symbol": "AAPL", "side": "buy", "qty": 1, **more})


def a_quote(**more):
    given = {"symbol": "AAPL", "time_ns": NS, "provider": "toy", "bid": 187.1, "ask": 187.2}
    return Quote(**{**given, "bid_size": 100.0, "ask_size": 200.0, **more})


def a_bar(minute=0, **more):
    prices = {"open": 1.5, "high": 2.5, "low": 1.0, "close": 2.0, "volume": 10.0}
    time_ns = NS + minute * 60_000_000_000
    return Bar(symbol="AAPL", time_ns=time_ns, provider="toy", **{**prices, **more})


WRONG_ORDERS = [
    ({"notional": 5}, "give qty or notional, not both"),
    ({"qty": None}, "qty or notional is needed"),
    ({"qty": -1}, "qty must be more than zero, not -1"),
    ({"qty": 0}, "qty must be more than zero, not 0"),
    ({"qty": None, "notional": "-0.01"}, "notional must be more than zero"),
    ({"symbol": " "}, "symbol is needed"),
    ({"side": None}, "side is needed"),
    ({"type": "limit"}, "a limit order needs limit_price"),
    ({"type": "stop"}, "a stop order needs stop_price"),
    ({"type": "stop_limit", "limit_price": 1}, "a stop_limit order needs stop_price"),
    ({"limit_price": 1}, "a market order takes no limit_price"),
    ({"type": "trailing_stop"}, "either trail_price or trail_percent"),
    ({"type": "trailing_stop", "trail_price": 1, "trail_percent": 1}, "either trail_price or"),
    ({"trail_percent": 1}, "are for type 'trailing_stop' only"),
    ({"order_class": "mleg"}, "a multi-leg order needs legs"),
    ({"legs": [{"symbol": "X", "ratio_qty": 1}]}, "legs are for order_class 'mleg' only"),
    ({"qty": "NaN"}, "finite"),
    ({"qty": "Infinity"}, "finite"),
    ({"qty": True}, "Decimal input should be"),
    ({"qty": "many"}, "decimal"),
    ({"side": "hold"}, "'buy'"),
    ({"client_order_id": ""}, "at least 1"),
    ({"client_order_id": "x" * 129}, "at most 128"),
    ({"sise": 1}, "Extra inputs"),
]


@pytest.mark.parametrize(("fields", "says"), WRONG_ORDERS)
def test_an_order_that_cannot_be_right_anywhere_is_refused(fields, says):
    with pytest.raises(ValidationError) as caught:
        an_order(**fields)

    assert says in str(caught.value)


RIGHT_ORDERS = [
    {},
    {"qty": "0.000000001"},
    {"qty": None, "notional": "0.01"},
    {"type": "limit", "limit_price": "-0.35"},
    {"type": "trailing_stop", "trail_percent": "0.5"},
    {"type": "limit", "order_class": "oco", "take_profit": {"limit_price": 9}},
    {"order_class": "mleg", "legs": [{"symbol": "X", "ratio_qty": 1}], "symbol": "", "side": None},
]


@pytest.mark.parametrize("fields", RIGHT_ORDERS)
def test_what_some_venue_takes_is_left_to_the_venue(fields):
    assert an_order(**fields)


def test_a_change_changes_something():
    assert OrderChange(limit_price="1.5").limit_price == Decimal("1.5")
    for nothing in ({}, {"qty": 0}, {"qty": -3}):
        with pytest.raises(ValidationError):
            OrderChange(**nothing)


@pytest.mark.parametrize(
    ("given", "exactly"),
    [
        (0.1, "0.1"),
        (1e-9, "1E-9"),
        ("100.10", "100.10"),
        (7, "7"),
        (Decimal("3.30"), "3.30"),
        (0.1 + 0.2, "0.30000000000000004"),
        ("9007199254740993", "9007199254740993"),
    ],
)
def test_money_is_what_was_written(given, exactly):
    amount = an_order(qty=given).qty

    assert isinstance(amount, Decimal)
    assert str(amount) == exactly


def test_json_keeps_money_exact_both_ways():
    order = an_order(qty="0.100000000000000000001", type="limit", limit_price="187.10")

    again = OrderRequest.model_validate_json(order.model_dump_json())

    assert json.loads(order.model_dump_json())["limit_price"] == "187.10"
    assert again == order


def test_values_are_frozen_and_strict():
    order = an_order()

    with pytest.raises(ValidationError):
        order.qty = Decimal(2)
    with pytest.raises(AttributeError):
        a_quote().bid = 1.0


def test_a_fraction_of_something_else_is_no_amount():
    with pytest.raises(ValidationError):
        an_order(qty=Fraction(1, 3))


def test_an_order_knows_what_is_left():
    order = Order(
        id="1",
        client_order_id="c",
        symbol="AAPL",
        side="buy",
        type="market",
        status=OrderStatus.PARTIALLY_FILLED,
        venue_status="partially_filled",
        qty=10,
        filled_qty="2.5",
        time_in_force="day",
        raw={"secret_field": 1},
    )

    assert order.remaining_qty == Decimal("7.5")
    assert not order.is_final
    assert "secret_field" not in repr(order)
    assert "raw" not in order.model_dump()


# Rows of market data


def test_a_row_has_its_time_to_the_nanosecond_and_as_utc():
    quote = a_quote()

    assert quote.time == datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)
    assert quote.time_ns == NS
    assert quote.age(quote.time + timedelta(seconds=2)) == 2.0
    assert utc_from_ns(0) == datetime(1970, 1, 1, tzinfo=UTC)
    assert utc_from_ns(-1_000) == datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def test_a_quote_without_a_side_has_no_mid():
    assert a_quote().mid == pytest.approx(187.15)
    assert math.isnan(a_quote(bid=0.0).mid)
    assert math.isnan(a_quote(ask=0.0).spread)


@pytest.mark.parametrize("text", ["187.1", "0.1", "1e-8", "123456.789", "64231.55"])
def test_a_price_gives_back_the_number_that_was_written(text):
    assert exact(float(text)) == Decimal(text)


@pytest.mark.parametrize("row", [a_quote(), a_bar()])
def test_a_row_travels(row):
    assert pickle.loads(pickle.dumps(row)) == row
    assert copy.deepcopy(row) == row
    assert row.to_dict()["symbol"] == "AAPL"


class Watched(BaseModel):
    quote: Quote
    bars: list[Bar] = []
    latest: Snapshot | None = None


def test_a_row_is_a_field_of_a_pydantic_model():
    snapshot = Snapshot(symbol="AAPL", provider="toy", quote=a_quote(), day_bar=a_bar())
    watched = Watched(quote=a_quote(), bars=[a_bar()], latest=snapshot)

    again = Watched.model_validate_json(watched.model_dump_json())

    assert again == watched
    assert isinstance(again.latest.day_bar, Bar)
    assert Watched.model_validate(watched.model_dump()) == watched
    with pytest.raises(ValidationError, match=r"quote\n.*bid"):
        Watched(quote={**a_quote().to_dict(), "bid": "high"})


def references_in(schema):
    if isinstance(schema, dict):
        yield from ([schema["$ref"]] if isinstance(schema.get("$ref"), str) else [])
        for each in schema.values():
            yield from references_in(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from references_in(each)


@pytest.mark.parametrize("kind", [Quote, Trade, Bar, Snapshot, Watched, list[Snapshot]])
@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_a_rows_schema_refers_to_nothing_that_is_not_in_it(kind, mode):
    schema = TypeAdapter(kind).json_schema(mode=mode)

    for reference in references_in(schema):
        found = schema
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found


async def test_fastapi_answers_with_rows():
    fastapi = pytest.importorskip("fastapi")
    app = fastapi.FastAPI()

    @app.get("/quote")
    async def quote() -> Quote:
        return a_quote()

    @app.get("/snapshots")
    async def snapshots() -> list[Snapshot]:
        return [Snapshot(symbol="AAPL", provider="toy", quote=a_quote())]

    @app.post("/order")
    async def order(order: OrderRequest) -> OrderRequest:
        return order

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        assert (await client.get("/quote")).json()["bid"] == 187.1
        assert (await client.get("/snapshots")).json()[0]["quote"]["time_ns"] == NS
        body = {"symbol": "AAPL", "side": "buy", "qty": "0.10"}
        assert (await client.post("/order", json=body)).json()["qty"] == "0.10"
        refused = await client.post("/order", json={**body, "notional": 1})
        assert refused.status_code == 422
        described = (await client.get("/openapi.json")).json()
    assert {"Quote", "Snapshot"} <= described["components"]["schemas"].keys()
    assert "#/components/schemas/Quote" in references_in(described["paths"]["/quote"])
    for reference in references_in(described):
        found = described
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


# Collections


def some_bars(count=5):
    return Bars.of("AAPL", [a_bar(n, trade_count=n) for n in range(count)], provider="toy")


def test_bars_are_rows_and_columns():
    bars = some_bars()

    assert len(bars) == 5
    assert bars[1] == a_bar(1, trade_count=1)
    assert bars[-1] == list(bars)[-1]
    assert list(bars.close) == [2.0] * 5
    assert bars.to_columns()["times_ns"] is bars.times_ns
    assert bars.exact("close") == [Decimal("2.0")] * 5
    assert bars.exact("vwap") == [None] * 5
    assert bars[0].vwap is None
    with pytest.raises(IndexError):
        bars[5]
    with pytest.raises(errors.InvalidRequestError, match="column"):
        bars.exact("symbol")


def test_columns_are_added_whole_or_not_at_all():
    bars = some_bars(2)
    columns = {name: list(values) for name, values in bars.to_columns().items()}

    bars.add_columns(columns)

    assert list(bars) == list(some_bars(2)) * 2
    bars = some_bars(2)
    bars.add_columns({**columns, "vwap": [1.5, None], "trade_count": [None, 7]})
    assert [(bar.vwap, bar.trade_count) for bar in bars[2:]] == [(1.5, None), (None, 7)]
    for bad in ({"close": [1.0]}, {"close": [1.0, None]}, {"times_ns": [0, 2**63]}):
        with pytest.raises(ValueError, match="bar"):
            bars.add_columns({**columns, **bad})
    with pytest.raises(ValueError, match="vwap"):
        bars.add_columns({name: columns[name] for name in columns if name != "vwap"})
    assert {len(values) for values in bars.to_columns().values()} == {4}


def test_a_slice_of_bars_is_bars():
    bars = some_bars()
    bars.skipped = (SkippedRow(0, "bad"),)

    assert isinstance(bars[1:3], Bars)
    assert bars[:].skipped == bars.skipped
    assert list(bars[1:3]) == list(bars)[1:3]
    assert bars[:] == bars
    assert bars[:] is not bars
    assert list(bars[::-1]) == list(bars)[::-1]


def test_bars_continue_the_same_series_only():
    bars, more = some_bars(2), some_bars(3)
    more.is_delayed = True
    more.skipped = (SkippedRow(0, "bad"),)
    bars.extend(more)

    assert len(bars) == 5
    assert bars.is_delayed
    assert bars.skipped == (SkippedRow(0, "bad"),)
    with pytest.raises(ValueError, match="do not continue"):
        bars.extend(Bars("MSFT", provider="toy"))


def test_bars_travel():
    bars = some_bars()
    bars.skipped = (SkippedRow(0, "bad"),)

    for other in (pickle.loads(pickle.dumps(bars)), copy.deepcopy(bars)):
        assert other == bars
        assert other.skipped == bars.skipped
    assert repr(bars) == "<Bars AAPL  x5 2023-11-14..2023-11-14 from toy>"
    assert repr(Bars("AAPL", provider="toy")) == "<Bars AAPL  x0 from toy>"


def test_a_batch_has_a_value_or_an_error_for_each():
    gone = errors.SymbolNotFoundError("nothing", symbol="B")
    batch = Batch({"A": 1, "B": gone})

    assert batch["A"] == 1
    assert list(batch) == ["A", "B"]
    assert (batch.found, batch.errors) == ({"A": 1}, {"B": gone})
    assert batch.get("B", 7) == 7
    assert batch.get("C", None) is None
    assert "B" in batch
    assert not batch.is_complete
    assert dict(batch.items()) == {"A": 1, "B": gone}
    with pytest.raises(errors.SymbolNotFoundError):
        batch["B"]
    with pytest.raises(KeyError):
        batch["C"]
    assert repr(batch) == "<Batch 1 found, 1 failed>"
    assert pickle.loads(pickle.dumps(batch)).found == {"A": 1}


def test_rows_keep_what_was_left_out():
    rows = Rows([1, 2], [SkippedRow(3, "bad")])

    assert rows == [1, 2]
    assert rows.skipped[0].index == 3
    assert pickle.loads(pickle.dumps(rows)).skipped == rows.skipped
    assert copy.copy(rows).skipped == rows.skipped


def a_receipt(*deliveries):
    results = tuple(RecipientResult(recipient=str(n), delivery=d) for n, d in enumerate(deliveries))
    return Receipt(id="1", connector="toy", results=results, sent_at=datetime.now(UTC))


def test_a_receipt_is_proof_only_if_everybody_has_it():
    yes, also = Delivery.ACCEPTED, Delivery.ACCEPTED_WITHOUT_PROOF

    assert a_receipt(yes, also).is_delivered
    assert not a_receipt().is_delivered
    for no in set(Delivery) - {yes, also}:
        assert not a_receipt(yes, no).is_delivered
        assert [each.recipient for each in a_receipt(yes, no).failed] == ["1"]
