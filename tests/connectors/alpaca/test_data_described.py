"""Every request for data is one that Alpaca's own description allows; the page says the rest."""

import re
from collections import Counter
from pathlib import Path

import pytest

from connectors.alpaca.data_calls import every_call
from described import Description
from sentio_async.connectors.alpaca.wire.data_api import api

PAGE = Path(__file__).parents[3] / "docs" / "connectors" / "alpaca-data.md"
BEGIN = "<!-- paths: made by tests/connectors/alpaca/test_data_described.py -->"
END = "<!-- end of paths -->"
CALLS = dict(every_call())
LEFT_OUT = {"/v1beta1/logos/{symbol}": "an image, which is no market data"}


@pytest.fixture(scope="module")
def described(shared):
    return Description.load(shared, "alpaca-market-data.json")


@pytest.mark.parametrize("name", CALLS)
def test_every_request_for_data_is_as_described(described, name):
    call = CALLS[name]

    assert described.check_request(call.endpoint.method, call.target, call.body) == []


def test_every_endpoint_has_a_request_that_is_checked():
    checked = {call.endpoint.name for call in CALLS.values()}

    assert checked == {endpoint.name for endpoint in api.endpoints}


def test_no_two_calls_share_a_name():
    assert max(Counter(endpoint.name for endpoint in api.endpoints).values()) == 1


def test_every_path_is_supported_or_has_its_reason(described):
    missing = {path for _, path in described.operations()} - set(supported_by(described))

    assert missing == set(LEFT_OUT)
    assert len(missing) <= 0.1 * len(described.operations())


def test_the_page_says_which_paths_are_supported(described):
    text = PAGE.read_text()
    found = re.search(f"{re.escape(BEGIN)}\n(.*?){re.escape(END)}", text, re.DOTALL)

    assert found is not None
    assert found[1] == table(described)


def supported_by(described):
    """The endpoints by path template of the description."""
    calls = {}
    for call in CALLS.values():
        template = described.find(call.endpoint.method, call.path)
        calls.setdefault(template, []).append(call.endpoint)
    return calls


def table(described):
    """The table of the page."""
    supported = supported_by(described)
    paths = sorted(path for _, path in described.operations())
    rows = []
    for path in paths:
        endpoints = supported.get(path)
        if endpoints is None:
            rows.append(f"| `GET {path}` | no | {LEFT_OUT[path]} |")
            continue
        what = "; ".join(dict.fromkeys(e.summary.rstrip(".") for e in endpoints))
        rows.append(f"| `GET {path}` | yes | {what.replace('``', '`')} |")
    return (
        f"{len(supported)} of {len(paths)} paths are supported.\n\n"
        "| Path | Supported | What it gives, or why not |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    )


if __name__ == "__main__":
    # With PYTHONPATH=tests, this file writes the table into the page.
    at = Description.load(Path(__file__).parents[4] / "shared", "alpaca-market-data.json")
    old = PAGE.read_text()
    start, end = old.index(BEGIN) + len(BEGIN) + 1, old.index(END)
    PAGE.write_text(old[:start] + table(at) + old[end:])
