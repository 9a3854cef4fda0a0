"""What Alpaca's trading venue refuses, and in which words."""

import json

import pytest

from sim.trading_calls import MISSING, a_caller, a_limit


@pytest.mark.parametrize(
    ("payload", "order"),
    [
        ("error_422_qty_or_notional_required", {"qty": None}),
        ("error_422_only_one_of_qty_notional", {"notional": "5"}),
        ("error_422_subpenny_limit", a_limit("290.123")),
        ("error_422_fractional_day_only", {"qty": "0.5", "time_in_force": "gtc"}),
        ("error_403_uncovered_option", {"symbol": "F260313C00011000", "side": "sell"}),
        (
            "error_422_bracket_needs_take_profit",
            {"order_class": "bracket", "stop_loss": {"stop_price": "1"}},
        ),
    ],
)
async def test_orders_are_refused_in_recorded_words(shared, payload, order):
    recorded = json.loads((shared / "payloads" / "alpaca" / f"{payload}.json").read_text())
    async with a_caller() as caller:
        status, body = await caller.refused(**order)

    assert body == recorded
    assert status == int(payload.split("_")[1])


async def test_a_used_client_order_id_is_refused_for_ever(shared):
    recorded = shared / "payloads" / "alpaca" / "rec_error_422_duplicate_client_order_id.json"
    async with a_caller() as caller:
        order = await caller.placed(client_order_id="a", **a_limit())
        answers = [await caller.refused(client_order_id="a")]
        await caller.ask("DELETE", f"/v2/orders/{order['id']}")
        await caller.exchange.settle()
        answers.append(await caller.refused(client_order_id="a"))
        await caller.filled(client_order_id="b")
        answers.append(await caller.refused(client_order_id="b"))

    assert answers == [(422, json.loads(recorded.read_text()))] * 3


async def test_selling_more_than_there_is_names_what_is_there(shared):
    recorded = shared / "payloads" / "alpaca" / "rec_error_403_insufficient_qty.json"
    async with a_caller() as caller:
        await caller.filled(symbol="KO", qty="0.557436865")
        status, body = await caller.refused(symbol="KO", side="sell", qty="1.057436865")

    assert (status, body) == (403, json.loads(recorded.read_text()))


@pytest.mark.parametrize(
    ("order", "status", "code", "words"),
    [
        ({"symbol": "NOPE"}, 422, 42210000, "not found"),
        ({"symbol": "A'B"}, 422, 42210000, "invalid symbol"),
        ({"symbol": None}, 422, 40010001, "symbol is required"),
        ({"symbol": "TWTR"}, 422, 42210000, "not tradable"),
        ({"side": "long"}, 422, 40010001, "invalid side"),
        ({"type": None}, 422, 40010001, "type is required"),
        ({"time_in_force": "later"}, 422, 40010001, "invalid time_in_force"),
        ({"qty": "-1"}, 422, 40010001, "qty must be > 0"),
        ({"qty": "one"}, 422, 40010001, "invalid qty"),
        ({"qty": True}, 422, 40010001, "invalid qty"),
        ({"qty": "1e999999"}, 422, 40010001, "invalid qty"),
        ({"qty": "NaN"}, 422, 40010001, "invalid qty"),
        ({"limit_price": "1"}, 422, 40010001, "market orders require no stop or limit"),
        ({"type": "limit"}, 422, 40010001, "limit orders require only limit price"),
        ({"type": "stop", "limit_price": "5"}, 422, 40010001, "stop orders require only stop"),
        ({"type": "stop_limit", "stop_price": "5"}, 422, 40010001, "both stop and limit price"),
        ({"type": "trailing_stop"}, 422, 40010001, "one of trail_price or trail_percent"),
        ({"trail_price": "1"}, 422, 40010001, "only for trailing stop"),
        ({"qty": "1000000"}, 403, 40310000, "insufficient buying power"),
        ({"qty": "0.5", "symbol": "NXGL"}, 403, 40310000, 'asset "NXGL" is not fractionable'),
        ({"qty": "0.5", "side": "sell"}, 422, 42210000, "cannot be sold short"),
        ({"symbol": "NXGL", "side": "sell"}, 422, 42210000, "cannot be sold short"),
        ({"qty": None, "notional": "0.5"}, 422, 42210000, "notional amount must be"),
        ({"qty": None, "notional": "5.555"}, 422, 42210000, "2 decimal places"),
        ({"qty": "1" + "0" * 30}, 422, 42210000, "too large"),
        ({"qty": "1.0000000001"}, 422, 42210000, "9 decimal places"),
        ({"extended_hours": True}, 422, 42210000, "extended hours order must be"),
        ({"extended_hours": "yes"}, 422, 40010001, "invalid extended_hours"),
        ({"order_class": "triple"}, 422, 40010001, "invalid order_class"),
        ({"order_class": "oto"}, 422, 40010001, "one of take_profit or stop_loss"),
        ({"client_order_id": "x" * 129}, 422, 40010001, "no more than 128"),
        ({"symbol": "BTC/USD"}, 422, 42210000, "invalid crypto time_in_force"),
        ({"symbol": "BTC/USD", "time_in_force": "gtc", "qty": "9"}, 403, 40310000, "insufficient"),
        ({"symbol": "BTC/USD", "time_in_force": "gtc", "side": "sell"}, 403, 40310000, "balance"),
        ({"symbol": "F260313C00011000", "qty": "0.5"}, 422, 40010001, "qty must be integer"),
        ({"symbol": "F260313C00011000", "time_in_force": "ioc"}, 422, 42210000, "time_in_force"),
        ({"position_intent": "sell_to_open"}, 422, 40010001, "invalid position_intent"),
        ({"order_class": "mleg", "legs": []}, 422, 40010001, "2 to 4 legs"),
    ],
)
async def test_orders_against_the_rules_are_refused(order, status, code, words):
    async with a_caller() as caller:
        answer, body = await caller.refused(**order)

    assert (answer, body["code"]) == (status, code)
    assert words in body["message"]
    (account,) = caller.exchange.state.engine.accounts.values()
    assert not account.orders


