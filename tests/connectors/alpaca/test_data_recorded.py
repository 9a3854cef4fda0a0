"""Every recorded answer of Alpaca's market-data API is read by its endpoint."""

import json
import re
from pathlib import Path

import pytest

from connectors.alpaca.data_calls import every_call
from sentio_async import errors
from sentio_async.connectors.alpaca.wire.data_api import api
from sentio_async.connectors.alpaca.wire.data_problems import read_data_problem
from sentio_async.http.wire_json import decode_json
from sentio_async.models import Bars, Batch, Page, Rows

MANIFEST = Path(__file__).parents[4] / "shared" / "payloads" / "alpaca_data" / "manifest.json"
STREAM = "frames of the data stream: a later issue"
# What is not an answer of this API, and why it is not read here.
NOT_COVERED = {
    "ws_stocks_basic.json": STREAM,
    "ws_stocks_bars_status.json": STREAM,
    "ws_minute_bars.json": STREAM,
    "ws_crypto_bar.json": STREAM,
    "ws_news.json": STREAM,
    "ws_errors_all.json": STREAM,
    "ws_msgpack_stocks.json": STREAM,
}
# Recordings that say "nothing", and so are read as nothing.
EMPTY = {"rest_bars_empty.json", "rest_latest_trade_not_found.json", "rest_snapshots_empty.json"}


def entries(kind):
    if not MANIFEST.is_file():
        reason = "no ../shared: recorded payloads are not at hand"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason))]
    rows = json.loads(MANIFEST.read_bytes())["entries"]
    rows = [row for row in rows if row["kind"] == kind and row["file"] not in NOT_COVERED]
    return [pytest.param(row, id=row["file"]) for row in rows]


def call_for(row):
    """The declared call of a recorded answer's path."""
    path = re.sub(r"^https://[^/]+", "", row["url"]).split("?")[0]
    calls = [call for _, call in every_call()]
    literal = [call for call in calls if call.endpoint.path == path]
    pattern = [
        call
        for call in calls
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", call.endpoint.path), path)
    ]
    assert literal or pattern, f"no endpoint for {path}"
    return (literal or pattern)[0]


def rows_in(value):
    """How many rows were read, and that none was skipped."""
    match value:
        case Page():
            return rows_in(value.items)
        case Batch():
            assert value.is_complete
            return len(value)
        case dict():
            return sum(map(rows_in, value.values()))
        case Bars():
            return len(value)
        case Rows():
            assert value.skipped == ()
            return len(value)
        case list() | tuple():
            return len(value)
    return len(value.gainers) + len(value.losers)


def rows_sent(raw):
    """How many rows an answer has: what has a time, a symbol or an id of its own."""
    if isinstance(raw, list):
        return sum(map(rows_sent, raw))
    if not isinstance(raw, dict):
        return 0
    is_row = {"t", "symbol", "id", "latestQuote", "latestTrade", "process_date"} & set(raw)
    return 1 if is_row else sum(map(rows_sent, raw.values()))


@pytest.mark.parametrize("row", entries("rest"))
def test_every_recorded_answer_is_read_to_its_last_row(row):
    call = call_for(row)
    body = (MANIFEST.parent / row["file"]).read_bytes()

    value = call.read(call.endpoint.decode(body))

    assert row["status"] in call.endpoint.accepts
    assert rows_in(value) == rows_sent(json.loads(body))
    assert (rows_in(value) == 0) == (row["file"] in EMPTY)
    if isinstance(value, Page):
        assert value.next == json.loads(body).get("next_page_token")


@pytest.mark.parametrize("row", entries("http-responses"))
def test_every_recorded_refusal_is_understood(row):
    for answer in json.loads((MANIFEST.parent / row["file"]).read_bytes()):
        body = decode_json(answer["body"].encode())

        problem = read_data_problem(answer["status"], body, api.endpoints[0])

        assert problem.message == body["message"]
        assert problem.code == body.get("code")
        if answer["status"] == 422:
            assert problem.kind is errors.PermissionError
        if answer["status"] == 400:
            assert problem.details == {"symbol": "BAD"}


def test_nothing_recorded_is_left_out_without_a_reason():
    if not MANIFEST.is_file():
        pytest.skip("no ../shared: recorded payloads are not at hand")
    rows = json.loads(MANIFEST.read_bytes())["entries"]
    kinds = {row["file"]: row["kind"] for row in rows}

    assert {file for file, kind in kinds.items() if kind == "ws-frames"} == set(NOT_COVERED)
    assert set(kinds.values()) == {"rest", "http-responses", "ws-frames"}
