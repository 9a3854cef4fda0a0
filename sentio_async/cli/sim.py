"""`sentio-async sim`: the embedded exchange, until Ctrl-C."""

import asyncio
import contextlib
import importlib
import json
import shlex
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sentio_async import errors

if TYPE_CHECKING:
    from sentio_async.sim.exchange import Exchange
    from sentio_async.sim.faults import FaultRule

Port = Annotated[int, typer.Option(min=0, max=65535, help="0 lets the system choose.")]
# What a user configures, and the venues it needs.
CONNECTORS: Mapping[str, frozenset[str]] = {
    "alpaca": frozenset({"alpaca_trading", "alpaca_data"}),
    "polygon": frozenset({"polygon"}),
    "email": frozenset({"smtp"}),
    "webhook": frozenset({"webhook"}),
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sim")(sim)


def sim(
    seed: Annotated[int, typer.Option(help="Prices and faults follow from it.")] = 0,
    replay: Annotated[
        Path | None, typer.Option(help="Real bars, CSV or Parquet, in place of made-up prices.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(help='What goes wrong: \'{"kind": "drop_after", "path": "*/orders"}\'.'),
    ] = None,
    venue: Annotated[
        list[str] | None, typer.Option(help="Only this venue; may be repeated.")
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port_alpaca_trading: Port = 0,
    port_alpaca_data: Port = 0,
    port_polygon: Port = 0,
    port_webhook: Port = 0,
    port_smtp: Port = 0,
    port_control: Port = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
    as_env: Annotated[
        bool, typer.Option("--env", help="Shell lines that lead every connector here.")
    ] = False,
) -> None:
    """Serve Alpaca, Polygon, a mail server and a webhook sink until Ctrl-C."""
    ports = {
        "alpaca_trading": port_alpaca_trading,
        "alpaca_data": port_alpaca_data,
        "polygon": port_polygon,
        "webhook": port_webhook,
        "smtp": port_smtp,
        "control": port_control,
    }
    given: dict[str, Any] = {"seed": seed, "host": host, "ports": ports}
    given["faults"] = [read_fault(each) for each in fault or ()]
    if venue:
        given["venues"] = venue
    if replay is not None:
        given["replay"] = read_replay(replay)
    show = show_environment if as_env else show_table
    asyncio.run(serve(given, show_json if as_json else show))


def read_fault(text: str) -> "FaultRule":
    """The rule that a `--fault` describes."""
    need_sim()
    from sentio_async.sim.faults import FaultRule

    try:
        return FaultRule.from_json(json.loads(text))
    except (TypeError, ValueError) as exc:
        raise errors.ConfigurationError(f"--fault {text!r}: {exc}") from exc


def read_replay(path: Path) -> Mapping[str, Any]:
    """The bars in a file, by symbol."""
    need_sim()
    from sentio_async.sim.replay import read_bars

    try:
        bars: Mapping[str, Any] = read_bars(path)
    except ImportError as exc:
        raise errors.MissingExtraError(f"--replay {path}", "parquet") from exc
    except (OSError, ValueError, LookupError) as exc:
        raise errors.ConfigurationError(f"--replay {path}: {exc}") from exc
    return bars


def need_sim() -> None:
    """Raise MissingExtraError, which names the extra, when the exchange cannot be imported."""
    try:
        importlib.import_module("sentio_async.sim.exchange")
    except ImportError as exc:
        raise errors.MissingExtraError("the embedded exchange", "sim") from exc


async def serve(given: Mapping[str, Any], show: "Callable[[Exchange], None]") -> None:
    """Run an exchange, show where it is, and end with the first SIGINT or SIGTERM."""
    need_sim()
    from sentio_async.sim.exchange import Exchange

    told = asyncio.Event()
    _on_signals(told)
    async with contextlib.AsyncExitStack() as stack:
        try:
            exchange = await stack.enter_async_context(Exchange(**given))
        except (OSError, ValueError) as exc:
            raise errors.ConfigurationError(f"the exchange cannot start: {exc}") from exc
        show(exchange)
        await told.wait()


def _on_signals(told: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(each, told.set)
        except NotImplementedError:  # Windows
            signal.signal(each, lambda *_: loop.call_soon_threadsafe(told.set))


def settings_of(exchange: "Exchange") -> dict[str, dict[str, Any]]:
    """Ready-made settings of every connector that has its venues."""
    there = set(exchange.venues)
    return {name: exchange.settings(name) for name, needed in CONNECTORS.items() if needed <= there}


def show_json(exchange: "Exchange") -> None:
    """Print addresses and settings as one line of JSON."""
    found = {"addresses": exchange.addresses.as_json(), "settings": settings_of(exchange)}
    print(json.dumps(found), flush=True)


def show_environment(exchange: "Exchange") -> None:
    """Print the settings of each connector as lines that a shell takes."""
    for connector, settings in settings_of(exchange).items():
        for name, value in settings.items():
            variable = f"SENTIO_{connector}_{name}".upper()
            print(f"export {variable}={shlex.quote(str(value))}", flush=True)


def show_table(exchange: "Exchange") -> None:
    """Print the settings of each connector for people to read."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="The embedded exchange", title_justify="left")
    for name in ("Connector", "Setting", "Value"):
        table.add_column(name, overflow="fold")
    for connector, settings in settings_of(exchange).items():
        for number, (name, value) in enumerate(settings.items()):
            table.add_row("" if number else connector, name, str(value))
        table.add_section()
    table.add_row("control", "", exchange.addresses.control)
    console = Console()
    console.print(table)
    console.print("Ctrl-C ends it.", style="dim")
