"""Alpaca's trading venue, called as its documentation says, held against its description."""

import json
from datetime import UTC, datetime

from described import Description
from sentio_async.sim.matching import Filling
from sim.trading_calls import a_caller, a_limit


async def test_every_answer_is_as_the_description_says(shared):
    described = Description.load(shared, "alpaca-trading.json")
    async with a_caller() as caller:
        await a_day_of_trading(caller)
        wrong = [
            (method, path, problem)
            for method, path, status, body in caller.answers
            if status < 400 and body
            for problem in described.check_answer(method, path, status, body)
            if not is_excused(path, problem)
        ]

    assert len(caller.answers) > 50
    assert wrong == [], "\n".join(map(str, wrong))


def is_excused(path, problem):
    """What the description gets wrong about Alpaca, or about itself."""
    return (
        # Recorded answers say CRYPTO, which the description does not list.
        "exchange: 'CRYPTO' is not one of" in problem
        # A fill is an activity with and without a trade, of which "one of" allows only one.
        or (path == "/v2/account/activities/FILL" and "'activity_type': 'FILL'" in problem)
        # Nine characters by its pattern, twelve by its length.
        or "cusip: '912797KJ5' is too short" in problem
    )


async def a_day_of_trading(caller):
    """Call every path that answers with a body, with something to show."""
    await caller.filled(qty="10")
    await caller.filled(symbol="SPY", qty=None, notional="100.5")
    await caller.filled(symbol="BTC/USD", qty="0.001", time_in_force="gtc")
    await caller.filled(symbol="TSLA", side="sell", qty="2")
    bracket = {
        "order_class": "bracket",
        "take_profit": {"limit_price": "900"},
        "stop_loss": {"stop_price": "10", "limit_price": "9"},
    }
    await caller.filled(symbol="MSFT", **bracket)
    order = await caller.filled(**a_limit("100", client_order_id="mine"))
    await caller.filled(type="trailing_stop", trail_percent="3", side="sell")
    option = (await caller.get("/v2/options/contracts", underlying_symbols="F"))[
        "option_contracts"
    ][0]
    await caller.filled(symbol=option["symbol"])
    await caller.ask("PATCH", f"/v2/orders/{order['id']}", json={"limit_price": "101"})
    await caller.exchange.settle()
    for status in ("open", "closed", "all"):
        for nested in ("true", "false"):
            await caller.get("/v2/orders", status=status, nested=nested)
    await caller.get("/v2/orders:by_client_order_id", client_order_id="mine")
    for path in (
        "/v2/account",
        "/v2/account/configurations",
        "/v2/account/activities",
        "/v2/account/activities/FILL",
        "/v2/account/activities/JNLC",
        "/v2/positions",
        "/v2/positions/AAPL",
        "/v2/positions/BTCUSD",
        "/v2/assets",
        "/v2/assets?asset_class=crypto",
        "/v2/assets/AAPL",
        "/v2/assets/BTC%2FUSD",
        "/v2/assets/fixed_income/us_treasuries",
        "/v2/assets/fixed_income/us_corporates",
        "/v2/options/contracts?show_deliverables=true&limit=2",
        f"/v2/options/contracts/{option['id']}",
        "/v2/clock",
        "/v2/calendar?start=2026-01-01&end=2026-12-31",
        "/v3/clock?markets=NYSE,OPRA",
        "/v3/calendar/NYSE?start=2026-11-23&end=2026-11-30",
        "/v2/corporate_actions/announcements?ca_types=Dividend&since=2026-01-01&until=2026-03-31",
    ):
        await caller.ask("GET", path)
    for period, frame in (("1D", "5Min"), ("1W", "1H"), ("1M", "1D"), ("1A", "1D")):
        await caller.get("/v2/account/portfolio/history", period=period, timeframe=frame)
    await caller.ask("PATCH", "/v2/account/configurations", json={"no_shorting": True})
    await a_watchlists_life(caller)
    await caller.ask("DELETE", "/v2/positions/AAPL?percentage=25")
    await caller.ask("DELETE", "/v2/orders")
    await caller.exchange.settle()
    await caller.ask("DELETE", "/v2/positions?cancel_orders=true")
    await caller.exchange.settle()
    assert await caller.get("/v2/positions") == []


