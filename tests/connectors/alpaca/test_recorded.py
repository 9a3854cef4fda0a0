"""Every recorded answer of Alpaca's trading API is read by its endpoint."""

import json
import re
from pathlib import Path

import pytest

from sentio_async import errors
from sentio_async.connectors.alpaca.wire.problems import read_problem
from sentio_async.connectors.alpaca.wire.trading import api
from sentio_async.http.wire_json import decode_json

MANIFEST = Path(__file__).parents[4] / "shared" / "payloads" / "alpaca" / "_manifest.json"

# What is not an answer of this API, and why it is not read here.
NOT_COVERED = {
    "ws_req_authenticate.json": "stream of order updates: a later issue",
    "ws_authorized.json": "stream of order updates: a later issue",
    "ws_unauthorized_authenticate.json": "stream of order updates: a later issue",
    "ws_req_listen.json": "stream of order updates: a later issue",
    "ws_listening.json": "stream of order updates: a later issue",
    "ws_listening_2.json": "stream of order updates: a later issue (listed, and not in the folder)",
    "ws_trade_update_fill.json": "stream of order updates: a later issue",
    "ws_trade_update_partial_fill_min.json": "stream of order updates: a later issue",
    "req_order_equity_spec.json": "a request: written, not read; see test_orders.py",
    "req_order_crypto_spec.json": "a request: written, not read; see test_orders.py",
    "req_order_option_spec.json": "a request: written, not read; see test_orders.py",
    "req_replace_equity_spec.json": "a request: written, not read; see test_orders.py",
    "req_bracket.json": "a request: written, not read; see test_orders.py",
    "req_oco.json": "a request: written, not read; see test_orders.py",
    "req_oto.json": "a request: written, not read; see test_orders.py",
    "req_trailing_stop.json": "a request: written, not read; see test_orders.py",
}
# The manifest's calls that are written in words, and what they stand for.
CALLS = {
    "GET/PATCH /v2/account/configurations": "GET /v2/account/configurations",
    "GET /v2/account/activities[/FILL]": "GET /v2/account/activities",
    "GET …&page_token=": "GET /v2/account/activities",
    "POST …/exercise": "POST /v2/positions/{contract}/exercise",
    "GET /v2/assets/{symbol} \N{MULTIPLICATION SIGN}2": "GET /v2/assets",
    "GET (any)": "GET /v2/account",
    "(any)": "GET /v2/account",
}
PATH_FIELD = re.compile(r"\{\w+\}")
DUPLICATE = {"code": 40010001, "message": "client_order_id must be unique"}
CONTEXT = {"account": {"is_paper": True}}


def entries():
    if not MANIFEST.is_file():
        reason = "no ../shared: recorded payloads are not at hand"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason))]
    rows = json.loads(MANIFEST.read_bytes())
    return [pytest.param(row, id=row["file"]) for row in rows if row["file"] not in NOT_COVERED]


def fits(template, path):
    return re.fullmatch(PATH_FIELD.sub("[^/]+", template), path)


def endpoint_of(row):
    method, path = CALLS.get(row["call"], row["call"]).split(" ", 1)
    path = path.split("?")[0]
    exact = [e for e in api.endpoints if (e.method, e.path) == (method, path)]
    fitting = exact or [
        e
        for e in api.endpoints
        if e.method == method and re.fullmatch(PATH_FIELD.sub("[^/]+", e.path), path)
    ]
    assert fitting, f"no endpoint for {row['call']}"
    return fitting[0]


@pytest.mark.parametrize("row", entries())
def test_every_recorded_answer_is_read_by_its_endpoint(row):
    endpoint = endpoint_of(row)
    body = (MANIFEST.parent / row["file"]).read_bytes()

    if row["status"] >= 400:
        problem = read_problem(row["status"], decode_json(body), endpoint)
        assert problem.message == json.loads(body)["message"]
        assert problem.code == json.loads(body)["code"]
        return
    assert row["status"] in endpoint.accepts
    raw = endpoint.decode(body)
    # Descriptions give one row where the service answers a list of them.
    answers_a_list = endpoint.returns.__annotations__["return"].startswith("Rows[")
    raw = [raw] if answers_a_list and isinstance(raw, dict) else raw
    value = endpoint.returns(raw, **CONTEXT.get(endpoint.name, {}))
    assert value is not None
    if answers_a_list:
        assert value.skipped == ()
        assert len(value) == len(raw)


def test_what_is_not_covered_is_in_the_manifest():
    if not MANIFEST.is_file():
        pytest.skip("no ../shared: recorded payloads are not at hand")
    listed = {row["file"] for row in json.loads(MANIFEST.read_bytes())}

    assert set(NOT_COVERED) <= listed


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (
            422,
            {"code": 40010001, "message": "client_order_id must be unique"},
            errors.ConflictError,
        ),
        (422, {"code": 42210000, "message": "invalid symbol"}, errors.OrderRejectedError),
        (403, {"code": 40310000, "message": "wash trade"}, errors.OrderRejectedError),
        (403, {"message": "forbidden."}, None),
        (401, {"message": "unauthorized."}, None),
        (404, {"code": 40410000, "message": "order not found"}, None),
        (504, {"code": 50410000, "message": "request timed out"}, None),
    ],
)
def test_only_a_refusal_of_the_order_itself_is_a_rejection(status, body, kind):
    place = next(e for e in api.endpoints if e.name == "place_order")

    assert read_problem(status, body, place).kind is kind


@pytest.mark.parametrize("body", [None, [], "no", {}, {"code": 1}])
def test_a_body_that_says_nothing_is_no_problem_of_alpacas(body):
    place = next(e for e in api.endpoints if e.name == "place_order")

    assert read_problem(403, body, place) is None


def test_what_alpaca_says_beside_the_message_is_kept():
    place = next(e for e in api.endpoints if e.name == "place_order")
    body = {"code": 40310000, "message": "insufficient qty", "available": "0.5", "symbol": "KO"}

    assert read_problem(403, body, place).details == {"available": "0.5", "symbol": "KO"}
