"""Recorded frames of Alpaca's streams play through and give the rows they stand for."""

import base64
import json
from decimal import Decimal

import pytest
from pydantic import SecretStr

from sentio_async import errors
from sentio_async.connectors.alpaca.wire.data_rows import Feed
from sentio_async.connectors.alpaca.wire.stream import AlpacaMarketDialect, Keys, read_failure
from sentio_async.connectors.alpaca.wire.stream_orders import (
    ORDERS,
    AlpacaOrderDialect,
    read_update,
)
from sentio_async.models import Bar, NewsArticle, Quote, Trade, TradingStatus
from sentio_async.streams.dialect import Authenticated, Confirmed, Problem, Refused, Remedy
from streams.playing import Played, play

KEYS = Keys(SecretStr("TESTKEY"), SecretStr("TESTSECRET"))


def played(shared, name: str, *, is_packed: bool = False) -> Played:
    frames = json.loads((shared / "payloads/alpaca_data" / f"{name}.json").read_text())
    dialect = AlpacaMarketDialect("wss://none", KEYS, Feed("iex"), is_packed=is_packed)
    return play(dialect, frames)


def test_stocks(shared):
    found = played(shared, "ws_stocks_basic")

    assert json.loads(found.sent[0]) == {
        "action": "auth",
        "key": "TESTKEY",
        "secret": "TESTSECRET",
    }
    assert Authenticated() in found.signals
    confirmed = [each for each in found.signals if isinstance(each, Confirmed)]
    assert {str(topic) for topic in confirmed[0].topics} == {
        "trades AAPL",
        "quotes AMD",
        "quotes CLDR",
        "bars *",
    }
    assert {topic.channel for topic in confirmed[1].topics} == {"trades", "quotes"}
    trade, *quotes = found.rows
    assert isinstance(trade, Trade)
    assert (trade.symbol, trade.price, trade.id, trade.exchange) == ("AAPL", 126.55, "96921", "D")
    assert trade.conditions == ("@", "I")
    assert trade.time_ns == 1614009104208000000
    assert [quote.time_ns % 1_000_000_000 for quote in quotes] == [335567700, 335689322, 335806018]
    assert all(isinstance(quote, Quote) and quote.feed == "iex" for quote in quotes)


def test_messagepack_keeps_nanoseconds(shared):
    found = played(shared, "ws_msgpack_stocks", is_packed=True)

    trade, quote, bar = found.rows
    assert trade.time_ns == quote.time_ns == 1614870977000000018
    assert (trade.conditions, trade.id) == ((" ",), "42")
    assert (quote.bid, quote.ask_size) == (99.9, 200)
    assert bar.time_ns == 1614960000 * 1_000_000_000
    assert found.skipped == 0


def test_times_of_every_length_are_read():
    import msgspec
    from msgspec.msgpack import Ext

    dialect = AlpacaMarketDialect("wss://none", KEYS, Feed("sip"))
    stamps = {
        (1614870977).to_bytes(4, "big"): 1614870977_000000000,
        (18 << 34 | 1614870977).to_bytes(8, "big"): 1614870977_000000018,
        (7).to_bytes(4, "big") + (-1).to_bytes(8, "big", signed=True): -999999993,
    }
    for stamp, ns in stamps.items():
        row = {"T": "t", "S": "A", "p": 1.0, "s": 1, "t": Ext(-1, stamp)}
        (raw,) = dialect.decode(msgspec.msgpack.encode([row]))
        assert dialect.lanes[type(raw)].read(raw, 5).time_ns == ns


def test_crypto_bars_news_and_halts(shared):
    (bar,) = played(shared, "ws_crypto_bar").rows
    assert (bar.symbol, bar.vwap, bar.trade_count) == ("BTC/USD", 47984.1688165374, 162)
    (article,) = played(shared, "ws_news").rows
    assert isinstance(article, NewsArticle)
    assert (article.id, article.symbols) == ("24918784", ("CRSR",))
    minute, day, halt = played(shared, "ws_stocks_bars_status").rows
    assert isinstance(minute, Bar)
    assert day.volume == 749378
    assert isinstance(halt, TradingStatus)
    assert (halt.status, halt.reason) == ("H", "T12")
    assert len(played(shared, "ws_minute_bars").rows) == 5