async def a_watchlists_life(caller):
    made = await caller.ask("POST", "/v2/watchlists", json={"name": "one", "symbols": ["AAPL"]})
    path = f"/v2/watchlists/{made.json()['id']}"
    for by in (path, "/v2/watchlists:by_name?name=one"):
        await caller.ask("GET", by)
        await caller.ask("POST", by, json={"symbol": "SPY"})
        await caller.ask("PUT", by, json={"name": "one", "symbols": ["AAPL", "BTC/USD"]})
    removed = await caller.ask("DELETE", f"{path}/BTC%2FUSD")
    assert [each["symbol"] for each in removed.json()["assets"]] == ["AAPL"]
    assert len(await caller.get("/v2/watchlists")) == 1
    assert (await caller.ask("DELETE", "/v2/watchlists:by_name?name=one")).status_code == 204
    assert (await caller.ask("GET", path)).status_code == 404


async def test_shares_are_held_until_the_cancel_is_done():
    async with a_caller() as caller:
        await caller.filled(qty="3")
        order = await caller.filled(side="sell", qty="2", **a_limit("900"))
        await caller.ask("DELETE", f"/v2/orders/{order['id']}")
        at_once = await caller.ask("DELETE", "/v2/positions/AAPL")
        await caller.exchange.settle()
        later = await caller.ask("DELETE", "/v2/positions/AAPL")

    body = at_once.json()
    assert (at_once.status_code, body["held_for_orders"], body["available"]) == (403, "2", "1")
    assert later.status_code == 200


async def test_accounts_do_not_see_each_other():
    async with a_caller() as caller:
        caller.exchange.add_account("PKOTHER", "other")
        order = await caller.filled()
        other = {"APCA-API-KEY-ID": "PKOTHER", "APCA-API-SECRET-KEY": "other"}
        found = await caller.ask("GET", f"/v2/orders/{order['id']}", headers=other)
        held = await caller.ask("GET", "/v2/positions", headers=other)

    assert found.status_code == 404
    assert held.json() == []


async def test_numbers_and_times_are_written_as_recorded(shared):
    folder = shared / "payloads" / "alpaca"
    recorded = json.loads((folder / "rec_order_fractional_sell_filled.json").read_text())
    position = json.loads((folder / "rec_position_fractional.json").read_text())
    account = json.loads((folder / "rec_account_2026.json").read_text())
    async with a_caller() as caller:
        await caller.filled(symbol="KO", qty="1.50")
        order = await caller.filled(symbol="KO", side="sell", qty="0.5")
        held = await caller.get("/v2/positions/KO")
        own = await caller.get("/v2/account")

    assert set(order) == set(recorded)
    assert {name: type(order[name]) for name in order} == {n: type(v) for n, v in recorded.items()}
    assert (order["qty"], order["position_intent"]) == ("0.5", "sell_to_close")
    assert order["submitted_at"] == "2026-03-11T16:00:00.123456Z"
    assert order["expires_at"] == "2026-03-11T20:00:00Z"
    assert {n: type(v) for n, v in held.items()} == {n: type(v) for n, v in position.items()}
    assert set(own) == set(account)
    assert own["equity"].count(".") <= 1
    assert not own["equity"].endswith("0") or "." not in own["equity"]


async def test_orders_are_listed_by_status_symbol_side_and_time():
    async with a_caller() as caller:
        first = await caller.filled(**a_limit("100"))
        caller.exchange.state.clock.advance(60)
        second = await caller.filled(symbol="SPY", **a_limit("100"))
        await caller.filled(symbol="F")
        ask = caller.get
        assert ids(await ask("/v2/orders")) == [second["id"], first["id"]]
        assert ids(await ask("/v2/orders", direction="asc", limit=1)) == [first["id"]]
        assert len(await ask("/v2/orders", status="closed")) == 1
        assert len(await ask("/v2/orders", status="all", side="buy")) == 3
        assert ids(await ask("/v2/orders", symbols="AAPL,TSLA")) == [first["id"]]
        assert ids(await ask("/v2/orders", after=first["submitted_at"])) == [second["id"]]
        assert ids(await ask("/v2/orders", until=second["submitted_at"])) == [first["id"]]
        assert ids(await ask("/v2/orders", before_order_id=second["id"])) == [first["id"]]
        assert ids(await ask("/v2/orders", after_order_id=first["id"])) == [second["id"]]
        wrong = await caller.ask(
            "GET", f"/v2/orders?after=2026-01-01&before_order_id={first['id']}"
        )
        many = await caller.ask("GET", "/v2/orders?limit=501")

    assert wrong.status_code == many.status_code == 422


