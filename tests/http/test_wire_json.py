"""JSON as money needs it."""

import contextlib
import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentio_async import errors
from sentio_async.http.wire_json import decode_json, decode_without_duplicates, encode_json

BOTH = [decode_json, decode_without_duplicates]


@pytest.mark.parametrize("decode", BOTH)
@pytest.mark.parametrize(
    "text", ["0.1", "187.10", "1e-9", "1E+3", "0.1000000000000000055511151231257827", "-0.0"]
)
def test_a_number_with_a_point_is_exactly_what_was_written(decode, text):
    value = decode(text.encode())

    assert isinstance(value, Decimal)
    assert str(value) == str(Decimal(text))


@pytest.mark.parametrize("decode", BOTH)
def test_a_whole_number_is_an_int(decode):
    value = decode(b'{"t": 1700000000123456789, "n": -1, "big": 12345678901234567890123}')

    assert value["t"] == 1700000000123456789
    assert type(value["t"]) is int
    assert value["big"] == 12345678901234567890123


BAD = [
    b"",
    b" ",
    b"{",
    b'{"a": }',
    b"{} {}",
    b"NaN",
    b"[Infinity]",
    b"[-Infinity]",
    b"nul",
    b"{'a': 1}",
    b'{"a": 1,}',
    b"\xff\xfe",
    b'"\xc3"',
    b"<html></html>",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"01",
]


@pytest.mark.parametrize("decode", BOTH)
@pytest.mark.parametrize("body", BAD, ids=lambda body: repr(body[:12]))
def test_anything_else_is_a_decode_error_that_quotes_nothing(decode, body):
    with pytest.raises(errors.DecodeError) as caught:
        decode(body)

    assert str(caught.value).startswith(f"answer of {len(body)} bytes is not readable JSON")
    assert caught.value.outcome is errors.Outcome.UNKNOWN


def test_a_member_named_twice_is_refused_where_it_matters():
    assert decode_json(b'{"a": 1, "a": 2}') == {"a": 2}
    with pytest.raises(errors.DecodeError):
        decode_without_duplicates(b'[{"a": 1, "a": 2}]')


FLAT = '"id":"x","qty":"1.5","note":"a: b, {c}","legs":null,"done":true'


@pytest.mark.parametrize(
    "twice",
    [
        '"id":"x"',
        '"id":""',
        '"id" : "other"',
        '"id":null',
        '"legs":null',
        '"legs": "now a text"',
        '"done":false',
        '"i\\u0064":"y"',
        '"id":":"',
        '"id":1',
        '"note":{}',
        '"note":{"a":1}',
        '"legs":[{"b":1,"b":2}]',
        '"new":{"b":1,"b":2}',
    ],
)
@pytest.mark.parametrize("order", ["{%s,%s}", "{%s\n,\t%s}"])
def test_no_member_is_named_twice_however_it_is_written(twice, order):
    for text in (order % (FLAT, twice), order % (twice, FLAT)):
        with pytest.raises(errors.DecodeError):
            decode_without_duplicates(text.encode())


spaces = st.sampled_from(["", " ", "\n"])
names = st.sampled_from(["a", "b", "c", "a:", '"', "\\", "d\u00e9", ""])
flat = st.one_of(names, st.none(), st.booleans(), st.integers(-3, 3), st.text(max_size=4))


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(names, flat), max_size=6), st.booleans(), st.sampled_from(["", " ", "\n"])
)
def test_the_cheap_way_says_what_the_exact_one_says(members, is_escaped, space):
    written = [
        json.dumps(name, ensure_ascii=is_escaped)
        + f"{space}:{space}"
        + json.dumps(value, ensure_ascii=is_escaped)
        for name, value in members
    ]
    body = ("{" + f"{space},".join(written) + "}").encode()
    is_once = len({name for name, _ in members}) == len(members)

    with contextlib.nullcontext() if is_once else pytest.raises(errors.DecodeError):
        value = decode_without_duplicates(body)
        assert value == dict(members)
        assert list(value) == [name for name, _ in members]


def test_an_endless_number_is_refused():
    digits = b"1" * 5000

    with pytest.raises(errors.DecodeError):
        decode_without_duplicates(digits)
    with pytest.raises(errors.DecodeError):
        decode_without_duplicates(b"0." + digits)


def test_money_is_written_as_text():
    body = encode_json({"qty": Decimal("0.10"), "n": 3, "none": None, "list": [Decimal(1)]})

    assert body == b'{"qty":"0.10","n":3,"none":null,"list":["1"]}'


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(values)
def test_what_is_written_is_read_again_by_us_and_by_others(value):
    body = encode_json(value)

    assert decode_json(body) == decode_without_duplicates(body) == json.loads(body) == value


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40))
def test_no_bytes_raise_anything_else(body):
    for decode in BOTH:
        with contextlib.suppress(errors.DecodeError):
            decode(body)


def test_what_json_has_no_word_for_is_refused():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    for value in (object(), {"x": 1j}, {(1, 2): 3}, deep):
        with pytest.raises(errors.InvalidRequestError, match="a value cannot be sent: "):
            encode_json(value)
