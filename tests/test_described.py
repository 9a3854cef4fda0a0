"""The reader of vendors' descriptions finds what is wrong, and only that."""

import json

import pytest

from described import Description

ORDER = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "qty": {"type": "string", "nullable": True},
        "side": {"$ref": "#/components/schemas/Side"},
        "legs": {
            "type": "array",
            "nullable": True,
            "items": {"$ref": "#/components/schemas/Order"},
        },
        "at": {"oneOf": [{"type": "string", "format": f} for f in ("date", "date-time")]},
        "type": {"type": "string"},
    },
}


def a_query(name, schema, **more):
    return {"in": "query", "name": name, "schema": schema, **more}


def a_description():
    orders = {
        "get": {
            "parameters": [
                a_query("limit", {"type": "integer", "minimum": 1, "maximum": 500}),
                a_query("side", {"$ref": "#/components/schemas/Side"}),
                a_query("nested", {"type": "boolean"}),
                a_query("timestamp.gte", {"type": "string", "pattern": r"^\d+$"}),
                {"$ref": "#/components/parameters/kinds"},
                a_query("start", {"type": "string", "format": "date-time"}),
                a_query("on", {"oneOf": ORDER["properties"]["at"]["oneOf"]}),
            ],
            "responses": {
                "200": {
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "array",
                                "items": {"$ref": "#/components/schemas/Order"},
                            }
                        }
                    }
                }
            },
        },
        "post": {
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "allOf": [
                                {
                                    "required": ["symbol"],
                                    "properties": {"symbol": {"minLength": 1}},
                                },
                                {"properties": {"side": {"$ref": "#/components/schemas/Side"}}},
                            ]
                        }
                    }
                },
            },
            "responses": {"default": {"description": "whatever"}},
        },
    }
    one = {"parameters": [{"in": "path", "name": "id", "required": True, "schema": {}}]}
    empty = {"responses": {"204": {"description": "done"}}}
    return Description(
        {
            "paths": {
                "/orders": orders,
                "/orders/{id}": {**one, "get": empty, "delete": empty},
                "/orders/all": {
                    "get": {**empty, "parameters": [a_query("deep", {}, required=True)]}
                },
                "/orders:by_id": {"get": empty},
                "/trades/{stock}": {"get": {**empty, "parameters": [a_query("tape", {})]}},
                "/trades/{coin}": {"get": {**empty, "parameters": [a_query("taker", {})]}},
                "/bars/{coin}": {"get": empty},
            },
            "components": {
                "parameters": {
                    "kinds": a_query(
                        "kinds",
                        {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
                        explode=False,
                    )
                },
                "schemas": {"Side": {"type": "string", "enum": ["buy", "sell"]}, "Order": ORDER},
            },
        }
    )


@pytest.mark.parametrize(
    ("method", "path", "template"),
    [
        ("GET", "/orders", "/orders"),
        ("GET", "/orders/5", "/orders/{id}"),
        ("GET", "/orders/all", "/orders/all"),
        ("DELETE", "/orders/all", "/orders/{id}"),
        ("GET", "/orders:by_id", "/orders:by_id"),
        ("GET", "/orders/{id}", "/orders/{id}"),
        ("GET", "/bars/BTC%2FUSD", "/bars/{coin}"),
        ("GET", "/bars/BTC/USD", None),
        ("PUT", "/orders", None),
    ],
)
def test_a_path_finds_its_template_and_literal_segments_win(method, path, template):
    assert a_description().find(method, path) == template


def test_operations_are_listed():
    assert ("POST", "/orders") in a_description().operations()
    assert len(a_description().operations()) == 9


@pytest.mark.parametrize(
    "target",
    [
        "/orders",
        "/orders?limit=500&side=buy&nested=true",
        "/orders?timestamp.gte=15&kinds=a,b",
        "/orders?kinds=a",
        "/orders?start=2026-01-02&on=2026-01-02",
        "/orders?start=2026-01-02T03:04:05.123456789Z&on=2026-01-02T03:04:05Z",
        "/trades/AAPL?tape=A",
        "/trades/AAPL?taker=B",
    ],
)
def test_a_good_request_passes(target):
    assert a_description().check_request("GET", target) == []


@pytest.mark.parametrize(
    ("target", "wrong"),
    [
        ("/orders?limt=5", "query limt: unknown"),
        ("/orders?limit=501", "query limit: 501 is greater"),
        ("/orders?limit=x", "query limit: 'x' is not of type 'integer'"),
        ("/orders?side=hold", "query side: 'hold' is not one of"),
        ("/orders?nested=True", "query nested: 'True' is not of type 'boolean'"),
        ("/orders?timestamp.gte=now", "query timestamp.gte: 'now' does not match"),
        ("/orders?kinds=a,c", "query kinds[1]: 'c' is not one of"),
        ("/orders?start=yesterday", "query start: 'yesterday' is not a 'date-time'"),
        ("/orders/all", "query deep: missing"),
        ("/nowhere", "GET /nowhere: not described"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(target, wrong):
    (found,) = a_description().check_request("GET", target)

    assert found.startswith(wrong)


def test_a_query_known_to_the_caller_passes():
    assert a_description().check_request("GET", "/orders?cursor=x", known={"cursor"}) == []


def test_a_body_is_checked():
    described = a_description()

    assert described.check_request("POST", "/orders", b'{"symbol": "A", "more": 1}') == []
    assert described.check_request("POST", "/orders") == ["body: missing"]
    assert len(described.check_request("POST", "/orders", b'{"side": "hold"}')) == 2
    assert described.check_request("GET", "/orders", b"{}") == ["body: none is described"]


def test_an_answer_is_checked_with_its_nulls_references_and_formats():
    uuid = "904837e3-3b76-47ec-b432-046db621571b"
    good = {"id": uuid, "qty": None, "side": "buy", "legs": [{"id": uuid, "legs": None}]}
    described = a_description()

    assert described.check_answer("GET", "/orders", 200, json.dumps([good]).encode()) == []
    assert described.check_answer("GET", "/orders", 200, [{**good, "at": "2026-01-02"}]) == []
    for bad in ({"id": None}, {"side": None}, {"legs": [{}]}, {"at": "noon"}, {"type": 1}):
        assert described.check_answer("GET", "/orders", 200, [{**good, **bad}]), bad
    assert described.check_answer("GET", "/orders", 404, b"{}") == ["status 404: not described"]
    assert described.check_answer("DELETE", "/orders/5", 204, b"") == []
    assert described.check_answer("POST", "/orders", 500, b"?") == []


@pytest.mark.parametrize("name", ["alpaca-trading", "alpaca-market-data", "massive"])
def test_the_real_descriptions_are_read(shared, name):
    described = Description.load(shared, f"{name}.json")

    for method, template in described.operations():
        assert described.find(method, template) == template
    assert Description.load(shared, f"{name}.json") is described
