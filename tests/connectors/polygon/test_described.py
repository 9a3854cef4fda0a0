"""Every request is one that Massive's own description allows; the page says what is missing."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from connectors.polygon.calls import every_call
from described import Description
from sentio_async.connectors.polygon.wire import api

PAGE = Path(__file__).parents[3] / "docs" / "connectors" / "polygon.md"
BEGIN = "<!-- paths: made by tests/connectors/polygon/test_described.py -->"
END = "<!-- end of paths -->"
CALLS = dict(every_call())
# Families that are products of their own; they do not count.
ASIDE = {
    "/benzinga/": "Benzinga's ratings, earnings and news: a partner's product, sold apart",
    "/consumer-spending/": "consumer spending: a partner's product, sold apart",
    "/etf-global/": "ETF Global: a partner's product, sold apart",
    "/tmx/": "TMX corporate events: a partner's product, sold apart",
    "/fed/": "economic series of the Federal Reserve: no instrument of any market",
    "/futures/": "futures: a market of its own, with its own shapes, not offered yet",
    "/stocks/filings/": "SEC filings: texts, not market data; most paths are experimental",
    "/stocks/taxonomies/": "how filings are classified: goes with the filings",
}
LEFT_OUT = {
    "/v1/historic/": "replaced by `/v3/trades` and `/v3/quotes`",
    "/v2/ticks/": "replaced by `/v3/trades` and `/v3/quotes`",
    "/stocks/dev/": "the vendor's trial of a path to come; `/v3/trades` gives the same",
}


@pytest.fixture(scope="module")
def described(shared):
    return Description.load(shared, "massive.json")


@pytest.mark.parametrize("name", CALLS)
def test_every_request_is_as_described(described, name):
    call = CALLS[name]

    assert described.check_request(call.endpoint.method, call.target, call.body) == []


def test_every_endpoint_has_a_request_that_is_checked():
    assert {call.endpoint.name for call in CALLS.values()} == {e.name for e in api.endpoints}


def test_no_two_calls_share_a_name():
    assert max(Counter(endpoint.name for endpoint in api.endpoints).values()) == 1


def test_no_request_carries_a_key():
    assert not [call.target for call in CALLS.values() if "apikey" in call.target.lower()]


def test_at_least_four_fifths_of_the_paths_are_supported(described):
    counted = [path for path in paths(described) if not path.startswith(tuple(ASIDE))]
    supported = supported_by(described)

    assert len([path for path in counted if path in supported]) >= 0.8 * len(counted)


def test_the_page_says_which_paths_are_supported(described):
    found = re.search(f"{re.escape(BEGIN)}\n(.*?){re.escape(END)}", PAGE.read_text(), re.DOTALL)

    assert found is not None
    assert found[1] == table(described)


def paths(described):
    return sorted({path for _, path in described.operations()})


def supported_by(described):
    """The path templates that some checked call asks, with what the call is for.

    Templates that differ in the name of a parameter only, as ``/v3/trades/{stockTicker}`` and
    ``{cryptoTicker}`` do, are one endpoint here.
    """
    calls = {}
    for call in CALLS.values():
        template = described.find(call.endpoint.method, call.path)
        for path in paths(described):
            if shape(path) == shape(template):
                calls.setdefault(path, call.endpoint)
    return calls


def shape(path):
    return re.sub(r"\{[^}]*\}", "{}", path)


def reason(path):
    every = {**ASIDE, **LEFT_OUT}
    return next(why for start, why in every.items() if path.startswith(start))


def table(described):
    """The table of the page."""
    supported = supported_by(described)
    counted = [path for path in paths(described) if not path.startswith(tuple(ASIDE))]
    have = sum(path in supported for path in counted)
    everything = len(paths(described))
    figures = f"{have} of {len(counted)} paths are supported"
    rows = [
        f"{figures}, products of their own aside; {len(supported)} of {everything} in all.",
        "",
        "| Path | Supported | What it gives, or why not |",
        "|---|---|---|",
    ]
    for path in paths(described):
        endpoint = supported.get(path)
        what = reason(path) if endpoint is None else endpoint.summary.rstrip(".")
        rows.append(f"| `{path}` | {'no' if endpoint is None else 'yes'} | {what} |")
    return "\n".join(rows).replace("``", "`") + "\n"


if __name__ == "__main__":
    # With PYTHONPATH=tests, this file writes the table into the page.
    at = Description.load(Path(__file__).parents[4] / "shared", "massive.json")
    old = PAGE.read_text()
    start, end = old.index(BEGIN) + len(BEGIN) + 1, old.index(END)
    PAGE.write_text(old[:start] + table(at) + old[end:])
