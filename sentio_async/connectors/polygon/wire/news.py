"""News about tickers.  https://massive.com/docs/rest/stocks/news"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sentio_async.connectors.polygon.wire.envelope import (
    LONG,
    PROVIDER,
    api,
    next_target,
    rows_in,
)
from sentio_async.connectors.polygon.wire.filters import page_query, ranges
from sentio_async.http.endpoint import Parts, QueryValue
from sentio_async.http.reading import ns_from_text, read_rows
from sentio_async.http.wire_json import Json
from sentio_async.models import NewsArticle, Page, Rows
from sentio_async.resilience.limiter import Priority

__all__ = ["news"]

_NEWS = ranges("ticker", "published_utc") | {"order"}


def read_article(row: Mapping[str, Any]) -> NewsArticle:
    """One article; the vendor gives a summary, not the text."""
    return NewsArticle(
        id=row["id"],
        headline=row["title"],
        url=row.get("article_url"),
        published_ns=ns_from_text(row["published_utc"]),
        provider=PROVIDER,
        symbols=tuple(row.get("tickers") or ()),
        author=row.get("author"),
        source=(row.get("publisher") or {}).get("name"),
        summary=row.get("description") or "",
        images=(row["image_url"],) if row.get("image_url") else (),
        insights=tuple(row.get("insights") or ()),
    )


def read_news(raw: Json) -> Page[Rows[NewsArticle]]:
    """One page of articles."""
    rows = read_rows(rows_in(raw), read_article, what="results")
    return Page(rows, next_target(raw.get("next_url")))


@api.get("/v2/reference/news", returns=read_news, priority=Priority.HISTORY, max_body=LONG)
def news(*, limit: int | None = None, **filters: QueryValue) -> Parts:
    """Articles, newest first."""
    sorting = {"order": "desc", "sort": "published_utc"}
    return Parts(query={**sorting, **page_query(_NEWS, filters, limit=limit, most=1000)})
