"""Polygon's reference data: tickers, exchanges, conditions, news.

https://massive.com/docs/rest/stocks/tickers/all-tickers
"""

import hashlib
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from itertools import islice

from starlette.routing import BaseRoute

from sentio_async.sim.state import State
from sentio_async.sim.venues.almanac import RENAMINGS, Article, articles
from sentio_async.sim.venues.polygon.asking import (
    Ask,
    Json,
    bounds,
    filtered,
    missing,
    ordered,
    paged,
    route,
)
from sentio_async.sim.venues.polygon.codes import CONDITIONS, EXCHANGES, NEW_EXCHANGES, TYPES
from sentio_async.sim.venues.polygon.tickers import Named, every, find, is_active
from sentio_async.sim.venues.times import DAY, day_text, rfc3339, utc_midnight

FILTERS = ("ticker", "type", "market", "exchange", "cusip", "cik")
RELATED = 10
FIRST_NEWS = utc_midnight(date(2016, 6, 22))


def routes(state: State) -> list[BaseRoute]:
    """What the tickers are and what the codes mean."""
    found: list[BaseRoute] = [
        route(state, "/v3/reference/tickers", _tickers),
        route(state, "/v3/reference/tickers/types", _types),
        route(state, "/v3/reference/tickers/{ticker}", _details),
        route(state, "/v3/reference/exchanges", _exchanges),
        route(state, "/v3/reference/conditions", _conditions),
        route(state, "/v1/related-companies/{ticker}", _related),
        route(state, "/vX/reference/tickers/{id}/events", _events),
        route(state, "/v2/reference/news", _news),
    ]
    return [
        *found,
        *(route(state, f"/{kind}/v1/exchanges", _new_exchanges(kind)) for kind in NEW_EXCHANGES),
    ]


def cik(ticker: str) -> str:
    """Ten digits that identify a company; only as real as the company is here."""
    return f"{int(hashlib.sha256(ticker.encode()).hexdigest()[:8], 16) % 2_000_000:010d}"


def _figi(ticker: str, letter: str) -> str:
    digest = hashlib.sha256(f"{letter}{ticker}".encode()).hexdigest()[:8].upper()
    return f"BBG{letter}{digest}"


def ticker_row(ask: Ask, named: Named) -> Json:
    """One ticker as the list of tickers shows it."""
    row: Json = {
        "ticker": named.ticker,
        "name": named.name,
        "market": named.kind,
        "locale": "us" if named.kind in ("stocks", "indices") else "global",
        "active": is_active(named),
    }
    if named.kind == "stocks":
        row |= {
            "primary_exchange": named.mic,
            "type": named.type,
            "currency_name": "usd",
            "cik": cik(named.ticker),
            "composite_figi": _figi(named.ticker, "0"),
            "share_class_figi": _figi(named.ticker, "1"),
            "last_updated_utc": f"{day_text(ask.now_ns)}T00:00:00Z",
        }
        return row if is_active(named) else {**row, "delisted_utc": "2022-11-08T05:00:00Z"}
    if named.is_utc:
        base, _, quote = named.name.partition(" - ")
        symbol = named.ticker[2:]
        row |= {"base_currency_symbol": symbol[:-3], "base_currency_name": base}
        row |= {"currency_symbol": symbol[-3:], "currency_name": quote}
    return row


def _tickers(ask: Ask) -> Json:
    limit = ask.number("limit", 100, 1_000)
    active = ask.flag("active", True)
    rows = [ticker_row(ask, each) for each in every(ask) if is_active(each) == active]
    search = ask.query.get("search", "").lower()
    if search:
        rows = [row for row in rows if search in f"{row['ticker']} {row['name']}".lower()]
    rows = ordered(ask, filtered(ask, rows, FILTERS), "ticker")
    page = paged(ask, rows, limit)
    return {**page, "count": len(page["results"])}


def _types(ask: Ask) -> Json:
    rows = filtered(ask, TYPES, ("asset_class", "locale"))
    return ask.envelope(results=rows, count=len(rows))


def shares(named: Named) -> int:
    """Shares outstanding: some hundred days of trading."""
    volume = named.instrument.volume if named.instrument is not None else 0
    return volume * 24 * 100


def _details(ask: Ask) -> Json:
    named = find(ask, ask.text("ticker"))
    if named is None:
        raise missing("Ticker not found.")
    row = ticker_row(ask, named)
    row.setdefault("currency_name", "usd")
    row.pop("last_updated_utc", None)
    if named.kind == "stocks":
        price = ask.state.market.price(named.symbol) or Decimal(0)
        branding = f"{ask.host}/v1/reference/company-branding/{named.ticker}"
        row |= {
            "ticker_root": named.ticker.partition(".")[0],
            "description": f"{named.name}, as listed on the embedded exchange.",
            "homepage_url": "https://www.sentio.test",
            "list_date": "2003-09-10",
            "round_lot": 100,
            "share_class_shares_outstanding": shares(named),
            "weighted_shares_outstanding": shares(named),
            "market_cap": shares(named) * price,
            "branding": {"logo_url": f"{branding}/logo.svg", "icon_url": f"{branding}/icon.png"},
        }
    return ask.envelope(results=row, count=1)


