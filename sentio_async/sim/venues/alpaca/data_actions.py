"""Alpaca's corporate actions: splits, cash dividends and renamings of the almanac.

https://docs.alpaca.markets/reference/corporateactions-1
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from sentio_async.sim.calendar import day_of
from sentio_async.sim.venues import almanac
from sentio_async.sim.venues.alpaca.data_asking import WORD, Ask, Refused, Token
from sentio_async.sim.venues.alpaca.data_rows import number

KINDS = {
    "reverse_split": "reverse_splits",
    "forward_split": "forward_splits",
    "unit_split": "unit_splits",
    "cash_dividend": "cash_dividends",
    "stock_dividend": "stock_dividends",
    "spin_off": "spin_offs",
    "cash_merger": "cash_mergers",
    "stock_merger": "stock_mergers",
    "stock_and_cash_merger": "stock_and_cash_mergers",
    "redemption": "redemptions",
    "name_change": "name_changes",
    "worthless_removal": "worthless_removals",
    "rights_distribution": "rights_distributions",
    "partial_call": "partial_calls",
    "reorganization": "reorganizations",
}
FIRST = date(2014, 1, 1)
# A dividend is processed on its pay day, which comes after its ex-day.
LAG = timedelta(days=30)

Action = tuple[str, dict[str, Any]]


def corporate_actions(ask: Ask) -> dict[str, Any]:
    """One page of actions, grouped by kind."""
    limit = ask.number("limit", 100, 1000)
    rows = list(_wanted(ask))
    rows.sort(key=_order, reverse=ask.is_descending())
    token = ask.token()
    begin = token.skip if token is not None else 0
    found: dict[str, list[dict[str, Any]]] = {}
    for kind, row in rows[begin : begin + limit]:
        found.setdefault(KINDS[kind], []).append(row)
    after = str(Token("", 0, begin + limit)) if begin + limit < len(rows) else None
    return {"corporate_actions": found, "next_page_token": after}


def _order(action: Action) -> tuple[str, str]:
    return action[1]["process_date"], action[1]["id"]


def _wanted(ask: Ask) -> Iterator[Action]:
    ids = _words(ask, "ids")
    filters = ("symbols", "cusips", "types", "start", "end")
    if ids and any(ask.query.get(name) for name in filters):
        raise Refused(400, "ids cannot be combined with other filters")
    today = day_of(ask.now_ns)
    first, last = (FIRST, today) if ids else (_day(ask, "start", today), _day(ask, "end", today))
    if last < first:
        raise Refused(400, "end should not be before start")
    kinds = _words(ask, "types")
    if unknown := kinds - set(KINDS):
        raise Refused(400, f"invalid type: {min(unknown)}")
    symbols = set(ask.symbols(WORD)) if ask.query.get("symbols") else set()
    cusips = _words(ask, "cusips")
    for kind, row in _actions(first, last):
        if (
            (not ids or row["id"] in ids)
            and (not kinds or kind in kinds)
            and (not symbols or _named(row) & symbols)
            and (not cusips or _numbered(row) & cusips)
        ):
            yield kind, row


def _words(ask: Ask, name: str) -> set[str]:
    return set(ask.query.get(name, "").split(",")) - {""}


def _day(ask: Ask, name: str, default: date) -> date:
    text = ask.query.get(name)
    try:
        return date.fromisoformat(text) if text else default
    except ValueError:
        raise Refused(400, f"invalid {name}: {text}") from None


def _named(row: dict[str, Any]) -> set[str]:
    return {row[key] for key in ("symbol", "old_symbol", "new_symbol") if key in row}


def _numbered(row: dict[str, Any]) -> set[str]:
    return {row[key] for key in ("cusip", "old_cusip", "new_cusip") if key in row}


def _actions(first: date, last: date) -> Iterator[Action]:
    for split in almanac.splits(first, last):
        yield _split(split)
    for dividend in almanac.dividends(first - LAG, last):
        if first <= dividend.paid <= last:
            yield "cash_dividend", _dividend(dividend)
    for renaming in almanac.RENAMINGS:
        if first <= renaming.day <= last:
            yield "name_change", _renaming(renaming)


def _split(split: almanac.Split) -> Action:
    day = split.executed.isoformat()
    number_of = almanac.cusip(split.symbol)
    row = {
        "id": split.id,
        "symbol": split.symbol,
        "new_rate": number(split.new),
        "old_rate": number(split.old),
        "process_date": day,
        "ex_date": day,
        "record_date": (split.executed - timedelta(days=4)).isoformat(),
        "payable_date": (split.executed - timedelta(days=3)).isoformat(),
    }
    if split.is_forward:
        return "forward_split", {**row, "cusip": number_of, "due_bill_redemption_date": day}
    return "reverse_split", {
        **row,
        "old_cusip": almanac.cusip(f"{split.symbol} before {day}"),
        "new_cusip": number_of,
    }


def _dividend(dividend: almanac.Dividend) -> dict[str, Any]:
    return {
        "id": dividend.id,
        "symbol": dividend.symbol,
        "cusip": almanac.cusip(dividend.symbol),
        "rate": dividend.amount,
        "special": False,
        "foreign": False,
        "process_date": dividend.paid.isoformat(),
        "ex_date": dividend.ex.isoformat(),
        "record_date": dividend.record.isoformat(),
        "payable_date": dividend.paid.isoformat(),
    }


def _renaming(renaming: almanac.Renaming) -> dict[str, Any]:
    return {
        "id": almanac.identity("renaming", renaming.old, renaming.new),
        "old_symbol": renaming.old,
        "new_symbol": renaming.new,
        "old_cusip": almanac.cusip(renaming.old),
        "new_cusip": almanac.cusip(renaming.new),
        "process_date": renaming.day.isoformat(),
    }