async def test_exits_on_the_wrong_side_are_refused():
    exits = {"take_profit": {"limit_price": "900"}, "stop_loss": {"stop_price": "800"}}
    async with a_caller() as caller:
        above = await caller.refused(order_class="bracket", **exits)
        crossed = await caller.refused(
            order_class="bracket",
            take_profit={"limit_price": "5"},
            stop_loss={"stop_price": "6"},
        )
        flat = await caller.refused(side="sell", order_class="oco", type="limit", **exits)

    assert (above[0], "base_price" in above[1]) == (422, True)
    assert crossed[0] == flat[0] == 422


async def test_an_account_does_not_trade_with_itself():
    async with a_caller() as caller:
        await caller.filled(qty="5")
        order = await caller.filled(side="sell", **a_limit("900"))
        crossing = await caller.refused(**a_limit("901"))
        apart = await caller.place(**a_limit("100"))

    assert crossing[0] == 403
    assert crossing[1]["message"] == "potential wash trade detected. use complex orders"
    assert crossing[1]["existing_order_id"] == order["id"]
    assert apart.status_code == 200


async def test_shorting_and_trading_can_be_switched_off():
    async with a_caller() as caller:
        changed = await caller.ask(
            "PATCH", "/v2/account/configurations", json={"no_shorting": True, "pdt_check": "both"}
        )
        short = await caller.refused(side="sell")
        await caller.ask("PATCH", "/v2/account/configurations", json={"suspend_trade": True})
        any_order = await caller.refused()
        wrong = await caller.ask("PATCH", "/v2/account/configurations", json={"nope": 1})
        account = await caller.get("/v2/account")

    assert changed.json()["no_shorting"] is True
    assert short == (403, {"code": 40310000, "message": "account is not allowed to short"})
    assert any_order[1]["message"] == "new orders are rejected by user request"
    assert wrong.status_code == 422
    assert (account["shorting_enabled"], account["trade_suspended_by_user"]) == (False, True)


async def test_wrong_keys_and_unknown_paths_are_refused():
    async with a_caller() as caller:
        wrong = await caller.ask("GET", "/v2/account", headers={"APCA-API-SECRET-KEY": "no"})
        none = await caller.ask("GET", "/v2/account", headers={"APCA-API-KEY-ID": ""})
        lost = await caller.ask("POST", "/v2/account")
        broken = await caller.ask("POST", "/v2/orders", content=b"{not json")
        listed = await caller.ask("POST", "/v2/orders", content=b"[]")

    assert (wrong.status_code, wrong.json()["code"]) == (401, 40110000)
    assert (none.status_code, none.json()) == (401, {"message": "unauthorized."})
    assert lost.status_code == 404
    assert {broken.status_code, listed.status_code} == {400}
    assert broken.json()["code"] == 40010000


async def test_an_order_that_is_over_cannot_be_cancelled_or_replaced():
    async with a_caller() as caller:
        order = await caller.filled()
        path = f"/v2/orders/{order['id']}"
        cancelled = await caller.ask("DELETE", path)
        replaced = await caller.ask("PATCH", path, json={"qty": "2"})
        absent = await caller.ask("DELETE", f"/v2/orders/{MISSING}")
        odd = await caller.ask("GET", "/v2/orders/not-an-id")

    assert (cancelled.status_code, cancelled.json()["code"]) == (422, 42210000)
    assert (replaced.status_code, replaced.json()["code"]) == (422, 42210000)
    assert (absent.status_code, absent.json()["code"]) == (404, 40410000)
    assert odd.status_code == 422