def _exchanges(ask: Ask) -> Json:
    rows = filtered(ask, EXCHANGES, ("asset_class", "locale"))
    return ask.envelope(results=rows, count=len(rows))


def _new_exchanges(kind: str) -> Callable[[Ask], Json]:
    def handler(ask: Ask) -> Json:
        limit = ask.number("limit", 100, 1_000)
        return paged(ask, NEW_EXCHANGES[kind], limit)

    return handler


def _conditions(ask: Ask) -> Json:
    limit = ask.number("limit", 10, 1_000)
    rows = filtered(ask, CONDITIONS, ("asset_class", "id"))
    for parameter, column in (("data_type", "data_types"), ("sip", "sip_mapping")):
        wanted = ask.query.get(parameter)
        rows = [row for row in rows if not wanted or wanted in row[column]]
    rows = ordered(ask, rows, "asset_class")
    return {**paged(ask, rows, limit), "count": len(rows)}


def _related(ask: Ask) -> Json:
    named = find(ask, ask.text("ticker"))
    if named is None or named.kind != "stocks":
        raise missing("Ticker not found.")
    others = [each.ticker for each in every(ask, "stocks") if is_active(each)]
    others = [each for each in others if each != named.ticker][:RELATED]
    return ask.envelope(ticker=named.ticker, results=[{"ticker": each} for each in others])


def _events(ask: Ask) -> Json:
    wanted = ask.text("id")
    named = find(ask, wanted) or next(
        (n for n in every(ask, "stocks") if cik(n.ticker) == wanted), None
    )
    if named is None or named.kind != "stocks":
        raise missing("Ticker not found.")
    events = [_event(named.ticker, "2003-09-10")]
    for renaming in RENAMINGS:
        if renaming.new == named.ticker:
            events = [
                _event(renaming.new, renaming.day.isoformat()),
                _event(renaming.old, "2012-05-18"),
            ]
    results = {"name": named.name, "cik": cik(named.ticker), "events": events}
    return ask.envelope(results={**results, "composite_figi": _figi(named.ticker, "0")})


def _event(ticker: str, day: str) -> Json:
    # The description says event_type, the recordings say type.
    kinds = {"type": "ticker_change", "event_type": "ticker_change"}
    return {**kinds, "date": day, "ticker_change": {"ticker": ticker}}


def _news(ask: Ask) -> Json:
    limit = ask.number("limit", 10, 1_000)
    is_ascending = ask.one_of("order", ("asc", "desc"), "desc") == "asc"
    start, end = bounds(ask, "published_utc", 1_000_000_000, (FIRST_NEWS, ask.now_ns), is_utc=True)
    if ask.place is not None:
        start, end = (ask.place[0], end) if is_ascending else (start, ask.place[0])
    listed = [n for n in (*every(ask, "stocks"), *every(ask, "crypto")) if is_active(n)]
    names = {n.symbol: n.instrument.name for n in listed if n.instrument is not None}
    tickers = {n.symbol: n.ticker for n in listed}
    rows = [{"ticker": ticker} for ticker in tickers.values()]
    wanted = {row["ticker"] for row in filtered(ask, rows, ("ticker",))}
    told = _oldest_first(names, start, end) if is_ascending else articles(names, start, end)
    found = list(islice((each for each in told if tickers[each.symbol] in wanted), limit + 1))
    page = ask.envelope(
        results=[_article(each, tickers[each.symbol]) for each in found[:limit]],
        count=min(limit, len(found)),
    )
    if len(found) > limit:
        page["next_url"] = ask.next_url(str(found[limit].time_ns))
    return page


def _oldest_first(names: dict[str, str], start: int, end: int) -> Iterator[Article]:
    while start <= end:
        last = min(start + 30 * DAY, end)
        yield from reversed(list(articles(names, start, last)))
        start = last + 1


def _article(article: Article, ticker: str) -> Json:
    return {
        "id": hashlib.sha256(str(article.number).encode()).hexdigest()[:43],
        "publisher": {
            "name": "Sentio Newsdesk",
            "homepage_url": "https://news.sentio.test/",
            "logo_url": "https://news.sentio.test/logo.svg",
            "favicon_url": "https://news.sentio.test/favicon.ico",
        },
        "title": article.headline,
        "author": article.author,
        "published_utc": rfc3339(article.time_ns),
        "article_url": article.url,
        "tickers": [ticker],
        "image_url": f"{article.url}/large.png",
        "description": article.summary,
        "keywords": ["markets"],
        "insights": [
            {
                "ticker": ticker,
                "sentiment": article.mood,
                "sentiment_reasoning": article.summary,
            }
        ],
    }
