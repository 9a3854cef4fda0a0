"""Recorded frames of Massive's streams play through and give the rows they stand for."""

import json

import pytest
from pydantic import SecretStr

from sentio_async.connectors.polygon.wire.stream import MARKETS, PolygonDialect, market_of
from sentio_async.streams import Topic
from sentio_async.streams.dialect import Authenticated, Confirmed, Problem, Refused, Remedy
from streams.playing import Played, play

KEY = SecretStr("TESTKEY")


def played(shared, name: str, market: str) -> Played:
    frames = json.loads((shared / "payloads/polygon" / f"{name}.json").read_text())
    return play(PolygonDialect("wss://none", KEY, market), frames)


def confirmed(found: Played) -> list[str]:
    signals = [each for each in found.signals if isinstance(each, Confirmed)]
    return [str(topic) for signal in signals for topic in signal.topics]


def test_stocks_with_an_answer_for_each_topic(shared):
    found = played(shared, "ws_stocks_trades", "stocks")

    assert json.loads(found.sent[0]) == {"action": "auth", "params": "TESTKEY"}
    assert Authenticated() in found.signals
    assert confirmed(found) == ["trades AAPL", "trades AMZN"]
    (trade,) = found.rows
    assert (trade.symbol, trade.id, trade.exchange, trade.tape) == ("AAPL", "5096", "10", "3")
    assert (trade.time_ns, trade.conditions) == (1651684192462000000, ("14", "41"))


def test_every_event_of_stocks(shared):
    found = played(shared, "ws_stocks_all_events", "stocks")

    assert found.channels == ["trades", "quotes", "second_bars", "bars"]
    quote = found.rows[1]
    assert (quote.bid, quote.ask_size, quote.bid_exchange) == (114.125, 160, "4")
    assert quote.conditions == ("0",)
    assert found.rows[3].time_ns == 1610144640000000000


def test_options_and_crypto_go_by_our_own_names(shared):
    options = played(shared, "ws_options", "options")
    assert confirmed(options)[0] == "trades O:AMC210827C00037000"
    assert options.channels == ["trades", "quotes", "bars"]
    crypto = played(shared, "ws_crypto", "crypto")
    assert confirmed(crypto) == ["trades X:BTCUSD", "quotes X:BTCUSD", "bars X:BCDUSD"]
    assert {row.symbol for row in crypto.rows} == {"X:BTCUSD", "X:BCDUSD"}
    assert crypto.rows[0].size == 0.01616617


def test_a_wrong_key_is_final(shared):
    found = played(shared, "ws_auth_failed", "stocks")

    assert isinstance(found.signals[-1], Problem)
    assert found.signals[-1].remedy is Remedy.FINAL


@pytest.mark.parametrize(
    ("market", "topic", "name"),
    [
        ("stocks", Topic("trades", "BRK.B"), "T.BRK.B"),
        ("stocks", Topic("imbalances", "NTEST.Q"), "NOI.NTEST.Q"),
        ("stocks", Topic("bars", "*"), "AM.*"),
        ("crypto", Topic("trades", "X:DOGEUSD"), "XT.DOGE-USD"),
        ("forex", Topic("quotes", "C:EURUSD"), "C.EUR-USD"),
        ("indices", Topic("values", "I:SPX"), "V.I:SPX"),
    ],
)
def test_topics_are_written_and_recognised(market, topic, name):
    dialect = PolygonDialect("wss://none", KEY, market)

    (sent,) = dialect.subscribe([topic])
    answer = json.dumps(
        [{"ev": "status", "status": "success", "message": f"subscribed to: {name}"}]
    )
    (raw,) = dialect.decode(answer.encode())

    assert json.loads(sent)["params"] == name
    assert dialect.understand(raw).topics == (topic,)


def test_statuses_say_what_helps():
    dialect = PolygonDialect("wss://none", KEY, "stocks")

    def hear(status):
        (raw,) = dialect.decode(json.dumps([{"ev": "status", "status": status}]).encode())
        return dialect.understand(raw)

    assert hear("max_connections").remedy is Remedy.SLOWLY
    assert hear("slow_consumer").remedy is Remedy.RETRY
    assert isinstance(hear("error"), Refused)
    assert hear("something new") is None


def test_times_of_price_bands_are_told_by_their_length():
    dialect = PolygonDialect("wss://none", KEY, "stocks")
    times = [1764086430905, 1764086430905642, 1764086430905642800]
    rows = [{"ev": "LULD", "T": "IWM", "h": 2.0, "l": 1.0, "i": [16], "t": t} for t in times]
    found = play(dialect, [{"dir": "recv", "data": json.dumps(rows)}]).rows

    assert {row.time_ns // 1_000_000 for row in found} == {1764086430905}


def test_every_market_has_its_tickers():
    assert [market_of(t) for t in ("AAPL", "O:A", "C:EURUSD", "X:BTCUSD", "I:SPX")] == list(MARKETS)
