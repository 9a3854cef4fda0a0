"""A folder belongs to one request, which is written down and read again as it was."""

import errno
import json
from datetime import UTC, date, datetime, timedelta

import pytest

from history.books import END, START, a_request
from sentio_async import errors
from sentio_async.history import lock
from sentio_async.history.lock import LOCK, Hold
from sentio_async.history.request import check_folder

NOW = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
LATER = datetime(2024, 5, 7, tzinfo=UTC)


def begun(folder, **changes):
    """A folder in which a file is stored already, and the request it belongs to."""
    settled = a_request(**changes).settled_in(folder, NOW)
    place = folder / "symbol=A" / "part-00000.parquet"
    place.parent.mkdir()
    place.touch()
    return settled


def test_it_is_written_down_for_people_to_read(tmp_path):
    a_request(options={"adjustment": "all", "feed": None}).settled_in(tmp_path, NOW)

    text = (tmp_path / "_download.json").read_text()
    assert json.loads(text) == {
        "version": 1,
        "provider": "book",
        "timeframe": "1Min",
        "start": "2024-01-02T00:00:00+00:00",
        "end": "2024-03-02T00:00:00+00:00",
        "feed": None,
        "options": {"adjustment": "all"},
    }
    assert [place.name for place in tmp_path.iterdir()] == ["_download.json"]


@pytest.mark.parametrize("end", [END, END.replace(microsecond=7), date(2024, 3, 2), NOW])
def test_an_end_that_is_not_given_again_is_the_one_it_was_begun_with(tmp_path, end):
    assert begun(tmp_path, end=end).end == end

    again = a_request(end=None).settled_in(tmp_path, LATER)

    assert (again.end, type(again.end)) == (end, type(end))
    assert a_request(end=end).settled_in(tmp_path, LATER).end == end


def test_without_any_end_it_ends_now(tmp_path):
    assert begun(tmp_path, end=None).end == NOW
    assert a_request(end=None).settled_in(tmp_path, END).end == NOW


def test_options_are_the_same_whatever_their_order_and_however_nothing_is_said(tmp_path):
    begun(tmp_path, options={"adjustment": "all", "feed": "sip", "day": date(2024, 1, 2)})

    a_request(
        options={"feed": "sip", "day": date(2024, 1, 2), "asof": None, "adjustment": "all"}
    ).settled_in(tmp_path, NOW)


def test_what_is_different_is_named_with_both_values(tmp_path):
    begun(tmp_path, start=START)
    words = r"was begun with start '2024-01-02T00:00:00\+00:00', and '2024-01-02' is asked for"

    with pytest.raises(errors.InvalidRequestError, match=words):
        a_request(start=date(2024, 1, 2)).settled_in(tmp_path, NOW)


@pytest.mark.parametrize(
    "text", ["", "[1]", "{}", '{"end": 5}', '{"end": "soon"}', '{"end": null}']
)
def test_a_request_that_cannot_be_read_again_is_not_guessed(tmp_path, text):
    begun(tmp_path)
    (tmp_path / "_download.json").write_text(text)

    with pytest.raises(errors.InvalidRequestError, match=r"_download\.json: cannot be read"):
        a_request().settled_in(tmp_path, NOW)
    assert (tmp_path / "_download.json").read_text() == text


def test_another_versions_folder_is_not_gone_on_with(tmp_path):
    begun(tmp_path)
    place = tmp_path / "_download.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), "version": 2}))

    with pytest.raises(errors.InvalidRequestError, match="begun with version 2, and 1 is"):
        a_request().settled_in(tmp_path, NOW)


@pytest.mark.parametrize("name", ["_download.json", "._download.json.new", LOCK, "symbol=A"])
def test_what_a_download_leaves_when_it_is_killed_early_is_no_obstacle(tmp_path, name):
    (tmp_path / name).touch()

    check_folder(tmp_path)
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(errors.InvalidRequestError, match="something else"):
        check_folder(tmp_path)
    check_folder(tmp_path / "new")


@pytest.mark.parametrize("name", ["limit", "descending", "order"])
def test_an_option_that_would_leave_bars_out_is_named_unless_it_says_nothing(name):
    with pytest.raises(errors.InvalidRequestError, match=f"^{name}: a download takes all"):
        a_request(options={"feed": "sip", name: False})
    assert a_request(options={name: None}).options == {name: None}


@pytest.mark.parametrize("name", ["start", "end"])
def test_a_time_without_a_zone_is_named(name):
    with pytest.raises(errors.InvalidRequestError, match=f"^{name}: 2024-01-02T03:00:00 has no"):
        a_request(**{name: datetime(2024, 1, 2, 3)})


def test_a_folder_that_is_let_go_of_may_be_held_by_another(tmp_path):
    first, second = Hold(tmp_path / "new"), Hold(tmp_path / "new")
    first.take()
    with pytest.raises(errors.InvalidRequestError, match="another download writes into it"):
        second.take()
    second.let_go()  # which does not let go of what the first holds
    with pytest.raises(errors.InvalidRequestError):
        second.take()
    second.let_go()

    first.let_go()
    second.take()
    second.let_go()
    Hold(tmp_path).let_go()  # it was never held


def test_a_drive_that_knows_no_locks_is_used_all_the_same(tmp_path, monkeypatch):
    def refuse(_number):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock, "_lock", refuse)
    hold = Hold(tmp_path)
    hold.take()
    hold.let_go()


def test_a_folder_that_is_begun_may_hold_other_files_as_well(tmp_path):
    begun(tmp_path)
    (tmp_path / "notes.txt").touch()

    check_folder(tmp_path)


@pytest.mark.parametrize(
    "end", [LATER, NOW.replace(microsecond=123457), date(2024, 5, 6), date(2030, 1, 1)]
)
def test_an_end_still_to_come_is_refused_for_it_would_be_called_complete(tmp_path, end):
    with pytest.raises(errors.InvalidRequestError, match=f"^end: {end:%Y-%m-%d}.* not over"):
        a_request(end=end).settled_in(tmp_path / "new", NOW)
    assert not (tmp_path / "new").exists()

    assert a_request(end=date(2024, 5, 5)).settled_in(tmp_path / "new", NOW)


@pytest.mark.parametrize("moment", ["2024-01-02", 1_704_153_600])
@pytest.mark.parametrize("name", ["start", "end"])
def test_a_time_that_is_none_is_named(name, moment):
    kind = type(moment).__name__
    with pytest.raises(errors.InvalidRequestError, match=f"^{name}: {moment!r} is a {kind}; use"):
        a_request(**{name: moment})


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (START, START - timedelta(microseconds=1)),
        (date(2024, 1, 2), date(2024, 1, 1)),
        (datetime(2024, 1, 3, tzinfo=UTC), date(2024, 1, 1)),
        (date(2024, 1, 3), datetime(2024, 1, 1, 23, tzinfo=UTC)),
    ],
)
def test_an_end_before_the_start_is_refused(start, end):
    with pytest.raises(errors.InvalidRequestError, match=r"^end: .* before the start"):
        a_request(start=start, end=end)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (START, START),
        (date(2024, 1, 2), date(2024, 1, 2)),
        # Nine in the evening of the day before in New York.
        (datetime(2024, 1, 3, 2, tzinfo=UTC), date(2024, 1, 2)),
    ],
)
def test_a_day_is_one_of_the_exchange(start, end):
    assert a_request(start=start, end=end).end == end
