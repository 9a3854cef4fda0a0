"""Polygon's corporate data: splits, dividends, offerings, short selling, financials.

https://massive.com/docs/rest/stocks/corporate-actions/splits
"""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal

from starlette.routing import BaseRoute

from sentio_async.sim.calendar import day_of, previous_session
from sentio_async.sim.state import State
from sentio_async.sim.venues import almanac
from sentio_async.sim.venues.polygon.asking import Ask, Json, filtered, ordered, paged, route
from sentio_async.sim.venues.polygon.reference import shares
from sentio_async.sim.venues.polygon.tickers import Named, every, is_active
from sentio_async.sim.venues.times import utc_midnight

FIRST = date(2003, 9, 10)
# How far ahead dividends are announced.
AHEAD = timedelta(days=40)


def routes(state: State) -> list[BaseRoute]:
    """What companies did, and what is counted about their shares."""
    handlers: dict[str, Callable[[Ask], Json]] = {
        "/v3/reference/splits": _splits,
        "/stocks/v1/splits": _new_splits,
        "/v3/reference/dividends": _dividends,
        "/stocks/v1/dividends": _new_dividends,
        "/vX/reference/ipos": _ipos,
        "/v1/reference/ipos": _new_ipos,
        "/stocks/v1/short-interest": _short_interest,
        "/stocks/v1/short-volume": _short_volume,
        "/stocks/vX/float": _float,
    }
    return [route(state, path, handler) for path, handler in handlers.items()]


def _split_rows(ask: Ask) -> list[Json]:
    return [
        {
            "id": split.id,
            "ticker": split.symbol,
            "execution_date": split.executed.isoformat(),
            "split_from": split.old,
            "split_to": split.new,
        }
        for split in almanac.splits(FIRST, day_of(ask.now_ns))
    ]


def _splits(ask: Ask) -> Json:
    limit = ask.number("limit", 10, 1_000)
    rows = filtered(ask, _split_rows(ask), ("ticker", "execution_date"))
    if ask.query.get("reverse_split"):
        is_reverse = ask.flag("reverse_split", False)
        rows = [row for row in rows if (row["split_from"] > row["split_to"]) == is_reverse]
    return paged(ask, ordered(ask, rows, "execution_date", is_descending=True), limit)


def _new_splits(ask: Ask) -> Json:
    limit = ask.number("limit", 100, 5_000)
    rows = []
    for row in _split_rows(ask):
        is_forward = row["split_to"] > row["split_from"]
        day = date.fromisoformat(row["execution_date"]) - timedelta(days=1)
        factor = 1 / almanac.split_factor(row["ticker"], day, day_of(ask.now_ns))
        row |= {"adjustment_type": "forward_split" if is_forward else "reverse_split"}
        rows.append({**row, "historical_adjustment_factor": factor.quantize(Decimal("0.00000001"))})
    rows = filtered(ask, rows, ("ticker", "execution_date", "adjustment_type"))
    return paged(ask, ordered(ask, rows, "execution_date.desc"), limit)


def _dividend_rows(ask: Ask) -> list[Json]:
    return [
        {
            "id": each.id,
            "ticker": each.symbol,
            "cash_amount": each.amount,
            "currency": "USD",
            "declaration_date": each.declared.isoformat(),
            "ex_dividend_date": each.ex.isoformat(),
            "record_date": each.record.isoformat(),
            "pay_date": each.paid.isoformat(),
            "frequency": 4,
        }
        for each in almanac.dividends(FIRST, day_of(ask.now_ns) + AHEAD)
    ]


def _dividends(ask: Ask) -> Json:
    limit = ask.number("limit", 10, 1_000)
    dates = ("ex_dividend_date", "record_date", "declaration_date", "pay_date")
    columns = ("ticker", *dates, "frequency", "cash_amount", "dividend_type")
    rows = [{**row, "dividend_type": "CD"} for row in _dividend_rows(ask)]
    rows = filtered(ask, rows, columns)
    return paged(ask, ordered(ask, rows, "ex_dividend_date", is_descending=True), limit)


def _new_dividends(ask: Ask) -> Json:
    limit = ask.number("limit", 100, 5_000)
    rows = [
        {
            **row,
            "distribution_type": "recurring",
            "historical_adjustment_factor": Decimal(1),
            "split_adjusted_cash_amount": row["cash_amount"],
        }
        for row in _dividend_rows(ask)
    ]
    rows = filtered(ask, rows, ("ticker", "ex_dividend_date", "frequency", "distribution_type"))
    return paged(ask, ordered(ask, rows, "ticker.asc"), limit)


