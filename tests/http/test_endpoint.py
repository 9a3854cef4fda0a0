"""A declared call becomes exactly one request line, and nothing can leave its place in it."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentio_async import errors
from sentio_async.http.endpoint import Api, Parts, query_text
from sentio_async.resilience.limiter import Priority


class Side(StrEnum):
    BUY = "buy"


class Feed(Enum):
    SIP = "sip"


api = Api("toy", priority=Priority.ACCOUNT)


@api.get("/things/{name}/parts", returns=lambda raw, *, unit: (raw, unit))
def parts(name: str, **query) -> Parts:
    """Read the parts of a thing.

    More words.
    """
    return Parts(path={"name": name}, query=query, context={"unit": "kg"})


@api.post("/orders", returns=lambda raw: raw, bucket="orders", cost=3)
def order(fields: dict, key: str | None = None, cost: int | None = None) -> Parts:
    return Parts(json=fields, key=key, headers={"x-extra": "1"}, cost=cost)


def test_a_call_is_a_request_that_was_not_sent():
    call = parts("AAPL", limit=5)

    assert call.target == "/things/AAPL/parts?limit=5"
    assert call.body is None
    assert call.headers == {}
    assert call.read({"a": 1}) == ({"a": 1}, "kg")
    assert call.cost == 1


def test_a_body_is_json_with_exact_money():
    call = order({"qty": Decimal("0.10"), "n": 1}, key="k")

    assert call.body == b'{"qty":"0.10","n":1}'
    assert call.headers == {"x-extra": "1", "content-type": "application/json"}
    assert call.key == "k"
    assert (call.cost, order({}, cost=9).cost) == (3, 9)


def test_a_null_body_is_a_body_too():
    assert order(None).body == b"null"


@api.post(
    "/forms",
    returns=lambda raw, *, location, x_id: (raw, location, x_id),
    headers=("Location", "x-id"),
)
def form(**fields) -> Parts:
    return Parts(form=fields, headers={"x-extra": "1"})


def test_a_form_is_written_as_forms_are():
    at = datetime(2026, 11, 28, 12, tzinfo=UTC)
    call = form(to="+49 1", body="a&b=ü", media=["x/1", "y"], side=Side.BUY, at=at, n=1, none=None)

    assert call.body == (
        b"to=%2B49+1&body=a%26b%3D%C3%BC&media=x%2F1&media=y&side=buy"
        b"&at=2026-11-28T12%3A00%3A00Z&n=1"
    )
    assert call.headers == {"x-extra": "1", "content-type": "application/x-www-form-urlencoded"}
    assert form().body == b""
    with pytest.raises(errors.InvalidRequestError, match="half a character"):
        form(body="\ud800")


def test_a_reader_is_given_the_headers_that_it_reads():
    headers = {"location": "/orders/7", "x-other": "secret"}

    assert form().read({"a": 1}, headers) == ({"a": 1}, "/orders/7", None)
    assert form().read(None) == (None, None, None)


def test_an_endpoint_knows_what_it_is():
    endpoint = parts.endpoint

    assert endpoint.label == "GET /things/{name}/parts"
    assert endpoint.summary == "Read the parts of a thing."
    assert (endpoint.name, endpoint.bucket) == ("parts", "default")
    assert endpoint.repeatable
    assert endpoint.priority is Priority.ACCOUNT
    assert not order.endpoint.repeatable
    assert api.endpoints == [parts.endpoint, order.endpoint, form.endpoint]
    assert parts.__name__ == "parts"


def test_only_market_data_is_shared_between_callers():
    market = Api("market", priority=Priority.QUOTES)
    quote = market.get("/q", returns=str)(lambda: Parts())
    write = market.post("/q", returns=str)(lambda: Parts())

    assert quote.endpoint.shared
    assert not write.endpoint.shared
    assert not parts.endpoint.shared


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_what_is_not_said_of_an_endpoint_is_the_careful_choice(method):
    orders = Api("orders", priority=Priority.ORDERS)

    def build() -> Parts:
        """Do something.

        More words.
        """
        return Parts()

    bare = orders.endpoint(method, "/x", returns=str)(build).endpoint
    known = {
        "bucket": "slow",
        "cost": 3,
        "priority": Priority.HISTORY,
        "repeatable": True,
        "shared": True,
        "max_body": 9,
        "authenticated": False,
    }
    full = orders.endpoint(method, "/y", returns=str, accepts=(404,), **known)(build).endpoint

    assert bare.repeatable is (method in ("GET", "HEAD"))
    assert (bare.bucket, bare.cost, bare.priority) == ("default", 1, Priority.ORDERS)
    assert bare.accepts == {200, 201, 202, 204}
    assert (bare.shared, bare.max_body, bare.authenticated) == (False, None, True)
    assert (bare.name, bare.method, bare.summary) == ("build", method, "Do something.")
    assert {name: getattr(full, name) for name in known} == known
    assert full.accepts == {404}
    assert orders.endpoints == [bare, full]


def test_a_call_can_be_made_at_another_place():
    call = order({"n": 1}, key="k")

    there = call.at("/elsewhere", "a=1")
    assert (there.path, there.query, there.target) == ("/elsewhere", "a=1", "/elsewhere?a=1")
    assert (there.at("/x", "").target, there.at("/x", "").query) == ("/x", "")
    assert (there.body, there.key, there.endpoint) == (call.body, "k", call.endpoint)


def test_a_secret_in_a_path_is_left_by_its_name_for_who_knows_it():
    secret = Api("secret", secrets=("token",))
    ask = secret.get("/bot{token}/a/{name}/b{token}", returns=str)(
        lambda name: Parts(path={"name": name})
    )

    assert ask("{token}").target == "/bot{token}/a/%7Btoken%7D/b{token}"


def test_a_misspelt_option_is_refused():
    with pytest.raises(TypeError, match="buckett"):
        api.get("/x", returns=str, buckett="orders")(lambda: Parts())


def test_what_the_path_names_must_be_given():
    odd = Api("odd").get("/x/{a}/{b}", returns=str)(lambda **path: Parts(path=path))

    assert odd(a="1", b="2").path == "/x/1/2"
    with pytest.raises(TypeError, match="needs a, b"):
        odd(a="1")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("BTC/USD", "BTC%2FUSD"),
        ("O:AAPL230616C00150000", "O:AAPL230616C00150000"),
        ("a b", "a%20b"),
        ("a?b#c", "a%3Fb%23c"),
        ("100%", "100%25"),
        ("%2e%2e", "%252e%252e"),
        ("..a", "..a"),
        ("ü", "%C3%BC"),
        ("a\\b", "a%5Cb"),
        ("{name}", "%7Bname%7D"),
    ],
)
def test_a_segment_stays_one(name, written):
    assert parts(name).path == f"/things/{written}/parts"


@pytest.mark.parametrize("name", ["", ".", "..", "a\nb", "a\r\nHost: x", "\x00"])
def test_what_would_be_another_path_is_refused(name):
    with pytest.raises(errors.InvalidRequestError, match="name"):
        parts(name)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=20))
def test_no_text_leaves_its_segment(name):
    try:
        path = parts(name).path
    except errors.InvalidRequestError:
        return

    assert path.isascii()
    assert path.count("/") == 3
    assert not set("?# \r\n\\") & set(path)
    assert path.split("/")[2] not in (".", "..")


AT = datetime(2025, 3, 1, 9, 30, 0, 123456, tzinfo=timezone(timedelta(hours=-5)))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, ""),
        (True, "a=true"),
        (False, "a=false"),
        (0, "a=0"),
        (Decimal("1E+3"), "a=1000"),
        (Decimal("0.10"), "a=0.10"),
        (Side.BUY, "a=buy"),
        (Feed.SIP, "a=sip"),
        (date(2025, 3, 1), "a=2025-03-01"),
        (AT, "a=2025-03-01T14:30:00.123456Z"),
        (datetime(2025, 3, 1, tzinfo=UTC), "a=2025-03-01T00:00:00Z"),
        (["AAPL", "BRK.B", "BTC/USD"], "a=AAPL,BRK.B,BTC/USD"),
        ((n for n in (1, 2)), "a=1,2"),
        ([], "a="),
        ("a&b=c d+e", "a=a%26b%3Dc%20d%2Be"),
    ],
)
def test_a_query_is_written_as_vendors_read_it(value, written):
    assert query_text({"a": value}) == written


def test_a_query_keeps_its_order_and_encodes_names():
    assert query_text({"b": 1, "a": 2, "x.gte": 3, "y&": 4}) == "b=1&a=2&x.gte=3&y%26=4"


def test_a_time_without_a_zone_is_not_guessed():
    with pytest.raises(errors.InvalidRequestError, match="zone"):
        query_text({"a": datetime(2025, 3, 1)})
    with pytest.raises(TypeError, match="float"):
        query_text({"a": 1.5})


def test_calls_that_ask_the_same_have_one_identity():
    assert parts("A", limit=1).identity == parts("A", limit=1).identity
    assert parts("A", limit=1).identity != parts("A", limit=2).identity
    assert order({"a": 1}).identity != order({"a": 2}).identity


def test_a_call_does_not_show_what_it_carries():
    assert repr(parts("secret", key="secret")) == "<Call GET /things/{name}/parts>"


def test_half_a_character_is_refused_before_it_is_sent():
    for build in (lambda: parts("A", b="\ud800"), lambda: order({"symbol": "\ud800"})):
        with pytest.raises(errors.InvalidRequestError, match="half a character"):
            build()
