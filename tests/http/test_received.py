"""When values came, and what of them could not be read."""

from datetime import UTC, datetime

import pytest

from sentio_async import errors
from sentio_async.http.received import note_arrival, skipped_rows
from sentio_async.models import Bars, Batch, Page, Quote, Rows, SkippedRow, Snapshot

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def a_quote(symbol="AAPL"):
    sides = {"bid": 1.0, "ask": 1.1, "bid_size": 1.0, "ask_size": 1.0}
    return Quote(symbol=symbol, time_ns=1, provider="test", **sides)


def test_a_latest_quote_says_when_it_came():
    alone, among, inside = a_quote(), a_quote(), a_quote()

    note_arrival(alone, AT)
    note_arrival({"AAPL": among, "NOPE": None}, AT)
    note_arrival(Snapshot(symbol="AAPL", provider="test", quote=inside), AT)

    ns = 1767323045678901000
    assert [alone.received_ns, among.received_ns, inside.received_ns] == [ns, ns, ns]


@pytest.mark.parametrize("kind", [dict, Batch])
def test_each_of_many_alike_says_when_it_came(kind):
    rows = {symbol: a_quote(symbol) for symbol in ("AAPL", "KO", "MSFT")}

    note_arrival(kind(rows), AT)
    note_arrival(kind({}), AT)

    assert [row.received_ns for row in rows.values()] == [1767323045678901000] * 3


def test_each_of_a_batch_says_when_it_came_and_an_error_does_not():
    first, last, bare = a_quote(), a_quote(), Snapshot(symbol="AAPL", provider="test")
    unknown = errors.SymbolNotFoundError("NOPE")

    note_arrival(Batch({"AAPL": first, "NOPE": unknown, "NEW": bare, "KO": last}), AT)

    assert {first.received_ns, last.received_ns} == {1767323045678901000}
    assert not hasattr(unknown, "received_ns")


@pytest.mark.parametrize("kind", [Rows, list])
def test_history_keeps_no_time_of_arrival(kind):
    row = a_quote()

    for value in (kind([row]), Page(kind([row])), Page({"AAPL": kind([row])}), Page(Rows())):
        note_arrival(value, AT)

    assert row.received_ns == 0


def test_snapshots_in_lists_and_pages_say_when_they_came():
    parts = [a_quote() for _ in range(4)]
    listed, paged, named, batched = (
        Snapshot(symbol="AAPL", provider="test", quote=part) for part in parts
    )

    note_arrival(Rows([listed]), AT)
    note_arrival(Page(Rows([paged])), AT)
    note_arrival(Page({"AAPL": named, "NOPE": errors.SymbolNotFoundError("NOPE")}), AT)
    note_arrival(Page(Batch({"AAPL": batched})), AT)

    assert {part.received_ns for part in parts} == {1767323045678901000}


def test_rows_left_out_are_found_wherever_they_are():
    skipped = SkippedRow(3, "no price")
    rows = Rows([], [skipped])
    bars = Bars("AAPL", provider="test")
    bars.skipped = (skipped,)

    assert list(skipped_rows(rows)) == [skipped]
    assert list(skipped_rows(bars)) == [skipped]
    assert list(skipped_rows(Page(rows))) == [skipped]
    assert list(skipped_rows(Page({"A": rows, "B": bars}))) == [skipped, skipped]
    assert list(skipped_rows({"A": 1})) == []
