"""A server in another process whose answers have the vendors' shapes, made once each."""

import asyncio
import contextlib
import json
import multiprocessing
import os
import signal
import socket
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit

START_S = 1_704_205_800
PAGE = 10_000
"""Bars of a page of Alpaca; SPY has ten of them, every other stock one."""
AGGREGATES = {"AAPL": 10_000, "SPY": 50_000}
"""Aggregates of a page of Massive; SPY has two of them."""
WHOLE_MARKET = 10_000

ACCOUNT = {
    "id": "e6fe16f3-64a4-4921-8928-cadf02f92f98", "account_number": "PA0000000000",
    "status": "ACTIVE", "currency": "USD", "cash": "100000", "buying_power": "400000",
    "equity": "100000", "last_equity": "100000", "portfolio_value": "100000", "multiplier": "4",
    "long_market_value": "0", "short_market_value": "0", "initial_margin": "0",
    "maintenance_margin": "0", "daytrade_count": 0, "pattern_day_trader": False,
    "trading_blocked": False, "transfers_blocked": False, "account_blocked": False,
    "trade_suspended_by_user": False, "shorting_enabled": True,
    "created_at": "2025-01-02T15:04:05.123456Z",
}  # fmt: skip
STATUS = {
    "afterHours": False, "earlyHours": False, "market": "open",
    "serverTime": "2026-10-08T11:10:21-04:00", "currencies": {"crypto": "open", "fx": "open"},
    "exchanges": {"nasdaq": "open", "nyse": "open", "otc": "open"},
}  # fmt: skip
ORDER = {
    "id": "", "client_order_id": "", "created_at": "2026-10-08T15:10:21.371060727Z",
    "updated_at": "2026-10-08T15:10:21.375005748Z",
    "submitted_at": "2026-10-08T15:10:21.375005748Z", "filled_at": None, "expired_at": None,
    "expires_at": "2026-10-08T20:00:00Z", "canceled_at": None, "failed_at": None,
    "replaced_at": None, "replaced_by": None, "replaces": None,
    "asset_id": "3795cafe-fd54-4f66-a31e-66774be875ca", "symbol": "KO",
    "asset_class": "us_equity", "notional": None, "qty": "1", "filled_qty": "0",
    "filled_avg_price": None, "order_class": "", "order_type": "limit", "type": "limit",
    "side": "buy", "position_intent": "buy_to_open", "time_in_force": "day",
    "limit_price": "78.19", "stop_price": None, "status": "new", "extended_hours": False,
    "legs": None, "trail_percent": None, "trail_price": None, "hwm": None, "subtag": None,
    "source": None,
}  # fmt: skip


def symbols(count):
    """So many stocks, of four letters."""
    return [f"{a}{b}{c}{d}" for a in "ABCD" for b in _AZ for c in _AZ for d in _AZ][:count]


_AZ = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _json(value):
    return json.dumps(value, separators=(",", ":")).encode()


def quote(number):
    """A quote of Alpaca, each at a time of its own."""
    return {
        "t": f"2026-01-02T15:{number // 60 % 60:02}:{number % 60:02}.{number * 7919 % 10**9:09}Z",
        "ax": "V", "ap": 187.23 + number / 100, "as": 2, "bx": "V", "bp": 187.2 + number / 100,
        "bs": 4, "c": ["R"], "z": "C",
    }  # fmt: skip


def _bar(number):
    minute = number % 1440
    day = f"2024-{1 + number // 1440 // 28 % 12:02}-{1 + number // 1440 % 28:02}"
    return {
        "t": f"{day}T{minute // 60:02}:{minute % 60:02}:00Z",
        "o": 187.23 + number % 97 / 100, "h": 188.5 + number % 89 / 100,
        "l": 186.11 + number % 83 / 100, "c": 187.9 + number % 79 / 100, "v": 1000 + number % 7919,
        "n": 10 + number % 631, "vw": 187.512345 + number % 73 / 1000,
    }  # fmt: skip


def _aggregate(number):
    row = {**_bar(number), "t": (START_S + 60 * number) * 1000}
    return {name: row[name] for name in ("v", "vw", "o", "c", "h", "l", "t", "n")}


def snapshot(ticker, number=0):
    """A snapshot of Massive, its members in the order of recorded ones."""
    ns = 1_651_251_948_294_080_343 + number * 1_000_003
    bar = {"c": 160.315, "h": 166.2, "l": 159.8, "o": 161.84, "v": 68840127, "vw": 162.7124}
    return {
        "day": bar,
        "lastQuote": {"P": 159.99, "S": 5, "p": 159.98, "s": 3, "t": ns},
        "lastTrade": {"c": [14, 41], "i": "121351", "p": 159.99, "s": 200, "t": ns, "x": 12},
        "min": {"av": 68834255, **bar, "t": 1_684_428_600_000 + number, "n": 5},
        "prevDay": {**bar, "c": 163.64},
        "ticker": ticker, "todaysChange": -3.65, "todaysChangePerc": -2.231, "updated": ns,
    }  # fmt: skip