def ids(orders):
    return [order["id"] for order in orders]


async def test_a_held_leg_is_not_among_the_open_orders():
    async with a_caller() as caller:
        await caller.filled(
            order_class="bracket",
            take_profit={"limit_price": "900"},
            stop_loss={"stop_price": "10"},
        )
        opened = await caller.get("/v2/orders")
        closed = await caller.get("/v2/orders", status="closed")
        nested = await caller.get("/v2/orders", status="open", nested="true")

    assert [order["type"] for order in opened] == ["limit"]
    assert {order["status"] for order in closed} == {"filled", "held"}
    assert nested == []


async def test_a_replaced_trail_keeps_its_high():
    async with a_caller() as caller:
        order = await caller.filled(side="sell", type="trailing_stop", trail_price="9")
        path = f"/v2/orders/{order['id']}"
        new = (await caller.ask("PATCH", path, json={"trail": "5"})).json()
        await caller.exchange.settle()
        new = await caller.get(f"/v2/orders/{new['id']}")

    assert (new["hwm"], new["trail_price"]) == (order["hwm"], "5")
    assert float(new["stop_price"]) == float(order["stop_price"]) + 4


async def test_a_replacement_keeps_what_was_filled():
    async with a_caller() as caller:
        engine = caller.exchange.state.engine
        engine.filling = Filling(slice_value=2000)
        order = await caller.placed(qty="100", **a_limit("400", time_in_force="gtc"))
        engine.tick()
        half = await caller.get(f"/v2/orders/{order['id']}")
        answer = await caller.ask("PATCH", f"/v2/orders/{order['id']}", json={"qty": "50"})
        engine.filling = Filling()
        await caller.exchange.settle()
        position = await caller.get("/v2/positions/AAPL")

    assert half["status"] == "partially_filled"
    assert int(answer.json()["qty"]) == 50 - int(half["filled_qty"])
    assert position["qty"] == "50"


async def test_bulk_answers_have_a_status_for_each():
    async with a_caller() as caller:
        await caller.filled(qty="3")
        order = await caller.filled(side="sell", qty="2", **a_limit("900"))
        closed = await caller.ask("DELETE", "/v2/positions")
        cancelled = await caller.ask("DELETE", "/v2/orders")

    assert (closed.status_code, cancelled.status_code) == (207, 207)
    (row,) = closed.json()
    assert (row["symbol"], row["status"], row["body"]["code"]) == ("AAPL", 403, 40310000)
    assert cancelled.json() == [{"id": order["id"], "status": 200}]


async def test_activities_come_in_pages_by_the_last_id():
    async with a_caller() as caller:
        for n in range(5):
            await caller.filled(qty=str(n + 1))
            caller.exchange.state.clock.advance(1)
        path = "/v2/account/activities/FILL"
        first = await caller.get(path, page_size=2, direction="asc")
        second = await caller.get(path, page_size=2, direction="asc", page_token=first[-1]["id"])
        third = await caller.get(path, page_size=2, direction="asc", page_token=second[-1]["id"])
        falling = await caller.get("/v2/account/activities", category="trade_activity")
        moved = await caller.get("/v2/account/activities", category="non_trade_activity")
        after = await caller.get(path, after=second[0]["transaction_time"])
        day = await caller.get(path, date="2026-03-12")
        odd = await caller.ask("GET", f"{path}?page_token=nope")
        both = await caller.ask(
            "GET", "/v2/account/activities?activity_types=FILL&category=trade_activity"
        )

    assert [row["qty"] for row in first + second + third] == ["1", "2", "3", "4", "5"]
    assert [row["qty"] for row in falling] == ["5", "4", "3", "2", "1"]
    assert first[0]["id"].startswith("20260311120000123::")
    assert [row["activity_type"] for row in moved] == ["JNLC"]
    assert len(after) == 2
    assert day == []
    assert odd.status_code == both.status_code == 422


