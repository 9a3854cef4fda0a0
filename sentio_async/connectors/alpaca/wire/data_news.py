"""News about stocks and crypto, and corporate actions.

https://docs.alpaca.markets/reference/news-3, https://docs.alpaca.markets/reference/corporateactions-1
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sentio_async import errors
from sentio_async.connectors.alpaca.wire.data_api import Span, api
from sentio_async.connectors.alpaca.wire.data_rows import PROVIDER
from sentio_async.http.endpoint import Parts, QueryValue
from sentio_async.http.reading import (
    date_from_text,
    decimal_or_none,
    ns_from_text,
    read_rows,
)
from sentio_async.http.wire_json import Json
from sentio_async.models import CorporateAnnouncement, NewsArticle, Page, Rows
from sentio_async.resilience.limiter import Priority

__all__ = ["MOST_ACTIONS", "MOST_ARTICLES", "corporate_actions", "news"]

MOST_ARTICLES = 50
MOST_ACTIONS = 1000
RECENT = Span(limit=MOST_ARTICLES)
TODAY = Span(limit=MOST_ACTIONS)


def read_news(raw: Json) -> Page[Rows[NewsArticle]]:
    """Articles, and where the rest is."""
    return Page(read_rows(raw["news"], read_article, what="news"), raw.get("next_page_token"))


def read_article(raw: Json) -> NewsArticle:
    """One article; the times of its first and last version are often the same."""
    images = [image["url"] for image in raw.get("images") or () if image.get("url")]
    return NewsArticle(
        id=str(raw["id"]),
        headline=raw["headline"],
        url=raw.get("url") or None,
        published_ns=ns_from_text(raw["created_at"]),
        provider=PROVIDER,
        symbols=tuple(raw.get("symbols") or ()),
        author=raw.get("author") or None,
        source=raw.get("source") or None,
        summary=raw.get("summary") or "",
        content=raw.get("content") or "",
        images=tuple(images),
    )


@api.get("/v1beta1/news", returns=read_news, priority=Priority.HISTORY)
def news(
    symbols: Iterable[str] | None = None,
    span: Span = RECENT,
    *,
    content: bool | None = None,
    only_with_content: bool | None = None,
) -> Parts:
    """Articles, newest first unless asked for otherwise, all of them or those about ``symbols``."""
    query: dict[str, QueryValue] = {
        "symbols": symbols,
        **span.query(),
        "include_content": content,
        "exclude_contentless": only_with_content,
    }
    return Parts(query=query)


# The list in which an action stands is its kind.  New kinds are read by their list's own name.
_KINDS = {
    "reverse_splits": "reverse_split",
    "forward_splits": "forward_split",
    "unit_splits": "unit_split",
    "cash_dividends": "cash_dividend",
    "stock_dividends": "stock_dividend",
    "spin_offs": "spin_off",
    "cash_mergers": "cash_merger",
    "stock_mergers": "stock_merger",
    "stock_and_cash_mergers": "stock_and_cash_merger",
    "redemptions": "redemption",
    "name_changes": "name_change",
    "worthless_removals": "worthless_removal",
    "rights_distributions": "rights_distribution",
    "partial_calls": "partial_call",
    "reorganizations": "reorganization",
}
# Where "rate" is money per share, and where it is shares per share.
_PAYS_CASH = frozenset({"cash_dividend", "cash_merger", "redemption"})
_GIVES_SHARES = frozenset({"stock_dividend", "rights_distribution"})


def read_actions(raw: Json) -> Page[Rows[CorporateAnnouncement]]:
    """Corporate actions of every kind, and where the rest is."""
    groups = raw["corporate_actions"]
    if not isinstance(groups, Mapping):
        raise errors.DecodeError("corporate actions: groups by kind are needed")
    named = [
        (_KINDS.get(group, group), row) for group, found in groups.items() for row in found or ()
    ]
    items = read_rows(named, lambda pair: read_action(*pair), what="corporate actions")
    return Page(items, raw.get("next_page_token"))


def _first(raw: Mapping[str, Any], *names: str) -> Any:
    return next((raw[name] for name in names if raw.get(name) not in (None, "")), None)


def read_action(kind: str, raw: Mapping[str, Any]) -> CorporateAnnouncement:
    """One action: who is concerned, who takes their place, what is paid, what is exchanged."""
    pays, gives = kind in _PAYS_CASH, kind in _GIVES_SHARES
    rate = raw.get("rate")
    return CorporateAnnouncement(
        id=str(raw["id"]),
        type=kind,
        subtype=_first(raw, "sub_type", "lottery_type"),
        symbol=_first(raw, "symbol", "old_symbol", "acquiree_symbol", "source_symbol"),
        target_symbol=_first(raw, "new_symbol", "acquirer_symbol"),
        ex_date=date_from_text(_first(raw, "ex_date", "effective_date")),
        record_date=date_from_text(raw.get("record_date")),
        payable_on=date_from_text(raw.get("payable_date")),
        cash=decimal_or_none(rate if pays else _first(raw, "cash_rate", "price")),
        old_rate=decimal_or_none(_first(raw, "old_rate", "source_rate", "acquiree_rate")),
        new_rate=decimal_or_none(rate if gives else _first(raw, "new_rate", "acquirer_rate")),
        raw=raw,
    )


@api.get("/v1/corporate-actions", returns=read_actions, priority=Priority.HISTORY)
def corporate_actions(
    symbols: Iterable[str] | None = None,
    span: Span = TODAY,
    *,
    kinds: Iterable[str] | None = None,
    cusips: Iterable[str] | None = None,
    ids: Iterable[str] | None = None,
    region: str | None = None,
) -> Parts:
    """Corporate actions by the day they are processed; without dates, those of today.

    ``ids`` excludes every other filter.  ``region`` is ``us``, ``non_us`` or ``all``.
    """
    query: dict[str, QueryValue] = {
        "symbols": symbols,
        "cusips": cusips,
        "types": kinds,
        "ids": ids,
        "region": region,
        **span.query(),
    }
    return Parts(query=query)