def _alpaca(path, query):
    parts = path.strip("/").split("/")
    wanted = query.get("symbols", [""])[0].split(",")
    if path.endswith("/quotes/latest") and wanted[0]:
        return {"quotes": {name: quote(index) for index, name in enumerate(wanted)}}
    if path == "/v2/stocks/bars" or parts[-1] == "bars":
        symbol = wanted[0] or parts[2]
        page = int(query.get("page_token", ["0"])[0])
        rows = [_bar(number) for number in range(page * PAGE, (page + 1) * PAGE)]
        token = str(page + 1) if symbol == "SPY" and page < 9 else None
        bars = {symbol: rows} if wanted[0] else rows
        return {"bars": bars, "next_page_token": token} | ({} if wanted[0] else {"symbol": symbol})
    if parts[1] != "stocks" or parts[2] == "meta":
        return {"account": ACCOUNT, "stocks": {"V": "Investors Exchange"}}.get(parts[1], [])
    return {"symbol": parts[2], "quote": quote(0)}


def _massive(path, query, base):
    parts = path.strip("/").split("/")
    head = {"status": "OK", "request_id": "957db942cab2d6b0633b9b4820db0cb2"}
    if parts[1] == "aggs":
        ticker = parts[3]
        page = int(query.get("cursor", ["0"])[0])
        size = AGGREGATES[ticker]
        rows = [_aggregate(number) for number in range(page * size, (page + 1) * size)]
        more = ticker == "SPY" and page == 0
        counts = {"ticker": ticker, "queryCount": size, "resultsCount": size, "count": size}
        further = {"next_url": f"{base}{path}?cursor=1"} if more else {}
        return {**head, **counts, "adjusted": True, "results": rows, **further}
    if parts[1] == "last":
        quote = {"P": 159.99, "S": 5, "X": 11, "p": 159.98, "s": 3, "x": 12, "t": START_S * 10**9}
        return {**head, "results": {"T": parts[-1], "q": 83480742, "z": 3, **quote}}
    if parts[-1] != "tickers":
        return {**head, "ticker": snapshot(parts[-1])}
    wanted = query["tickers"][0].split(",") if "tickers" in query else symbols(WHOLE_MARKET)
    rows = [snapshot(ticker, index) for index, ticker in enumerate(wanted)]
    return {**head, "count": len(rows), "tickers": rows}


@lru_cache(maxsize=4096)
def answer_to(target, host):
    """The bytes that answer a GET."""
    url = urlsplit(target)
    query = parse_qs(url.query)
    if url.path == "/v1/marketstatus/now":
        return _whole(_json(STATUS))
    if any(part in url.path for part in ("/aggs/", "/snapshot/", "/v2/last/")):
        return _whole(_json(_massive(url.path, query, f"http://{host}")))
    return _whole(_json(_alpaca(url.path, query)))


_HEAD = (
    b"HTTP/1.1 200 OK\r\nserver: nginx\r\ndate: Thu, 08 Oct 2026 15:10:21 GMT\r\n"
    b"content-type: application/json; charset=UTF-8\r\ncontent-length: %d\r\n"
    b"connection: keep-alive\r\nx-ratelimit-limit: 1000000000\r\n"
    b"x-ratelimit-remaining: 999999999\r\nx-ratelimit-reset: 4070908800\r\nvary: Origin\r\n"
    b"x-request-id: 0d5b2a5e6f3a4c1b9e8d7f6a5b4c3d2e\r\n"
    b"strict-transport-security: max-age=31536000\r\n\r\n"
)


def _whole(body):
    return _HEAD % len(body) + body


class _Venue(asyncio.Protocol):
    """Reads requests, bodies included; an order is answered with the id that it came with."""

    orders = 0

    def __init__(self, delay):
        self._delay = delay

    def connection_made(self, transport):
        self._transport = transport
        self._left = b""
        # A large answer leaves at once, and does not wait until this process has its next turn.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 21)

    def data_received(self, data):
        self._left += data
        while b"\r\n\r\n" in self._left:
            head, _, rest = self._left.partition(b"\r\n\r\n")
            line, *lines = head.decode("latin-1").split("\r\n")
            fields = {name.lower(): value for name, _, value in (f.partition(": ") for f in lines)}
            size = int(fields.get("content-length", 0))
            if len(rest) < size:
                return
            body, self._left = rest[:size], rest[size:]
            method, target, _ = line.split(" ")
            if method == "POST":
                answer = _whole(self._order(json.loads(body)))
            else:
                answer = answer_to(target, fields["host"])
            if self._delay:
                asyncio.get_running_loop().call_later(self._delay, self._transport.write, answer)
            else:
                self._transport.write(answer)

    def _order(self, asked):
        _Venue.orders += 1
        own = f"ad78ddf9-eadd-49e7-b451-{_Venue.orders:012}"
        given = asked.get("client_order_id") or own
        return _json({**ORDER, "id": own, "client_order_id": given})


def _serve(line, delay, core):
    if core is not None:
        os.sched_setaffinity(0, {core})

    async def main():
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        server = await loop.create_server(lambda: _Venue(delay), "127.0.0.1", 0, backlog=2048)
        line.send(server.sockets[0].getsockname()[1])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(600):
                await stop.wait()

    asyncio.run(main())


@contextlib.contextmanager
def venue(delay=0.0, *, pin=False):
    """The base URL of both vendors; they answer after so many seconds, pinned on core 1."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, delay, 1 if pin else None), daemon=True)
    process.start()
    if not ours.poll(20):
        raise RuntimeError("the server did not start")
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join(5)