async def test_history_is_what_the_account_was_worth():
    async with a_caller() as caller:
        await caller.filled(qty="100")
        caller.exchange.state.clock.advance(3600)
        history = await caller.get("/v2/account/portfolio/history", period="1D", timeframe="15Min")
        equity = float((await caller.get("/v2/account"))["equity"])
        wrong = await caller.ask("GET", "/v2/account/portfolio/history?period=soon")

    assert history["base_value"] == history["equity"][0] == 100_000
    assert abs(history["equity"][-1] - equity) < 0.02
    assert history["equity"][-1] != 100_000
    assert history["timestamp"] == sorted(history["timestamp"])
    profit = history["equity"][-1] - 100_000
    assert abs(history["profit_loss"][-1] - profit) < 0.02
    assert wrong.status_code == 422


async def test_contracts_are_found_by_what_they_are():
    path = "/v2/options/contracts"
    async with a_caller() as caller:
        puts = await caller.get(
            path, underlying_symbols="AAPL", type="put", strike_price_gte="200", limit=1000
        )
        month = await caller.get(
            path, underlying_symbols="AAPL", expiration_date_lte="2026-04-30", limit=1000
        )
        one = await caller.ask("GET", f"{path}/TSLA231110C00021000")

    strikes = {float(each["strike_price"]) for each in puts["option_contracts"]}
    assert min(strikes) == 200
    assert {each["expiration_date"] for each in puts["option_contracts"]} == {"2026-03-13"}
    assert len({each["expiration_date"] for each in month["option_contracts"]}) == 5
    assert puts["next_page_token"] is None
    assert one.status_code == 404
    assert one.json()["message"] == "option contract TSLA231110C00021000 not found"


async def test_the_clock_keeps_new_york_hours_when_told_to():
    evening = datetime(2026, 3, 13, 23, 30, tzinfo=UTC)
    async with a_caller(start=evening, hours="nyse") as caller:
        clock = await caller.get("/v2/clock")
        (other,) = (await caller.get("/v3/clock", markets="XNYS"))["clocks"]
        order = await caller.filled()

    assert clock == {
        "timestamp": "2026-03-13T19:30:00-04:00",
        "is_open": False,
        "next_open": "2026-03-16T09:30:00-04:00",
        "next_close": "2026-03-16T16:00:00-04:00",
    }
    assert (other["phase"], other["phase_until"]) == ("post", "2026-03-13T20:00:00-04:00")
    assert order["status"] == "accepted"


async def test_a_watchlist_holds_a_symbol_and_a_name_once():
    async with a_caller() as caller:
        made = await caller.ask("POST", "/v2/watchlists", json={"name": "x", "symbols": ["F"]})
        path = f"/v2/watchlists/{made.json()['id']}"
        name = await caller.ask("POST", "/v2/watchlists", json={"name": "x"})
        symbol = await caller.ask("POST", path, json={"symbol": "F"})
        absent = await caller.ask("DELETE", f"{path}/SPY")
        kept = await caller.ask("PUT", path, json={"symbols": ["SPY", "SPY"]})

    assert [name.status_code, symbol.status_code, absent.status_code] == [422, 422, 404]
    assert [each["symbol"] for each in kept.json()["assets"]] == ["SPY"]


async def test_a_spread_waits_for_its_net_price_and_is_cancelled_whole():
    legs = [
        {"symbol": "F260313C00010000", "side": "buy", "ratio_qty": "1"},
        {"symbol": "F260313C00012000", "position_intent": "sell_to_open", "ratio_qty": "1"},
    ]
    order = {"order_class": "mleg", "legs": legs, "symbol": None, "side": None}
    async with a_caller() as caller:
        low = await caller.filled(**order, **a_limit("0.01"))
        leg = await caller.ask("GET", f"/v2/orders/{low['id']}?nested=true")
        alone = await caller.ask("DELETE", f"/v2/orders/{leg.json()['legs'][0]['id']}")
        await caller.ask("DELETE", f"/v2/orders/{low['id']}")
        high = await caller.filled(**order, **a_limit("2.5"))
        ended = await caller.get(f"/v2/orders/{low['id']}", nested="true")

    assert (low["symbol"], low["side"], low["status"]) == ("", "", "new")
    assert alone.status_code == 422
    assert {ended["status"], *(each["status"] for each in ended["legs"])} == {"canceled"}
    assert high["status"] == "filled"
    assert 0 < float(high["filled_avg_price"]) <= 2.5