@pytest.mark.parametrize(
    ("order", "change", "words"),
    [
        (a_limit(), {"stop_price": "5"}, "limit orders must not have stop_price"),
        (a_limit(), {"trail": "5"}, "limit orders must not have trail"),
        (a_limit(), {"limit_price": "5.555"}, "sub-penny"),
        (a_limit(), {"qty": "0.5"}, "qty must be integer"),
        (a_limit(), {"qty": "100000"}, "insufficient buying power"),
        (a_limit(), {"time_in_force": "x"}, "invalid time_in_force"),
        (a_limit(client_order_id="own"), {"client_order_id": "own"}, "must be unique"),
        (a_limit(qty=None, notional="50"), {"limit_price": "99"}, "notional orders cannot"),
    ],
)
async def test_a_replacement_against_the_rules_is_refused(order, change, words):
    async with a_caller() as caller:
        order = await caller.filled(**order)
        answer = await caller.ask("PATCH", f"/v2/orders/{order['id']}", json=change)
        same = await caller.get(f"/v2/orders/{order['id']}")

    assert answer.status_code in {403, 422}
    assert words in answer.json()["message"]
    assert same["status"] == "new"


async def test_exercising_needs_a_long_position(shared):
    folder = shared / "payloads" / "alpaca"
    none = json.loads((folder / "error_403_exercise_no_available_position.json").read_text())
    wrong = json.loads((folder / "error_422_exercise_invalid_symbol.json").read_text())
    async with a_caller() as caller:
        path = "/v2/positions/F260313C00011000"
        before = await caller.ask("POST", f"{path}/exercise")
        stock = await caller.ask("POST", "/v2/positions/AAPL/exercise")
        await caller.filled(symbol="F260313C00011000", qty="2")
        kept = await caller.ask("POST", f"{path}/do-not-exercise")
        done = await caller.ask("POST", f"{path}/exercise")
        held = await caller.get("/v2/positions")
        types = [row["activity_type"] for row in await caller.get("/v2/account/activities")]

    assert (before.status_code, before.json()) == (403, none)
    assert (stock.status_code, stock.json()) == (422, wrong)
    assert kept.status_code == done.status_code == 200
    assert [(each["symbol"], each["qty"]) for each in held] == [("F", "200")]
    assert types.count("OPEXC") == types.count("OPTRD") == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("GET", "/v2/account/activities?activity_types=NOPE", None, "invalid activity type"),
        ("GET", "/v2/account/activities?category=all", None, "invalid category"),
        ("GET", "/v2/account/activities/NOPE", None, "invalid activity type"),
        ("GET", "/v2/account/activities?date=2026-01-01&after=2026-01-01", None, "date cannot"),
        ("GET", "/v2/account/activities?date=soon", None, "invalid date"),
        ("GET", "/v2/account/activities?page_size=0", None, "page_size must be between"),
        ("PATCH", "/v2/account/configurations", {"no_shorting": "x"}, "invalid no_shorting"),
        ("PATCH", "/v2/account/configurations", {"trade_confirm_email": "x"}, "invalid trade"),
        ("PATCH", "/v2/account/configurations", {"max_margin_multiplier": "9"}, "invalid max"),
        ("PATCH", "/v2/account/configurations", {"max_options_trading_level": 7}, "invalid max"),
        ("GET", "/v2/account/portfolio/history?timeframe=2D", None, "invalid timeframe"),
        ("GET", "/v2/account/portfolio/history?period=1A&timeframe=1Min", None, "too short"),
        ("GET", "/v2/account/portfolio/history?start=2026-03-11T23:00:00Z", None, "start must"),
        (
            "GET",
            "/v2/account/portfolio/history?start=2026-01-01&end=2026-02-01&period=1D",
            None,
            "only two of",
        ),
        ("GET", "/v2/assets?status=gone", None, "invalid status"),
        ("GET", "/v2/assets?asset_class=art", None, "invalid asset_class"),
        ("GET", "/v2/assets/NOPE", None, "asset not found for NOPE"),
        ("GET", "/v2/options/contracts?page_token=%21", None, "invalid page_token"),
        ("GET", "/v2/options/contracts?strike_price_gte=x", None, "invalid strike_price_gte"),
        ("GET", "/v2/calendar?date_type=LUNCH", None, "invalid date_type"),
        ("GET", "/v3/clock?markets=XETR", None, "invalid market"),
        ("GET", "/v3/calendar/NYSE?timezone=Mars", None, "invalid timezone"),
        ("GET", "/v3/calendar/NYSE?start=2026-01-01&end=2028-01-01", None, "end must be"),
        ("GET", "/v2/orders?status=some", None, "invalid status"),
        ("GET", "/v2/orders?after=never", None, "invalid after"),
        ("GET", f"/v2/orders?before_order_id={MISSING}&after_order_id=x", None, "only one of"),
        ("GET", "/v2/orders:by_client_order_id?client_order_id=x", None, "order not found"),
        ("POST", "/v2/watchlists", {"symbols": ["AAPL"]}, "name is required"),
        ("POST", "/v2/watchlists", {"name": "x" * 65}, "no more than 64"),
        ("POST", "/v2/watchlists", {"name": "x", "symbols": "AAPL"}, "invalid symbols"),
        ("POST", "/v2/watchlists", {"name": "x", "symbols": ["NOPE"]}, "asset not found"),
        ("DELETE", "/v2/watchlists:by_name?name=x", None, "watchlist not found"),
        ("GET", "/v2/corporate_actions/announcements", None, "are required"),
        (
            "GET",
            "/v2/corporate_actions/announcements?ca_types=x&since=2026-01-01&until=2026-01-02",
            None,
            "invalid ca_types",
        ),
        (
            "GET",
            "/v2/corporate_actions/announcements?ca_types=merger&since=2025-01-01&until=2026-01-02",
            None,
            "cannot exceed 90 days",
        ),
        ("GET", f"/v2/corporate_actions/announcements/{MISSING}", None, "not found"),
        ("DELETE", "/v2/positions/AAPL?qty=1", None, "position does not exist"),
        ("DELETE", "/v2/positions/SPY?qty=1&percentage=2", None, "only one of"),
        ("DELETE", "/v2/positions/SPY?percentage=200", None, "between 0 and 100"),
        ("DELETE", "/v2/positions/SPY?qty=50", None, "insufficient qty available"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(method, path, body, words):
    async with a_caller() as caller:
        await caller.filled(symbol="SPY")
        answer = await caller.ask(method, path, json=body)

    assert answer.status_code in {403, 404, 422}
    assert words in answer.json()["message"]
    assert isinstance(answer.json()["code"], int)


async def test_options_follow_their_rules():
    call, put = "F260313C00011000", "F260313P00011000"
    async with a_caller() as caller:
        dear = await caller.refused(symbol=call, qty="500000")
        simple = await caller.refused(symbol=call, type="trailing_stop", trail_price="1")
        covered = await caller.refused(symbol=put, side="sell", qty="1000")
        secured = await caller.place(symbol=put, side="sell")
        await caller.filled(symbol="F", qty="100")
        written = await caller.place(symbol=call, side="sell")
        await caller.ask(
            "PATCH", "/v2/account/configurations", json={"max_options_trading_level": 0}
        )
        off = await caller.refused(symbol=call)

    assert dear[1]["message"].startswith("insufficient options buying power for order (required:")
    assert simple[0] == 422
    assert covered[1]["message"] == "account not eligible to trade uncovered option contracts"
    assert secured.status_code == written.status_code == 200
    assert off[1]["message"] == "account not eligible to trade options"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"type": "stop"}, "must be market or limit"),
        ({"time_in_force": "ioc"}, "invalid time_in_force"),
        ({"qty": None}, "qty is required"),
        ({"qty": "0.5"}, "qty must be integer"),
        ({"type": "limit"}, "limit orders require only limit price"),
        ({"legs": ["x", "y"]}, "invalid legs"),
        ({"sides": ("sell", "sell")}, "uncovered option contracts"),
        ({"symbols": ("AAPL", "F")}, "for option contracts"),
        ({"symbols": ("F260313C00011000",) * 2}, "must not repeat"),
        ({"ratio": "0.5"}, "ratio_qty must be integer"),
        ({"sides": ("", "buy")}, "side is required"),
        ({"qty": "5000"}, "insufficient options buying power"),
    ],
)
async def test_spreads_follow_their_rules(change, words):
    symbols = change.pop("symbols", ("F260313C00010000", "F260313C00012000"))
    sides, ratio = change.pop("sides", ("buy", "sell")), change.pop("ratio", "1")
    legs = [
        {"symbol": symbol, "side": side, "ratio_qty": ratio}
        for symbol, side in zip(symbols, sides, strict=True)
    ]
    order = {"order_class": "mleg", "legs": legs, "symbol": None, "side": None, **change}
    async with a_caller() as caller:
        status, body = await caller.refused(**order)

    assert status in {403, 422}
    assert words in body["message"]