def _offering(ask: Ask, named: Named) -> Json:
    price = named.instrument.base if named.instrument is not None else Decimal(10)
    return {
        "ticker": named.ticker,
        "issuer_name": named.name,
        "ipo_status": "history",
        "security_type": named.type,
        "security_description": "Ordinary Shares",
        "currency_code": "USD",
        "primary_exchange": named.mic,
        "final_issue_price": price,
        "lowest_offer_price": price,
        "highest_offer_price": price,
        "lot_size": 100,
        "shares_outstanding": shares(named),
        "us_code": almanac.cusip(named.ticker),
        "announced_date": date(2003, 8, 1),
        "listing_date": FIRST,
        "last_updated": date(2003, 9, 11),
    }


def _offerings(ask: Ask, word: Callable[[date], str | int]) -> list[Json]:
    rows = [_offering(ask, named) for named in every(ask, "stocks")]
    days = ("announced_date", "listing_date", "last_updated")
    rows = [{**row, **{name: word(row[name]) for name in days}} for row in rows]
    return filtered(ask, rows, ("ticker", "us_code", "isin", "listing_date", "ipo_status"))


def _ipos(ask: Ask) -> Json:
    limit = ask.number("limit", 10, 1_000)
    rows = _offerings(ask, date.isoformat)
    return paged(ask, ordered(ask, rows, "listing_date", is_descending=True), limit)


def _new_ipos(ask: Ask) -> Json:
    limit = ask.number("limit", 10, 1_000)
    rows = _offerings(ask, utc_midnight)
    return paged(ask, ordered(ask, rows, "listing_date.desc"), limit)


def _stocks(ask: Ask) -> list[Named]:
    return [each for each in every(ask, "stocks") if is_active(each)]


def _daily(named: Named) -> int:
    return named.instrument.volume * 8 if named.instrument is not None else 0


def _short_interest(ask: Ask) -> Json:
    limit = ask.number("limit", 10, 50_000)
    rows = []
    for settled in _settlements(day_of(ask.now_ns)):
        for named in _stocks(ask):
            average = max(1, _daily(named))
            shorted = average * (15 + settled.month) // 10
            days = (Decimal(shorted) / average).quantize(Decimal("0.01"))
            rows.append(
                {
                    "ticker": named.ticker,
                    "settlement_date": settled.isoformat(),
                    "short_interest": shorted,
                    "avg_daily_volume": average,
                    "days_to_cover": max(days, Decimal(1)),
                }
            )
    columns = ("ticker", "settlement_date", "days_to_cover", "avg_daily_volume")
    return paged(ask, ordered(ask, filtered(ask, rows, columns), "ticker.asc"), limit)


def _settlements(today: date) -> Iterator[date]:
    """Twice a month, the last year of them."""
    for n in range(12):
        month = date(today.year - (n >= today.month), (today.month - n - 1) % 12 + 1, 1)
        for day in (month + timedelta(days=14), month - timedelta(days=1)):
            if day < today:
                yield previous_session(day + timedelta(days=1)).day


def _short_volume(ask: Ask) -> Json:
    limit = ask.number("limit", 10, 50_000)
    rows = []
    day = day_of(ask.now_ns)
    for _ in range(10):
        day = previous_session(day).day
        rows += [_short_sales(named, day) for named in _stocks(ask)]
    columns = ("ticker", "date", "short_volume_ratio")
    return paged(ask, ordered(ask, filtered(ask, rows, columns), "ticker.asc"), limit)


def _short_sales(named: Named, day: date) -> Json:
    total = _daily(named)
    short = total * (30 + day.day) // 100
    return {
        "ticker": named.ticker,
        "date": day.isoformat(),
        "total_volume": total,
        "short_volume": short,
        "exempt_volume": short // 1000,
        "non_exempt_volume": short - short // 1000,
        "short_volume_ratio": Decimal(30 + day.day),
        "nyse_short_volume": short // 10,
        "nyse_short_volume_exempt": 0,
        "nasdaq_carteret_short_volume": short - short // 10,
        "nasdaq_carteret_short_volume_exempt": short // 1000,
        "nasdaq_chicago_short_volume": 0,
        "nasdaq_chicago_short_volume_exempt": 0,
        "adf_short_volume": 0,
        "adf_short_volume_exempt": 0,
    }


def _float(ask: Ask) -> Json:
    limit = ask.number("limit", 100, 5_000)
    day = day_of(ask.now_ns).replace(day=1).isoformat()
    rows = [
        {
            "ticker": named.ticker,
            "free_float": shares(named) * 9 // 10,
            "free_float_percent": 90,
            "effective_date": day,
        }
        for named in _stocks(ask)
    ]
    rows = filtered(ask, rows, ("ticker", "free_float_percent"))
    return paged(ask, ordered(ask, rows, "ticker.asc"), limit)
