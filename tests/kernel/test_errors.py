"""The error tree is what its page says, and an error survives every journey."""

import ast
import builtins
import copy
import inspect
import pickle
import re
from pathlib import Path

import pytest

from sentio_async import errors
from sentio_async.errors import AttemptRecord, Outcome

CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, errors.ConnectorError)
}
ARGUMENTS = {
    errors.MissingExtraError: ("the command line", "cli"),
    errors.UnknownWordError: ("status", "levitating"),
}


def an_error(kind, **known):
    return kind(*ARGUMENTS.get(kind, ("something happened",)), **known)


def drawn_tree():
    """Parent by class, from the drawing at the top of the module."""
    parents, path = {}, []
    for line in errors.__doc__.splitlines():
        found = re.match(r"^([│├└─ ]*)([A-Z]\w+Error) ", line)
        if found:
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            parents[found[2]] = path[depth - 1] if depth else None
    return parents


def test_the_tree_is_as_drawn():
    drawn = drawn_tree()

    assert set(drawn) == set(CLASSES)
    for name, parent in drawn.items():
        bases = [base.__name__ for base in CLASSES[name].__bases__ if base in CLASSES.values()]
        assert bases == ([parent] if parent else []), name


def test_the_builtins_that_the_drawing_names_catch_them():
    for line in errors.__doc__.splitlines():
        name = next((each for each in CLASSES if f" {each} " in f" {line} "), None)
        if name and "the builtin too" in line:
            assert issubclass(CLASSES[name], getattr(builtins, name))
    assert issubclass(errors.DeadlineExceededError, TimeoutError)
    assert issubclass(errors.InvalidRequestError, ValueError)
    assert issubclass(errors.NotFoundError, LookupError)
    assert issubclass(errors.MissingExtraError, ImportError)
    assert issubclass(errors.NotSupportedError, NotImplementedError)


def test_every_class_is_public_and_explained():
    assert set(CLASSES) <= set(errors.__all__)
    assert all(kind.__doc__ for kind in CLASSES.values())


OUTCOMES = {
    Outcome.NOT_SENT: (
        "ConfigurationError MissingExtraError RetiredError InvalidRequestError NotSupportedError "
        "CertificateError CircuitOpenError TradingHaltedError OrderLimitError NoOrderUpdatesError"
    ),
    Outcome.REFUSED: (
        "SymbolNotFoundError APIError AuthenticationError PermissionError NotFoundError "
        "BadRequestError OrderRejectedError ConflictError RateLimitError"
    ),
    Outcome.UNKNOWN: (
        "ConnectionError DeadlineExceededError DecodeError UnknownWordError ResponseTooLargeError "
        "OutcomeUnknownError OrderOutcomeUnknownError ServerError"
    ),
    None: "ConnectorError StaleDataError",
}


def test_each_class_knows_what_it_means_for_the_request():
    told = {name: outcome for outcome, names in OUTCOMES.items() for name in names.split()}

    assert set(told) == set(CLASSES)
    for name, kind in CLASSES.items():
        assert an_error(kind).outcome is told[name], name
        assert an_error(kind, outcome=Outcome.UNKNOWN).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_survives_a_pickle(name, protocol):
    error = a_full_error(CLASSES[name])

    assert_same(pickle.loads(pickle.dumps(error, protocol)), error)


@pytest.mark.parametrize("name", CLASSES)
def test_it_survives_a_copy(name):
    error = a_full_error(CLASSES[name])

    assert_same(copy.copy(error), error)
    assert_same(copy.deepcopy(error), error)


def a_full_error(kind):
    tries = (AttemptRecord(1, "ServerError", Outcome.UNKNOWN, 0.1, 0.5),)
    known = {"connector": "alpaca", "operation": "GET /v2/x", "attempts": tries, "elapsed": 0.6}
    if issubclass(kind, errors.APIError):
        known |= {"status_code": 418, "code": 7, "request_id": "r", "body": "b"}
        known["details"] = {"a": 1}
    if issubclass(kind, errors.RateLimitError):
        known |= {"retry_after": 2.5, "scope": "orders"}
    error = an_error(kind, request="GET https://x", phase="read", **known)
    error.is_permanent = True
    error.add_note("first note")
    error.add_note("second note")
    return error


def assert_same(other, error):
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert other.args == error.args
    assert other.__notes__ == ["first note", "second note"]
    assert {**vars(other), "response": None} == {**vars(error), "response": None}


def test_a_raw_response_does_not_travel():
    error = errors.APIError("no", response=object())

    assert pickle.loads(pickle.dumps(error)).response is None
    assert error.response is not None


def test_its_text_says_who_and_where_first():
    assert str(errors.ServerError("failed", connector="alpaca", operation="GET /x")) == (
        "alpaca GET /x: failed"
    )
    assert str(errors.ServerError("failed", connector="alpaca")) == "alpaca: failed"
    assert str(errors.ServerError("failed")) == "failed"
    assert str(errors.MissingExtraError("bars", "parquet")) == (
        "bars needs the extra 'parquet': pip install 'sentio-async[parquet]'"
    )


def test_a_misspelt_detail_is_refused():
    with pytest.raises(TypeError, match="retry_afer"):
        errors.RateLimitError("slow down", retry_afer=1)


def test_every_message_of_the_library_begins_in_lower_case_and_has_no_full_stop():
    package = Path(errors.__file__).parent
    odd = []
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            text = message_of(node)
            if text and ((text[:2].istitle() and text[1:2].islower()) or text.endswith(".")):
                odd.append(f"{path.relative_to(package)}: {text}")

    assert not [each for each in odd if not re.search(r": (Alpaca|TD|IEX|Polygon|Slack)", each)]


def message_of(node):
    """The literal message of ``errors.SomethingError("...")``."""
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    if not (is_call and node.func.attr in CLASSES and node.args):
        return None
    first = node.args[0]
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
