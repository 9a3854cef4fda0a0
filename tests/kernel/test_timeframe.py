"""How long bars are: every vendor understands the same words."""

from datetime import timedelta

import pytest

from sentio_async import errors
from sentio_async.connectors.alpaca.wire.data_api import write_timeframe
from sentio_async.connectors.polygon.wire.aggregates import step_name
from sentio_async.models.timeframe import Timeframe

SAME = {
    "5Min": ("5Min", "5m", "5 minutes", "5T", " 5min "),
    "1Hour": ("1Hour", "h", "H", "1hour"),
    "1Day": ("1Day", "1d", "D", "day"),
    "1Week": ("1Week", "w", "1wk"),
    "3Month": ("3Month", "3M", "3mo", "3 months"),
}


@pytest.mark.parametrize(
    ("name", "text"), [(n, text) for n, texts in SAME.items() for text in texts]
)
def test_each_spelling_is_the_same_for_everybody(name, text):
    assert str(Timeframe.read(text)) == write_timeframe(text) == step_name(text) == name


@pytest.mark.parametrize(
    "text", ["", "5", "0Min", "-1Day", "1Fortnight", "1.5Hour", "5Min\n5", "9" * 5000 + "m", None]
)
@pytest.mark.parametrize("read", [Timeframe.read, write_timeframe, step_name])
def test_what_is_none_is_not_guessed(read, text):
    with pytest.raises(errors.InvalidRequestError, match="timeframe"):
        read(text)


@pytest.mark.parametrize("text", ["1Sec", "60Min", "2Day", "1Quarter", "5Month"])
def test_what_a_vendor_lacks_is_refused_by_the_vendor(text):
    assert str(Timeframe.read(text)) == text
    with pytest.raises(errors.InvalidRequestError, match="1-59Min"):
        write_timeframe(text)


def test_it_reaches_over_nights_and_no_further_than_time_goes():
    assert Timeframe(1, "Day").reach(10) == timedelta(days=65)
    assert Timeframe(1, "Year").reach(10**12) == timedelta.max
