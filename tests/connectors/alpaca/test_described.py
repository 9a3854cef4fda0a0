"""Every request is one that Alpaca's own description allows, and the page says what is missing."""

import re
from collections import Counter
from pathlib import Path

import pytest

from connectors.alpaca.calls import every_call
from described import Description
from sentio_async.connectors.alpaca.wire.trading import api

PAGE = Path(__file__).parents[3] / "docs" / "connectors" / "alpaca-broker.md"
BEGIN = "<!-- paths: made by tests/connectors/alpaca/test_described.py -->"
END = "<!-- end of paths -->"
CALLS = dict(every_call())
# What is left out, by the beginning of its path, and why.
LEFT_OUT = {
    "/v2/wallets": "crypto wallets: moves funds out of the account, which trading need not",
    "/v2/perpetuals": "crypto perpetuals: wallets and leverage of a product of its own",
    "/v2/tokenization": "tokenization: for authorised participants only",
    "/v1/locates": "locates: borrowing hard-to-borrow shares, by agreement with Alpaca",
    "/v2beta1/events": "a beta stream of server-sent events, not request and answer",
}
# These do not count: they belong to other products.
ASIDE = ("/v2/wallets", "/v2/perpetuals", "/v2/tokenization", "/v1/locates")


@pytest.fixture(scope="module")
def described(shared):
    return Description.load(shared, "alpaca-trading.json")


@pytest.mark.parametrize("name", CALLS)
def test_every_request_is_as_described(described, name):
    call = CALLS[name]

    assert described.check_request(call.endpoint.method, call.target, call.body) == []


def test_every_endpoint_has_a_request_that_is_checked():
    checked = {call.endpoint.name for call in CALLS.values()}

    assert checked == {endpoint.name for endpoint in api.endpoints}


def test_no_two_calls_share_a_name():
    assert max(Counter(endpoint.name for endpoint in api.endpoints).values()) == 1


def test_at_least_nine_tenths_of_the_paths_are_supported(described):
    counted = [(m, p) for m, p in described.operations() if not p.startswith(ASIDE)]
    supported = supported_by(described)

    assert len([each for each in counted if each in supported]) >= 0.9 * len(counted)


def test_the_page_says_which_paths_are_supported(described):
    text = PAGE.read_text()
    found = re.search(f"{re.escape(BEGIN)}\n(.*?){re.escape(END)}", text, re.DOTALL)

    assert found is not None
    assert found[1] == table(described)


def supported_by(described):
    """The operations that some declared call asks, by its method and path template."""
    calls = {}
    for call in CALLS.values():
        template = described.find(call.endpoint.method, call.path)
        calls.setdefault((call.endpoint.method, template), []).append(call.endpoint)
    return calls


def reason(path):
    return next(why for start, why in LEFT_OUT.items() if path.startswith(start))


def table(described):
    """The table of the page."""
    supported = supported_by(described)
    rows = []
    for method, path in sorted(described.operations(), key=lambda each: (each[1], each[0])):
        endpoints = supported.get((method, path))
        if endpoints is None:
            rows.append(f"| `{method} {path}` | no | {reason(path)} |")
            continue
        what = "; ".join(dict.fromkeys(e.summary.rstrip(".") for e in endpoints))
        rows.append(f"| `{method} {path}` | yes | {what.replace('``', '`')} |")
    counted = [each for each in described.operations() if not each[1].startswith(ASIDE)]
    have = sum(each in supported for each in counted)
    head = (
        f"{have} of {len(counted)} operations are supported, crypto wallets, perpetuals, "
        f"tokenization and locates aside; {len(supported)} of "
        f"{len(described.operations())} in all.\n\n"
        "| Operation | Supported | What it does, or why not |\n|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


if __name__ == "__main__":
    # With PYTHONPATH=tests, this file writes the table into the page.
    at = Description.load(Path(__file__).parents[4] / "shared", "alpaca-trading.json")
    old = PAGE.read_text()
    start, end = old.index(BEGIN) + len(BEGIN) + 1, old.index(END)
    PAGE.write_text(old[:start] + table(at) + old[end:])
