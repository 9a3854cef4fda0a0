"""`sentio-async demo`: the whole library at work against the embedded exchange."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sentio_async import errors
from sentio_async.cli.sim import need_sim, read_replay

if TYPE_CHECKING:
    from sentio_async.base import BrokerConnector, DataProviderConnector, NotificationConnector
    from sentio_async.models import Order, Quote, Receipt
    from sentio_async.sim.exchange import Exchange

SYMBOLS = ("AAPL", "MSFT", "NVDA", "SPY", "TSLA")
PATIENCE = 10.0
"""How long an order may take to fill, in seconds; at the embedded exchange it is a blink."""


@dataclass
class Seen:
    """What came back, row by row, and what did not happen."""

    quotes: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    fills: list[dict[str, Any]] = field(default_factory=list)
    notifications: list[dict[str, Any]] = field(default_factory=list)
    health: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    seed: Annotated[int, typer.Option(help="Prices follow from it.")] = 7,
    replay: Annotated[
        Path | None, typer.Option(help="Real bars, CSV or Parquet, in place of made-up prices.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> None:
    """Quotes, orders, fills, notifications and health, with no account and no key."""
    need_sim()
    bars = None if replay is None else read_replay(replay)
    seen = asyncio.run(_run(seed, bars))
    if as_json:
        print(json.dumps(asdict(seen)))
    else:
        _show(seen)
    if seen.problems:
        raise typer.Exit(1)


async def _run(seed: int, bars: Mapping[str, Any] | None) -> Seen:
    from sentio_async.hub import ConnectorHub
    from sentio_async.sim.exchange import Exchange

    started = time.monotonic()
    seen = Seen()
    symbols = SYMBOLS if bars is None else tuple(bars)[: len(SYMBOLS)]
    async with Exchange(seed=seed, replay=bars) as exchange, ConnectorHub() as hub:
        broker = hub.create_broker("alpaca", exchange.settings("alpaca"))
        data = hub.create_data_provider("polygon", exchange.settings("polygon"))
        mail = hub.create_notification("email", exchange.settings("email"))
        hook = hub.create_notification("webhook", exchange.settings("webhook"))
        try:
            await hub.connect()
            quotes = await _fetch(data, symbols, seen)
            filled = await _trade(broker, quotes, seen)
            for notifier in (mail, hook):
                await _tell(notifier, exchange, filled, seen)
            for name, report in (await hub.health.check_all()).items():
                seen.health.append({"connector": name, **report.model_dump(mode="json")})
        except errors.ConnectorError as exc:
            seen.problems.append(f"{type(exc).__name__}: {exc}")
    _complain(seen)
    seen.seconds = round(time.monotonic() - started, 3)
    return seen


async def _fetch(
    data: "DataProviderConnector", symbols: tuple[str, ...], seen: Seen
) -> list["Quote"]:
    batch = await data.get_quotes(symbols)
    for symbol, error in batch.errors.items():
        seen.problems.append(f"no quote of {symbol}: {error}")
    for quote in batch.found.values():
        row = {"symbol": quote.symbol, "bid": quote.bid, "ask": quote.ask}
        seen.quotes.append({**row, "at": quote.time.isoformat(), "provider": quote.provider})
    return list(batch.found.values())


async def _trade(broker: "BrokerConnector", quotes: list["Quote"], seen: Seen) -> list["Order"]:
    """Buy at the market and with a limit, sell a part again, cancel what cannot fill."""
    if not quotes:
        return []
    first, last = quotes[0].symbol, quotes[-1]
    bought = await broker.place_order(first, 10, "buy")
    limit = round(last.ask * 1.02, 2)
    limited = await broker.place_order(last.symbol, 5, "buy", order_type="limit", limit_price=limit)
    filled = [await _see_filled(broker, order.id) for order in (bought, limited)]
    sold = await broker.place_order(first, 4, "sell")
    filled.append(await _see_filled(broker, sold.id))
    low = round(last.bid / 2, 2)
    far = await broker.place_order(last.symbol, 1, "buy", order_type="limit", limit_price=low)
    await broker.cancel_order(far.id)
    canceled = await _wait_for(broker, far.id, lambda order: order.is_final)
    for order in (*filled, canceled):
        fields = {"id", "client_order_id", "symbol", "side", "type", "qty", "status", "filled_qty"}
        seen.orders.append(order.model_dump(mode="json", include=fields | {"filled_avg_price"}))
    ids = {order.id for order in filled}
    async for fill in broker.iter_fills():
        if fill.order_id in ids:
            seen.fills.append(fill.model_dump(mode="json", exclude={"nanoseconds"}))
    if canceled.status.value != "canceled":
        seen.problems.append(f"order {far.id} is {canceled.status.value}, not canceled")
    return filled


async def _see_filled(broker: "BrokerConnector", order_id: str) -> "Order":
    return await _wait_for(broker, order_id, lambda order: order.status.value == "filled")


async def _wait_for(
    broker: "BrokerConnector", order_id: str, is_so: "Callable[[Order], bool]"
) -> "Order":
    """Poll until the venue says so."""
    until = time.monotonic() + PATIENCE
    while True:
        order = await broker.get_order(order_id)
        if is_so(order):
            return order
        if order.is_final or time.monotonic() > until:
            raise errors.ConnectorError(f"order {order_id} is {order.status.value}, not as hoped")
        await asyncio.sleep(0.05)


async def _tell(
    notifier: "NotificationConnector", exchange: "Exchange", filled: list["Order"], seen: Seen
) -> None:
    receipts = [await notifier.send_alert("demo", "All connectors answer.", priority="normal")]
    for order in filled[:1]:
        trade = {
            "symbol": order.symbol,
            "side": order.side,
            "qty": order.filled_qty,
            "price": order.filled_avg_price,
            "order_id": order.id,
            "status": order.status.value,
        }
        receipts.append(await notifier.send_trade_notification(trade))
    for receipt in receipts:
        arrived = _has_arrived(exchange, receipt)
        row = {"connector": receipt.connector, "id": receipt.id, "arrived": arrived}
        seen.notifications.append({**row, "sent_at": receipt.sent_at.isoformat()})
        if not (arrived and receipt.is_delivered):
            seen.problems.append(f"{receipt.connector} message {receipt.id} did not arrive")


def _has_arrived(exchange: "Exchange", receipt: "Receipt") -> bool:
    """The mail server or the sink has it, under the very id of the receipt."""
    mails = (str(mail.message["Message-ID"]) for mail in exchange.inbox)
    hooks = (hook.headers.get("webhook-id") for hook in exchange.hooks)
    return receipt.id in {*mails, *hooks}


def _complain(seen: Seen) -> None:
    for name in ("quotes", "orders", "fills", "notifications", "health"):
        if not getattr(seen, name):
            seen.problems.append(f"no {name} came back")
    for report in seen.health:
        if report["status"] != "healthy":
            seen.problems.append(f"{report['connector']} is {report['status']}: {report['reason']}")


def _show(seen: Seen) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    columns = {
        "quotes": ("symbol", "bid", "ask", "at", "provider"),
        "orders": ("symbol", "side", "type", "qty", "status", "filled_avg_price"),
        "fills": ("symbol", "qty", "price", "at"),
        "notifications": ("connector", "arrived", "id"),
        "health": ("connector", "status", "latency"),
    }
    for name, shown in columns.items():
        table = Table(title=name.capitalize(), title_justify="left")
        for column in shown:
            table.add_column(column.replace("_", " "))
        for row in getattr(seen, name):
            table.add_row(*(_text(row.get(column)) for column in shown))
        console.print(table)
    for problem in seen.problems:
        console.print(f"problem: {problem}", style="red", highlight=False)
    if not seen.problems:
        console.print(f"All of it came back over the wire, in {seen.seconds:.1f} s.")


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return "" if value is None else str(value)
