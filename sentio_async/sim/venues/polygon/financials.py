"""Polygon's financial statements: few lines, made up from a company's size, always the same.

https://massive.com/docs/rest/stocks/fundamentals/financials
"""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

from starlette.routing import BaseRoute

from sentio_async.sim.calendar import day_of
from sentio_async.sim.state import State
from sentio_async.sim.venues.polygon.asking import Ask, Json, filtered, ordered, paged, route
from sentio_async.sim.venues.polygon.reference import cik, shares
from sentio_async.sim.venues.polygon.tickers import FUNDS, Named, every, is_active

QUARTERS = 8
# A report comes out this long after its quarter.
LAG = timedelta(days=35)


def routes(state: State) -> list[BaseRoute]:
    """The older report and the newer statements."""
    base = "/stocks/financials/v1"
    return [
        route(state, "/vX/reference/financials", _reports),
        route(state, f"{base}/income-statements", _statements(_income)),
        route(state, f"{base}/balance-sheets", _statements(_balance)),
        route(state, f"{base}/cash-flow-statements", _statements(_cash)),
        route(state, f"{base}/ratios", _ratios),
    ]


def _companies(ask: Ask) -> list[Named]:
    return [n for n in every(ask, "stocks") if is_active(n) and n.ticker not in FUNDS]


def _quarters(today: date) -> list[date]:
    """The last days of the quarters reported, newest first."""
    end = date(today.year, (today.month - 1) // 3 * 3 + 1, 1) - timedelta(days=1)
    found: list[date] = []
    while len(found) < QUARTERS:
        if end + LAG <= today:
            found.append(end)
        first = end.replace(day=1, month=end.month - 2)
        end = first - timedelta(days=1)
    return found


def _revenue(named: Named) -> int:
    price = named.instrument.base if named.instrument is not None else Decimal(1)
    return int(shares(named) * price) // 25 // 1000 * 1000


def _income(named: Named) -> Json:
    revenue = _revenue(named)
    return {
        "revenue": revenue,
        "cost_of_revenue": revenue * 55 // 100,
        "gross_profit": revenue * 45 // 100,
        "operating_income": revenue * 30 // 100,
        "income_taxes": revenue * 5 // 100,
        "consolidated_net_income_loss": revenue * 25 // 100,
        "basic_earnings_per_share": _per_share(named),
        "diluted_earnings_per_share": _per_share(named),
        "basic_shares_outstanding": shares(named),
    }


def _per_share(named: Named) -> Decimal:
    return (Decimal(_revenue(named)) / 4 / max(1, shares(named))).quantize(Decimal("0.01"))


def _balance(named: Named) -> Json:
    revenue = _revenue(named)
    return {
        "cash_and_equivalents": revenue // 3,
        "total_current_assets": revenue,
        "total_assets": revenue * 4,
        "total_current_liabilities": revenue,
        "total_liabilities": revenue * 3,
        "total_equity": revenue,
        "total_liabilities_and_equity": revenue * 4,
    }


def _cash(named: Named) -> Json:
    revenue = _revenue(named)
    return {
        "net_income": revenue * 25 // 100,
        "net_cash_from_operating_activities": revenue * 30 // 100,
        "net_cash_from_investing_activities": -(revenue * 10 // 100),
        "net_cash_from_financing_activities": -(revenue * 15 // 100),
        "change_in_cash_and_equivalents": revenue * 5 // 100,
    }


def _statements(lines: Callable[[Named], Json]) -> Callable[[Ask], Json]:
    def handler(ask: Ask) -> Json:
        limit = ask.number("limit", 100, 50_000)
        rows = [
            {
                "cik": cik(named.ticker),
                "tickers": [named.ticker],
                "period_end": end.isoformat(),
                "filing_date": (end + LAG).isoformat(),
                "fiscal_year": end.year,
                "fiscal_quarter": end.month // 3,
                "timeframe": "quarterly",
                **lines(named),
            }
            for named in _companies(ask)
            for end in _quarters(day_of(ask.now_ns))
        ]
        columns = ("cik", "period_end", "filing_date", "fiscal_year", "fiscal_quarter", "timeframe")
        rows = filtered(ask, rows, columns)
        wanted = ask.query.get("tickers") or ask.query.get("tickers.any_of")
        if wanted:
            rows = [row for row in rows if row["tickers"][0] in wanted.split(",")]
        return paged(ask, ordered(ask, rows, "period_end.desc"), limit)

    return handler


def _ratios(ask: Ask) -> Json:
    limit = ask.number("limit", 100, 50_000)
    rows = []
    for named in _companies(ask):
        price = ask.state.market.price(named.symbol)
        if price is not None:
            rows.append(_ratio(named, price, day_of(ask.now_ns)))
    rows = filtered(ask, rows, ("ticker", "cik", "price", "market_cap"))
    return paged(ask, ordered(ask, rows, "ticker.asc"), limit)


def _ratio(named: Named, price: Decimal, day: date) -> Json:
    yearly = max(_per_share(named) * 4, Decimal("0.01"))
    worth = shares(named) * price
    cent = Decimal("0.01")
    return {
        "ticker": named.ticker,
        "cik": cik(named.ticker),
        "date": day.isoformat(),
        "price": price,
        "market_cap": worth,
        "earnings_per_share": yearly,
        "price_to_earnings": (price / yearly).quantize(cent),
        "price_to_sales": (worth / max(1, _revenue(named) * 4)).quantize(cent),
        "current": Decimal(1),
    }


def _reports(ask: Ask) -> Json:
    limit = ask.number("limit", 10, 100)
    rows = []
    for named in _companies(ask):
        if ask.query.get("ticker") in (None, "", named.ticker):
            rows += [_report(named, end) for end in _quarters(day_of(ask.now_ns))]
    columns = ("cik", "company_name", "filing_date", "timeframe")
    rows = filtered(ask, rows, columns)
    rows = ordered(ask, rows, "period_of_report_date", is_descending=True)
    page = paged(ask, rows, limit)
    shown = page["results"]
    page["results"] = [{k: v for k, v in r.items() if k != "period_of_report_date"} for r in shown]
    return {**page, "count": len(shown)}


def _report(named: Named, end: date) -> Json:
    income, balance, cash = _income(named), _balance(named), _cash(named)
    start = end.replace(day=1, month=end.month - 2)
    filed = end + LAG
    return {
        "cik": cik(named.ticker),
        "company_name": named.name,
        "tickers": [named.ticker],
        "start_date": start.isoformat(),
        "end_date": end.isoformat(),
        "period_of_report_date": end.isoformat(),
        "filing_date": filed.isoformat(),
        "fiscal_period": f"Q{end.month // 3}",
        "fiscal_year": str(end.year),
        "timeframe": "quarterly",
        "financials": {
            "income_statement": {
                "revenues": _line("Revenues", 100, income["revenue"]),
                "net_income_loss": _line("Net Income/Loss", 3200, cash["net_income"]),
            },
            "balance_sheet": {
                "assets": _line("Assets", 100, balance["total_assets"]),
                "liabilities": _line("Liabilities", 600, balance["total_liabilities"]),
                "equity": _line("Equity", 1400, balance["total_equity"]),
            },
            "cash_flow_statement": {
                "net_cash_flow": _line(
                    "Net Cash Flow", 1100, cash["change_in_cash_and_equivalents"]
                ),
            },
        },
    }


def _line(label: str, order: int, value: int) -> Json:
    return {"label": label, "order": order, "unit": "USD", "value": value}
