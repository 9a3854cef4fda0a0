"""From an answer to its value, or to an error that says what is wrong with it."""

from datetime import UTC, datetime

import pytest

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.http.answer import Answer
from sentio_async.http.endpoint import Api, Parts, Problem
from sentio_async.http.redaction import Hidden
from sentio_async.http.values import value_of

NOW = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
CANARY = "canary-value-4711"


def check(raw):
    """A failure that is told in an answer of status 200."""
    if isinstance(raw, dict) and "error" in raw:
        return Problem(raw["error"], kind=errors.RateLimitError)
    return None


api = Api("toy", problem=lambda status, raw, _: raw and Problem(raw["error"]), check=check)


def asking(returns, **options):
    return api.get("/thing", returns=returns, **options)(lambda: Parts(context={"unit": "kg"}))()


def value(returns, body, status=200, **options):
    return value_of(asking(returns, **options), Answer(status, {}, body), lambda: NOW)


def given(raw, unit):
    return raw, unit


def test_a_value_is_read_from_what_came_and_no_body_is_none():
    assert value(given, b"[1]") == ([1], "kg")
    assert value(given, b"") == (None, "kg")
    assert value(given, b"[1]", 206, accepts=(206,)) == ([1], "kg")
    assert value(given, b"a,b", decode=bytes.decode) == ("a,b", "kg")


def test_what_only_a_header_says_is_read_from_it():
    def read(raw, unit, location):
        return raw, location.rpartition("/")[2]

    call = asking(read, accepts=(201,), headers=("location",))
    answer = Answer(201, {"location": "https://api.test/orders/77"}, b"")

    assert value_of(call, answer, lambda: NOW) == (None, "77")


def test_a_secret_that_a_header_repeats_is_not_in_the_error():
    hidden = Hidden(CANARY)

    def read(raw, unit, location):
        raise errors.DecodeError(f"no id in {location}")

    call = asking(read, accepts=(201,), headers=("location",))
    with pytest.raises(errors.DecodeError) as caught:
        value_of(call, Answer(201, {"location": f"/x?key={CANARY}"}, b""), lambda: NOW)

    assert hidden
    assert caught.value.message == "no id in /x?key=[secret]"
    assert CANARY not in repr(caught.value.args)


@pytest.mark.parametrize(
    "mistake", [KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError], ids=str
)
def test_an_answer_that_breaks_its_promise_is_named_and_final(mistake):
    def read(raw, unit):
        raise mistake("price")

    with pytest.raises(errors.DecodeError) as caught:
        value(read, b'{"a": 1}')

    error = caught.value
    words = f"answer is not what GET /thing promises ({mistake.__name__}: {mistake('price')})"
    assert error.message == words
    assert error.is_permanent
    assert error.outcome is Outcome.UNKNOWN
    assert isinstance(error.__cause__, mistake)
    assert error.__notes__ == ['status 200, 8 bytes: {"a": 1}']


def test_another_mistake_is_not_taken_for_the_vendors():
    def read(raw, unit):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        value(read, b"{}")


@pytest.mark.parametrize("body", [b"\xff\xfe\x00", b"{", b"<html>", b'{"a": \xff}'])
def test_what_is_no_json_may_be_asked_for_again_and_is_shown(body):
    with pytest.raises(errors.DecodeError) as caught:
        value(given, body)

    assert not caught.value.is_permanent
    assert caught.value.outcome is Outcome.UNKNOWN
    shown = body.decode("utf-8", "replace")
    assert caught.value.__notes__[-1] == f"status 200, {len(body)} bytes: {shown}"


def test_of_a_long_answer_the_beginning_is_shown_without_secrets():
    hidden = Hidden(CANARY)
    with pytest.raises(errors.DecodeError) as caught:
        value(given, f"{CANARY} {'x' * 900}".encode())

    (note,) = (note for note in caught.value.__notes__ if note.startswith("status"))
    assert note == f"status 200, {len(CANARY) + 901} bytes: [secret] {'x' * (199 - len(CANARY))}"
    del hidden


@pytest.mark.parametrize("body", [b"\xff\xfe", b"", b"<html>no</html>"])
def test_a_refusal_needs_no_body_that_can_be_read(body):
    with pytest.raises(errors.PermissionError, match="answered 403") as caught:
        value(given, body, 403)

    assert caught.value.body == body.decode("utf-8", "replace")


def test_a_status_that_is_not_accepted_is_an_error_even_of_success():
    with pytest.raises(errors.APIError, match="odd") as caught:
        value(given, b'{"error": "odd"}', 207)

    assert (caught.value.status_code, caught.value.outcome) == (207, Outcome.UNKNOWN)


def test_a_failure_in_a_success_has_the_vendors_words_and_the_wait_in_them():
    with pytest.raises(errors.RateLimitError, match="slow down") as caught:
        value(given, b'{"error": "slow down", "retry_after": 7}')

    assert (caught.value.status_code, caught.value.retry_after) == (200, 7.0)


def test_an_error_of_the_reader_itself_is_kept_and_described():
    def read(raw, unit):
        raise errors.UnknownWordError("side", raw["side"])

    with pytest.raises(errors.UnknownWordError) as caught:
        value(read, b'{"side": "up"}')

    assert (caught.value.field, caught.value.word) == ("side", "up")
    assert caught.value.__notes__ == ['status 200, 14 bytes: {"side": "up"}']
