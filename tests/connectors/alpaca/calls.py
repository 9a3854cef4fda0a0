"""One request for every call of Alpaca's trading API, with every parameter it takes."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from sentio_async.connectors.alpaca.values import AccountSettingsChange
from sentio_async.connectors.alpaca.wire import (
    account,
    assets,
    orders,
    positions,
    sessions,
    watchlists,
)
from sentio_async.models import AssetClass, OrderChange, OrderRequest, OrderSide

ID = str(UUID(int=7))
DAY = date(2026, 3, 2)
FROM = datetime(2026, 3, 1, 14, 30, tzinfo=UTC)
TO = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
WINDOW = {"after": FROM, "until": TO, "direction": "asc", "page_size": 50, "page_token": "t"}
OPTION = "AAPL260320C00200000"


def an_order(**changes):
    return OrderRequest(**{"symbol": "AAPL", "side": "buy", "qty": "1", **changes})


def every_kind_of_order():
    exits = {
        "take_profit": {"limit_price": "301"},
        "stop_loss": {"stop_price": "299", "limit_price": "298.5"},
    }
    spread = [
        {"symbol": OPTION, "ratio_qty": 1, "side": "buy", "position_intent": "buy_to_open"},
        {"symbol": "AAPL260320C00210000", "ratio_qty": 1, "side": "sell"},
    ]
    limit = {"type": "limit", "limit_price": "150.25"}
    credit = {"type": "limit", "limit_price": "-0.60"}
    yield "market", an_order(client_order_id="mine")
    yield "notional", an_order(qty=None, notional="5.50")
    yield "fractional", an_order(qty="0.057436865")
    yield "limit", an_order(**limit)
    yield "extended hours", an_order(**limit, extended_hours=True)
    yield "stop", an_order(type="stop", stop_price="140")
    yield "stop limit", an_order(type="stop_limit", stop_price="140", limit_price="139.5")
    yield "trailing price", an_order(type="trailing_stop", trail_price="6.15")
    yield "trailing percent", an_order(type="trailing_stop", trail_percent="2.5")
    yield "bracket", an_order(order_class="bracket", time_in_force="gtc", **exits)
    yield "oco", an_order(order_class="oco", side="sell", **{**limit, **exits})
    yield "oto", an_order(order_class="oto", stop_loss=exits["stop_loss"])
    yield (
        "mleg",
        an_order(symbol="", side=None, order_class="mleg", legs=spread, **credit),
    )
    yield "option", an_order(symbol=OPTION, position_intent="buy_to_open", **limit)
    yield "crypto", an_order(symbol="ETH/USD", qty="0.02", time_in_force="ioc")
    for force in ("day", "gtc", "opg", "cls", "ioc", "fok"):
        yield f"time in force {force}", an_order(time_in_force=force)
    instructions = {"algorithm": "DMA", "destination": "NYSE", "display_qty": Decimal("1E+2")}
    yield "instructions", an_order(instructions=instructions, **limit)


def every_call():
    for kind, request in every_kind_of_order():
        yield f"place_order {kind}", orders.place_order(request)
    everything = OrderChange(
        qty=4,
        time_in_force="gtc",
        limit_price=155,
        stop_price=150,
        trail=2,
        client_order_id="new",
        instructions={"algorithm": "TWAP", "max_percentage": Decimal("0.10")},
    )
    yield "replace_order", orders.replace_order(ID, everything)
    filters = {
        "status": "all",
        "limit": 500,
        "direction": "asc",
        "nested": True,
        "symbols": ["AAPL", "BTCUSD"],
        "side": OrderSide.BUY,
        "asset_class": AssetClass.OPTION,
    }
    yield "orders in a window", orders.orders(**filters, after=FROM, until=TO)
    yield "orders before", orders.orders(**filters, before_order_id=ID)
    yield "orders after", orders.orders(**filters, after_order_id=ID)
    yield "order", orders.order(ID, nested=True)
    yield "order_by_client_id", orders.order_by_client_id("mine & yours/é")
    yield "cancel_order", orders.cancel_order(ID)
    yield "cancel_all_orders", orders.cancel_all_orders()

    yield "positions", positions.positions()
    yield "position", positions.position("BTC/USD")
    yield "close_position", positions.close_position("AAPL")
    yield "close_position qty", positions.close_position("AAPL", qty="0.5")
    yield "close_position part", positions.close_position("AAPL", percentage=50)
    yield "close_all_positions", positions.close_all_positions(cancel_orders=True)
    yield "exercise", positions.exercise(ID)
    yield "do_not_exercise", positions.do_not_exercise(ID)

    yield "account", account.account(is_paper=True)
    yield "account_settings", account.account_settings()
    change = AccountSettingsChange(
        suspend_trade=True,
        no_shorting=False,
        fractional_trading=True,
        disable_overnight_trading=True,
        max_margin_multiplier=2,
        max_options_trading_level=1,
        trade_confirm_email="none",
        ptp_no_exception_entry=True,
    )
    yield "change_account_settings", account.change_account_settings(change)
    yield "activities", account.activities(types=["FILL", "DIV"], **WINDOW)
    yield "activities of a category", account.activities(category="non_trade_activity", on=DAY)
    yield "activities_of", account.activities_of("DIV", **WINDOW)
    yield "fills", account.fills(**WINDOW)
    yield (
        "portfolio_history",
        account.portfolio_history(
            period="1M",
            timeframe="15Min",
            start=FROM,
            intraday_reporting="extended_hours",
            pnl_reset="no_reset",
            cashflow_types="CSD,FEE",
        ),
    )
    yield "portfolio_history to", account.portfolio_history(start=FROM, end=TO)

    yield (
        "assets",
        assets.assets(
            status="active",
            asset_class=AssetClass.STOCK,
            exchange="NYSE",
            attributes=["has_options", "overnight_tradable"],
        ),
    )
    yield "asset", assets.asset("BTC/USD")
    names = {"cusips": ["912810UG1"], "isins": ["US912810UG12", "US912797PM34"]}
    yield "us_treasuries", assets.us_treasuries(subtype="bond", status="outstanding", **names)
    yield "us_corporates", assets.us_corporates(status="matured", tickers=["BAC"], **names)
    yield (
        "option_contracts",
        assets.option_contracts(
            underlyings=["AAPL", "SPY"],
            status="active",
            expires_on=DAY,
            expires_from=DAY,
            expires_to=DAY,
            right="call",
            style="american",
            strike_from=Decimal(50),
            strike_to=Decimal("100.5"),
            root_symbol="AAPL",
            show_deliverables=True,
            penny_program=True,
            limit=100,
            page_token="t",
        ),
    )
    yield "option_contract", assets.option_contract(OPTION)
    yield (
        "announcements",
        assets.announcements(
            types=["dividend", "split"],
            since=DAY,
            until=DAY,
            symbol="AAPL",
            cusip="037833100",
            date_type="ex_date",
        ),
    )
    yield "announcement", assets.announcement(ID)

    yield "clock", sessions.clock()
    yield "calendar", sessions.calendar(start=DAY, end=DAY, date_type="SETTLEMENT")
    yield "market_clocks", sessions.market_clocks(markets=["NYSE", "LSE"], at=FROM)
    yield "market_calendar", sessions.market_calendar("NYSE", start=DAY, end=DAY)

    yield "watchlists", watchlists.watchlists()
    yield "create_watchlist", watchlists.create_watchlist("mine", ["AAPL"])
    yield "watchlist", watchlists.watchlist(ID)
    yield "update_watchlist", watchlists.update_watchlist(ID, name="new", symbols=["AAPL"])
    yield "add_to_watchlist", watchlists.add_to_watchlist(ID, "MSFT")
    yield "remove_from_watchlist", watchlists.remove_from_watchlist(ID, "BTC/USD")
    yield "delete_watchlist", watchlists.delete_watchlist(ID)
    yield "watchlist_named", watchlists.watchlist_named("my list")
    yield "update_watchlist_named", watchlists.update_watchlist_named("mine", new_name="new")
    yield "add_to_watchlist_named", watchlists.add_to_watchlist_named("mine", "AAPL")
    yield "delete_watchlist_named", watchlists.delete_watchlist_named("mine")