def test_errors_say_what_helps(shared):
    found = played(shared, "ws_errors_all")

    remedies = {
        signal.error.code: signal.remedy if isinstance(signal, Problem) else "topic"
        for signal in found.signals
    }
    assert remedies == {
        400: "topic",
        401: Remedy.RETRY,
        402: Remedy.FINAL,
        403: Remedy.NONE_NEEDED,
        404: Remedy.RETRY,
        405: "topic",
        406: Remedy.SLOWLY,
        407: Remedy.RETRY,
        409: Remedy.FINAL,
        410: "topic",
        411: Remedy.FINAL,
        500: Remedy.RETRY,
    }
    assert isinstance(read_failure(405, "symbol limit exceeded"), Refused)
    assert isinstance(read_failure(413, "star subscription is not allowed"), Refused)
    packed_only = read_failure(412, "option messages are only available in MsgPack format")
    assert packed_only.remedy is Remedy.FINAL


def test_corrections_and_cancels_are_trades_that_say_so():
    dialect = AlpacaMarketDialect("wss://none", KEYS, Feed("sip"), is_packed=False)
    correction = {
        "T": "c", "S": "EEM", "x": "M", "oi": 52983525033527, "op": 39.15, "os": 440000,
        "oc": [" ", "7"], "ci": 52983525034326, "cp": 39.15, "cs": 400000, "cc": [" ", "7"],
        "z": "B", "t": "2023-04-06T14:25:06.542305024Z",
    }  # fmt: skip
    cancel = {
        "T": "x", "S": "GOOGL", "i": 465, "x": "D", "p": 105.31, "s": 300, "a": "C", "z": "C",
        "t": "2023-04-06T13:15:42.83540958Z",
    }  # fmt: skip
    raws = dialect.decode(json.dumps([correction, cancel]).encode())
    first, second = (dialect.lanes[type(raw)].read(raw, 0) for raw in raws)

    assert (first.correction, first.size, first.corrects) == ("corrected", 400000, "52983525033527")
    assert (second.correction, second.corrects) == ("canceled", "465")


def test_unknown_kinds_cost_nothing_and_bad_rows_only_themselves():
    dialect = AlpacaMarketDialect("wss://none", KEYS, Feed("sip"), is_packed=False)
    good = {"T": "q", "S": "A", "bp": 1, "ap": 2, "t": "2023-04-06T13:15:42Z"}
    payload = json.dumps([good, {"T": "zz", "S": "A"}, {"T": "q", "S": "A", "bp": "1"}]).encode()

    messages, unreadable = dialect.decode_each(payload)

    assert (len(messages), unreadable) == (1, 1)


def orders(shared, name: str) -> bytes:
    return (shared / "payloads/alpaca" / f"{name}.json").read_bytes()


def wanted(shared, name: str) -> dict:
    return json.loads(orders(shared, f"ws_req_{name}"))


@pytest.mark.parametrize("login", ["auth", "authenticate"])
def test_order_updates_log_in_in_either_form(shared, login):
    dialect = AlpacaOrderDialect("wss://none", KEYS, login=login)

    (sent,) = dialect.opening()

    assert json.loads(sent)["action"] == login
    if login == "authenticate":
        assert json.loads(sent)["data"].keys() == wanted(shared, "authenticate")["data"].keys()
    assert json.loads(dialect.subscribe((ORDERS,))[0]) == wanted(shared, "listen")
    (yes,) = dialect.decode(orders(shared, "ws_authorized"))
    (no,) = dialect.decode(orders(shared, "ws_unauthorized_authenticate"))
    (ok,) = dialect.decode(orders(shared, "ws_listening"))
    assert dialect.understand(yes) == Authenticated()
    refused = dialect.understand(no)
    assert isinstance(refused.error, errors.AuthenticationError)
    assert refused.remedy is Remedy.FINAL
    assert [str(topic) for topic in dialect.understand(ok).topics] == ["orders *"]


def test_an_execution_is_read_exactly(shared):
    dialect = AlpacaOrderDialect("wss://none", KEYS)
    (raw,) = dialect.decode(orders(shared, "ws_trade_update_fill"))

    update = read_update(raw.data)

    assert update.is_fill
    assert update.event == "fill"
    assert (update.price, update.qty) == (Decimal("105.8988475"), Decimal("1790.86"))
    assert update.position_qty == 0
    assert update.key == "2f63ea93-423d-4169-b3f6-3fdafc10c418"
    assert update.time_ns % 1_000_000_000 == 24916716
    assert update.order.symbol == "SOLUSD"


def test_secrets_are_in_no_repr():
    assert "TESTSECRET" not in repr(KEYS)
    assert base64.b64encode(b"TESTSECRET").decode() not in repr(KEYS)
