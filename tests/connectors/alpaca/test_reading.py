"""Everything but orders on the wire: read as documented, missing members and all."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from connectors.alpaca.own_payloads import payload
from sentio_async import errors
from sentio_async.connectors.alpaca.wire import (
    account,
    assets,
    orders,
    positions,
    sessions,
    watchlists,
)
from sentio_async.models import AssetClass, OptionRight, OrderSide, OrderStatus, PositionSide


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def test_an_account_is_read_without_the_members_that_are_gone():
    found = account.read_account(payload("account"), is_paper=True)

    assert found.cash == Decimal("-23140.2")
    assert found.last_equity == Decimal("103529.24258806517")
    assert found.is_paper
    assert found.is_trading_blocked


def test_settings_are_read():
    found = account.read_settings(payload("account_settings"))

    assert found.is_overnight_trading_refused
    assert found.max_margin_multiplier == 2
    assert found.max_options_level is None


def test_a_fill_at_night_belongs_to_the_day_in_new_york():
    fill, dividend, new = account.read_activities(payload("activities"))

    assert (fill.on, fill.at) == (date(2026, 3, 2), utc(2026, 3, 3, 2, 30, 0, 123456))
    assert (dividend.net_amount, dividend.description) == (Decimal("1.02"), "CDIV")
    assert (new.type, new.at) == ("SOMETHING_NEW", None)


def test_an_activity_of_no_time_at_all_is_reported():
    rows = account.read_activities([payload("activities")[0], {"id": "1", "activity_type": "FEE"}])

    assert len(rows) == 1
    assert rows.skipped[0].index == 1


def test_a_fill_is_read_with_what_is_left():
    fill = account.read_fill(payload("activities")[0])

    assert fill.side is OrderSide.SELL
    assert fill.is_partial
    assert (fill.qty, fill.cumulative_qty, fill.leaves_qty) == (3, 3, 7)
    assert fill.nanoseconds["at"] % 1_000_000_000 == 123_456_000


def test_history_keeps_its_gaps():
    found = account.read_portfolio_history(payload("portfolio_history"))

    assert [point.equity for point in found.points] == [Decimal("1000.1"), None, Decimal("1001.25")]
    assert found.points[0].at == utc(2026, 1, 5, 14, 30)


def test_old_history_in_milliseconds_is_the_same_time():
    raw = payload("portfolio_history")
    old = account.read_portfolio_history({**raw, "timestamp": [t * 1000 for t in raw["timestamp"]]})

    assert old.points == account.read_portfolio_history(raw).points


def test_columns_of_different_length_are_not_paired():
    with pytest.raises(errors.DecodeError):
        account.read_portfolio_history(payload("portfolio_history", equity=[1]))


def test_a_short_position_is_negative():
    found = positions.read_position(payload("position_short"))

    assert (found.side, found.qty, found.current_price) == (PositionSide.SHORT, -3, None)


def test_closing_all_is_told_position_by_position():
    good, refused, odd = positions.read_close_results(payload("close_all"))

    assert good.order.status is OrderStatus.OPEN
    assert not refused.accepted
    assert refused.reason.startswith("insufficient qty")
    assert odd.accepted
    assert odd.order is None
    assert "levitating" in odd.reason


@pytest.mark.parametrize(
    "part",
    [
        {"qty": 1, "percentage": 2},
        {"qty": 0},
        {"qty": "-1"},
        {"qty": "many"},
        {"percentage": 101},
        {"qty": float("nan")},
    ],
)
def test_closing_an_impossible_part_is_refused_here(part):
    with pytest.raises(errors.InvalidRequestError):
        positions.close_position("ACME", **part)


@pytest.mark.parametrize(("qty", "text"), [(0.1, "0.1"), ("5", "5"), (Decimal("1E+2"), "100")])
def test_closing_a_part_says_it_exactly(qty, text):
    assert positions.close_position("ACME", qty=qty).query == f"qty={text}"


@pytest.mark.parametrize("name", ["close_position", "close_all_positions", "exercise"])
def test_what_trades_is_not_repeatable(name):
    assert not getattr(positions, name).endpoint.repeatable


def test_a_pair_with_a_slash_stays_one_segment():
    assert positions.position("BTC/USD").path == "/v2/positions/BTC%2FUSD"


def test_sessions_are_told_in_utc_in_winter_and_summer():
    winter, summer = sessions.read_calendar(payload("calendar"))

    assert (winter.opens_at, winter.closes_at) == (utc(2026, 1, 5, 14, 30), utc(2026, 1, 5, 21))
    assert winter.session_closes_at == utc(2026, 1, 6, 1)
    assert (summer.opens_at, summer.closes_at) == (utc(2026, 7, 6, 13, 30), utc(2026, 7, 6, 17))
    assert summer.settles_on == date(2026, 7, 7)


def test_only_the_core_session_counts_as_open():
    new_york, london = sessions.read_market_clocks(payload("market_clocks"))

    assert (new_york.market, new_york.is_open) == ("NYSE", False)
    assert (london.is_open, london.next_close) == (True, utc(2026, 3, 2, 16, 30))


def test_a_market_without_extended_hours_has_none():
    full, core = sessions.read_market_calendar(payload("market_calendar"))

    assert full.session_closes_at == utc(2026, 3, 3, 1)
    assert core.session_opens_at is None


def test_bonds_are_read():
    (treasury,) = assets.read_treasuries(payload("treasuries"))
    (corporate,) = assets.read_corporates(payload("corporates"))

    assert (treasury.coupon, treasury.matures_on) == (Decimal("4.625"), date(2055, 2, 15))
    assert (corporate.ticker, corporate.is_tradable) == ("ACME", False)


def test_a_page_of_options_says_where_the_rest_is():
    page = assets.read_option_contracts(payload("option_contracts"))

    assert page.next == "bW9yZQ=="
    assert page.items[0].right is OptionRight.CALL
    assert page.items[0].open_interest is None


def test_a_watchlist_has_its_symbols_in_order():
    assert watchlists.read_watchlist(payload("watchlist")).symbols == ("ACME", "BTC/USD")


def test_an_asset_of_a_new_class_and_exchange_is_still_an_asset():
    raw = {
        **payload("watchlist")["assets"][0],
        "class": "moon_rock",
        "exchange": "LUNA",
        "borrow_status": "hard_to_borrow",
    }
    found = assets.read_asset(raw)

    assert (found.asset_class, found.exchange) == (AssetClass.UNKNOWN, "LUNA")
    assert found.is_easy_to_borrow is False


def test_announcements_of_more_than_ninety_days_are_refused_here():
    with pytest.raises(errors.InvalidRequestError):
        assets.announcements(types=["split"], since=date(2026, 1, 1), until=date(2026, 6, 1))


@pytest.mark.parametrize(
    "ask",
    [
        lambda: account.activities(types=["DIV"], category="trade_activity"),
        lambda: account.activities(on=date(2026, 3, 2), after=utc(2026, 3, 1)),
        lambda: account.portfolio_history(period="1M", start=utc(2026, 3, 1), end=utc(2026, 3, 2)),
    ],
)
def test_filters_that_exclude_each_other_are_refused(ask):
    with pytest.raises(errors.InvalidRequestError):
        ask()


@pytest.mark.parametrize(
    "ask",
    [
        lambda: orders.orders(symbols="AAPL"),
        lambda: account.activities(types="DIV"),
        lambda: assets.option_contracts(underlyings="AAPL"),
        lambda: sessions.market_clocks(markets="NYSE"),
        lambda: watchlists.create_watchlist("mine", "AAPL"),
    ],
)
def test_one_name_is_not_taken_for_a_list_of_letters(ask):
    with pytest.raises(errors.InvalidRequestError, match="a list is needed"):
        ask()


def test_a_watchlist_may_be_emptied():
    assert watchlists.update_watchlist("7", name="mine", symbols=[]).body == (
        b'{"name":"mine","symbols":[]}'
    )


@pytest.mark.parametrize(
    "read",
    [
        lambda: sessions.read_day({"date": "2026-03-02", "open": "noon", "close": "16:00"}),
        lambda: sessions.read_day({"date": "2026-03-02", "open": None, "close": "16:00"}),
        lambda: sessions.read_day({"date": "", "open": "09:30", "close": "16:00"}),
        lambda: assets.read_option_contract(
            {**payload("option_contracts")["option_contracts"][0], "expiration_date": ""}
        ),
    ],
)
def test_what_has_no_time_where_one_is_needed_is_not_read(read):
    with pytest.raises(errors.DecodeError):
        read()


def test_a_closed_position_without_an_order_was_closed_all_the_same():
    result = positions.read_close_result({"symbol": "ACME", "status": 200})

    assert (result.accepted, result.order, result.reason) == (True, None, None)
