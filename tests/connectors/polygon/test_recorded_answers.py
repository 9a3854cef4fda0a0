"""Every recorded answer is read by the endpoint that would have asked for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.polygon.wired import asked_in, endpoint_of, named_in, plain_path, read
from sentio_async.connectors.polygon import wire
from sentio_async.http.answer import Answer
from sentio_async.http.problems import from_answer
from sentio_async.http.wire_json import decode_json
from sentio_async.models import Bars, Page

NOW = datetime(2026, 1, 2, tzinfo=UTC)
NOT_READ = {
    "rest_spec_futures_aggs.json": "futures are a family of their own, not offered yet",
    "rest_spec_futures_trades.json": "futures are a family of their own, not offered yet",
    "ws_stocks_trades.json": "streams come with a later change",
    "ws_stocks_all_events.json": "streams come with a later change",
    "ws_options.json": "streams come with a later change",
    "ws_crypto.json": "streams come with a later change",
    "ws_auth_failed.json": "streams come with a later change",
}
MISSPELT = {"rest_options_contract_one.json": {"symbol": "O:EVRI240119C00002500"}}
"""Recordings whose address lacks the colon of the ticker that they are about."""


@pytest.fixture(scope="module")
def recorded(shared: Path) -> Path:
    return shared / "payloads" / "polygon"


def entries(recorded: Path, kind: str) -> list[dict[str, Any]]:
    manifest = json.loads((recorded / "manifest.json").read_text())
    return [entry for entry in manifest["entries"] if entry["kind"] == kind]


def size_of(value: Any) -> int:
    if isinstance(value, Page):
        value = value.items
    return len(value) if isinstance(value, list | dict | Bars) else 1


def test_every_recorded_answer_is_read_or_listed_with_its_reason(recorded):
    unread = []
    for entry in entries(recorded, "rest"):
        endpoint = endpoint_of(plain_path(entry["url"]))
        if endpoint is None:
            unread.append(entry["file"])
            continue
        body = (recorded / entry["file"]).read_bytes()
        raw = json.loads(body)
        path = plain_path(entry["url"])
        # The vendor's own samples say {ticker} where theirs asked for one.
        asked = asked_in(endpoint, path) if "{" not in path else {"symbol": named_in(raw)}
        value = read(endpoint, body, **MISSPELT.get(entry["file"], asked))

        expected = rows_in(raw)
        assert size_of(value) == expected, entry["file"]
        assert not getattr(getattr(value, "items", value), "skipped", ()), entry["file"]

    assert set(unread) == {name for name in NOT_READ if name.startswith("rest_")}


def rows_in(body: Any) -> int:
    if isinstance(body, list):
        return len(body)
    rows = body.get("results", body.get("tickers"))
    if isinstance(rows, dict) and "values" in rows:
        rows = rows["values"]
    return len(rows) if isinstance(rows, list) else 1


def test_the_table_of_what_is_not_read_names_recorded_files_only(recorded):
    manifest = json.loads((recorded / "manifest.json").read_text())

    assert set(NOT_READ) <= {entry["file"] for entry in manifest["entries"]}
    assert {e["file"] for e in entries(recorded, "ws-frames")} == {
        name for name in NOT_READ if name.startswith("ws_")
    }


def test_every_recorded_refusal_says_what_the_vendor_said(recorded):
    call = wire.last.last_trade("AAPL")
    for entry in entries(recorded, "http-responses"):
        for row in json.loads((recorded / entry["file"]).read_text()):
            answer = Answer(row["status"], row["headers"], row["body"].encode())
            error = from_answer(answer, call, decode_json(answer.body), now=NOW)
            said = json.loads(row["body"])

            assert (said.get("error") or said["message"]) in str(error)
            assert error.details["request_id"] == said["request_id"]
            assert error.code == said["status"]


def test_nanoseconds_of_recorded_ticks_are_exact(recorded):
    body = (recorded / "rest_quotes_AAPL_p2.json").read_bytes()
    rows = read(endpoint_of("/v3/quotes/AAPL"), body).items
    expected = [row["sip_timestamp"] for row in msgspec.json.decode(body)["results"]]

    assert [row.time_ns for row in rows] == expected
    assert any(ns % 1000 for ns in expected)
