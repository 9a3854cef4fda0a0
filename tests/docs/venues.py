"""The embedded exchange beside the code of a page, and the environment that leads to it."""

from __future__ import annotations

import contextlib
import io
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from anyio.from_thread import start_blocking_portal

from sentio_async.cli.sim import show_environment
from sentio_async.sim import Exchange


@contextmanager
def exchange_in_a_thread() -> Iterator[Exchange]:
    """An exchange on a loop of its own, which also takes the keys that pages write as dots."""
    with start_blocking_portal() as portal:
        exchange = Exchange(seed=7)
        with portal.wrap_async_context_manager(exchange):
            exchange.add_account("PK...", "...")
            exchange.add_key("polygon", "...")
            exchange.add_key("smtp", "bot@example.com", "...")
            yield exchange


def environment_of(exchange: Exchange) -> Mapping[str, str]:
    """What a user would export to have every connector talk to this exchange."""
    at = exchange.addresses
    return {
        "ALPACA_API_KEY": exchange.alpaca_key,
        "ALPACA_API_SECRET": exchange.alpaca_secret,
        "SENTIO_ALPACA_BASE_URL": at.alpaca_trading,
        "SENTIO_ALPACA_DATA_URL": at.alpaca_data,
        "MASSIVE_API_KEY": exchange.polygon_key,
        "SENTIO_POLYGON_BASE_URL": at.polygon,
        "EMAIL_HOST": at.smtp_host,
        "EMAIL_PORT": str(at.smtp_port),
        "EMAIL_USERNAME": exchange.smtp_username,
        "EMAIL_PASSWORD": exchange.smtp_password,
        "EMAIL_RECIPIENTS": "desk@sentio.test",
        "SENTIO_EMAIL_TLS": "none",
        "WEBHOOK_URL": f"{at.webhook}/hook",
        "SENTIO_WEBHOOK_SIGNING_SECRET": exchange.signing_secret,
    }


def printed_environment_of(exchange: Exchange) -> Mapping[str, str]:
    """What `sentio-async sim --env` prints for this exchange."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        show_environment(exchange)
    words = (line.removeprefix("export ") for line in printed.getvalue().splitlines())
    pairs = (shlex.split(word)[0].partition("=") for word in words)
    return {name: value for name, _, value in pairs}


def stand_ins_for(exchange: Exchange) -> Mapping[str, str]:
    """What stands in for the addresses of the outside world that pages show."""
    return {
        '"smtp.example.com"': repr(exchange.addresses.smtp_host),
        '"https://hooks.example.com/in/..."': repr(f"{exchange.addresses.webhook}/hook"),
        '"whsec_..."': repr(exchange.signing_secret),
    }
