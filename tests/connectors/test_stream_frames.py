"""Frames read in one loop give what their messages give one by one, however they look."""

import json

import msgspec
import pytest
from msgspec.msgpack import Ext
from pydantic import SecretStr

from sentio_async.connectors.alpaca.wire.data_rows import Feed
from sentio_async.connectors.alpaca.wire.stream import AlpacaMarketDialect, Keys
from sentio_async.connectors.polygon.wire.stream import PolygonDialect
from streams.playing import at_a_desk

SECOND, NS = 1_782_300_000, 123_456_789
STAMP = Ext(-1, (NS << 34 | SECOND).to_bytes(8, "big"))
ALPACA_QUOTE = {
    "T": "q", "S": "AAPL", "bx": "B", "bp": 99.9, "bs": 1, "ax": "A", "ap": 100.1, "as": 2,
    "t": STAMP, "c": ["R"], "z": "C",
}  # fmt: skip
ALPACA_TRADE = {
    "T": "t", "S": "AAPL", "i": 42, "x": "X", "p": 100.0, "s": 10, "t": STAMP, "c": ["@", "I"],
    "z": "A",
}  # fmt: skip
ALPACA_BAR = {
    "T": "b", "S": "AAPL", "o": 1.0, "h": 1.0, "l": 1.0, "c": 1.0, "v": 5, "t": STAMP,
}  # fmt: skip
QUOTE = {
    "ev": "Q", "sym": "AAPL", "bx": 4, "bp": 114.125, "bs": 100, "ax": 7, "ap": 114.128,
    "as": 160, "c": 0, "i": [604], "t": 1536036818784, "q": 1, "z": 3,
}  # fmt: skip
TRADE = {
    "ev": "T", "sym": "AAPL", "x": 4, "i": "12345", "z": 3, "p": 114.125, "s": 100, "c": [0, 12],
    "t": 1536036818784, "q": 3681328,
}  # fmt: skip
GONE = object()


def changed(message, **changes):
    return {key: value for key, value in {**message, **changes}.items() if value is not GONE}


ALPACA = [
    *(changed(ALPACA_QUOTE, bx=blank) for blank in (" ", "", None, GONE)),
    *(changed(ALPACA_QUOTE, ax=blank) for blank in (" ", "", None, GONE)),
    *(
        changed(message, c=words)
        for message in (ALPACA_QUOTE, ALPACA_TRADE)
        for words in ("R", " ", [], [" "], None, GONE)
    ),
    *(
        changed(message, t=time)
        for message in (ALPACA_QUOTE, ALPACA_TRADE)
        for time in (
            "2026-06-24T12:00:00.123456789Z",
            Ext(-1, SECOND.to_bytes(4, "big")),
            Ext(-1, NS.to_bytes(4, "big") + SECOND.to_bytes(8, "big")),
            Ext(-1, (NS << 34).to_bytes(8, "big")),
            Ext(-1, (999_999_999 << 34 | 2**32 - 1).to_bytes(8, "big")),
        )
    ),
    *(changed(ALPACA_QUOTE, z=tape) for tape in ("", None, GONE)),
    *(changed(ALPACA_TRADE, z=tape, x=tape) for tape in ("", None, GONE)),
    *(changed(ALPACA_TRADE, i=number) for number in ("7", 0, None, GONE)),
    *(changed(ALPACA_TRADE, tks=side) for side in ("B", "S", "", "?")),
    ALPACA_BAR,
    {"T": "success", "msg": "connected"},
]
POLYGON = [
    *(changed(QUOTE, bx=code, ax=code, z=code) for code in (0, 1, 300, None, GONE)),
    *(changed(QUOTE, c=codes) for codes in (1, [1], [1, 2], [], None, GONE)),
    *(changed(TRADE, c=codes) for codes in ([1], [], None, GONE)),
    *(changed(TRADE, x=code, z=code) for code in (0, 1, None, GONE)),
    *(changed(TRADE, i=number) for number in ("", 7, None, GONE)),
    *(changed(TRADE, ds=size) for size in ("0.5", "1e2", "no number")),
    {"ev": "V", "T": "I:SPX", "val": 1.0, "t": 1536036818784},
    {"ev": "status", "status": "connected"},
]


def alpaca():
    return AlpacaMarketDialect("wss://none", Keys(SecretStr("K"), SecretStr("S")), Feed("iex"))


def alpaca_messages(*messages):
    return alpaca().decode(msgspec.msgpack.encode(messages))


def polygon():
    return PolygonDialect("wss://none", SecretStr("K"), "stocks", is_delayed=True)


def polygon_messages(*messages):
    return polygon().decode(json.dumps(messages).encode())


@pytest.mark.parametrize("odd", ALPACA, ids=repr)
def test_an_alpaca_message_of_any_look_is_read_alike(odd):
    messages = alpaca_messages(ALPACA_QUOTE, ALPACA_TRADE, odd, ALPACA_QUOTE, ALPACA_TRADE)

    heard = at_a_desk(alpaca(), messages)

    assert heard == at_a_desk(alpaca(), messages, one_by_one=True)
    assert len(heard.rows) + len(heard.control) == 5
    assert heard.rows[0][1].time_ns == SECOND * 1_000_000_000 + NS


@pytest.mark.parametrize("odd", POLYGON, ids=repr)
def test_a_polygon_message_of_any_look_is_read_alike(odd):
    messages = polygon_messages(QUOTE, TRADE, odd, QUOTE, TRADE)

    heard = at_a_desk(polygon(), messages)

    assert heard == at_a_desk(polygon(), messages, one_by_one=True)
    assert len(heard.rows) + len(heard.control) + len(heard.unreadable) == 5


def test_a_time_that_is_none_costs_its_row_only():
    bad = changed(ALPACA_QUOTE, t=Ext(-1, b"123"))

    heard = at_a_desk(alpaca(), alpaca_messages(ALPACA_QUOTE, bad, ALPACA_TRADE))

    assert [channel for channel, _ in heard.rows] == ["quotes", "trades"]
    assert heard.unreadable == ["quotes"]


@pytest.mark.parametrize(
    ("dialect", "messages"),
    [
        (alpaca(), alpaca_messages(ALPACA_QUOTE, ALPACA_TRADE, ALPACA_BAR, ALPACA_QUOTE)),
        (polygon(), polygon_messages(QUOTE, TRADE, QUOTE)),
    ],
    ids=["alpaca", "polygon"],
)
def test_what_a_consumer_raises_costs_no_row(dialect, messages):
    def consume(row):
        raise RuntimeError(f"no {row.symbol}")

    heard = at_a_desk(dialect, messages, consume=consume)

    assert len(heard.rows) == len(messages)
    assert heard.failures == ["no AAPL"] * len(messages)
