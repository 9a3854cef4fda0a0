"""The `sentio-async` command.

Each command is one module here with `register(app)`, and one line in `COMMANDS`. Commands import
what they need when they run, so `--help` stays quick and no extra is needed before its command.
"""

import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sentio_async import errors

if TYPE_CHECKING:
    import typer

__all__ = ["main"]

COMMANDS = ("demo", "orders", "sim")
NAME = "sentio-async"
EXIT_ERROR = 2
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a failure of ours is one line on stderr and exit code 2."""
    try:
        app = _app()
        app(args=None if arguments is None else list(arguments), prog_name=NAME)
    except errors.ConnectorError as exc:
        print(f"{NAME}: {_one_line(exc)}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0


def _app() -> "typer.Typer":
    try:
        import typer
    except ImportError as exc:
        raise errors.MissingExtraError("the command line", "cli") from exc
    app = typer.Typer(
        name=NAME,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Brokers, market data and notifications behind one typed asyncio interface.",
    )
    # With a single command typer would drop its name; a callback keeps `sentio-async sim`.
    app.callback()(_together)
    for name in COMMANDS:
        importlib.import_module(f"sentio_async.cli.{name}").register(app)
    return app


def _together() -> None:
    """Brokers, market data and notifications behind one typed asyncio interface."""


def _one_line(exc: BaseException) -> str:
    return " ".join(str(exc).split())
