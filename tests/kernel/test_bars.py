"""Bars by column: all columns say the same number of bars, and whose they are."""

import pytest

from sentio_async.models import Bar, Bars


def a_bar(time_ns, **changes):
    return Bar("AAPL", time_ns, "toy", 1.0, 3.0, 0.5, 2.0, 10.0, **changes)


def some_bars(count=5):
    return Bars.of("AAPL", [a_bar(n, trade_count=n) for n in range(count)], provider="toy")


def test_what_is_no_bar_leaves_the_columns_as_they_were():
    bars = some_bars(2)

    for bad in ((0, 1, "2", 3, 4, 5), (2**63, 1, 2, 3, 4, 5), (0, 1, 2, 3, 4, None)):
        with pytest.raises((TypeError, OverflowError)):
            bars.append(*bad)
    assert {len(values) for values in bars.to_columns().values()} == {2}
    assert bars == some_bars(2)


def test_bars_of_which_one_is_late_are_late_and_of_the_feed_of_their_rows():
    bars = Bars.of("AAPL", [a_bar(0), a_bar(1, feed="iex", is_delayed=True)], provider="toy")

    assert (bars.feed, bars.is_delayed) == ("iex", True)
    assert not some_bars().is_delayed


@pytest.mark.parametrize("column", ["times_ns", "close", "vwap", "trade_count"])
def test_while_others_look_at_a_column_all_stay_as_they_are(column):
    bars, more = some_bars(2), some_bars(3)

    with memoryview(getattr(bars, column)):
        for add in (
            lambda: bars.append(0, 1, 2, 3, 4, 5),
            lambda: bars.extend(more),
            lambda: bars.add_columns(more.to_columns()),
        ):
            with pytest.raises(BufferError):
                add()
            assert bars == some_bars(2)
    bars.extend(more)
    assert len(bars) == 5
