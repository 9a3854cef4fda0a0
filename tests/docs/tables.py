"""The tables that pages take from the code: `python -m tests.docs.tables` writes them anew."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from sentio_async import errors, events
from sentio_async.config import ConnectorConfig, Timeouts, variables_of
from sentio_async.connectors.alpaca.config import AlpacaConfig
from sentio_async.connectors.email.config import EmailConfig
from sentio_async.connectors.polygon.config import PolygonConfig
from sentio_async.connectors.webhook.config import WebhookConfig
from sentio_async.orders import happenings
from sentio_async.orders.settings import BrokerConfig
from sentio_async.streams import reports
from tests.docs.pages import CHECKOUT

CONFIGURATION = CHECKOUT / "docs" / "configuration.md"
ERRORS = CHECKOUT / "docs" / "errors.md"
RESILIENCE = CHECKOUT / "docs" / "resilience.md"
# For settings whose name says it in the code, and does not in a table.
MEANINGS = {
    "connect": "Opening a connection.",
    "read": "Silence while an answer is read.",
    "write": "Silence while a request is sent.",
    "pool": "Waiting for a free connection.",
    "timeouts": "See the table of timeouts.",
    "max_in_flight": "Requests at a time, a quarter only for orders; more wait, orders first.",
    "api_key": "The key, or its id where there is a secret too.",
    "api_secret": "The secret that belongs to the key.",
    "base_url": "Where requests go.",
    "data_url": "Where market data comes from.",
    "host": "The SMTP server.",
    "tls": "How the connection is protected.",
    "username": "Who logs in.",
    "password": "Their password.",
    "login": "How the server is told who sends.",
    "reply_to": "Where answers go.",
    "subject_prefix": "Put in front of every subject.",
    "resend": "What to do with a message that may have arrived.",
    "max_message_bytes": "The largest message that is sent.",
    "messages_per_connection": "After so many a new connection is opened.",
    "format": "What the receiver understands.",
    "max_body_bytes": "The largest answer that is read.",
}
# A text cannot say these.
NOT_FROM_ENVIRONMENT = frozenset(
    {"timeouts", "headers", "token_provider", "allowed_hosts", "allowed_ports"}
)
_SECONDS = re.compile(r"(_timeout|_seconds|_pause|_horizon|_every)$")


def docstrings_of(kind: type[BaseModel]) -> Mapping[str, str]:
    """The text under each field of a class."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found


def own_fields(kind: type[BaseModel]) -> list[str]:
    """The settings that the class itself declares."""
    return [name for name in kind.model_fields if name in kind.__annotations__]


def settings_of(kind: type[BaseModel]) -> str:
    """A table of the settings a class declares."""
    is_vendor = bool(getattr(kind, "vendor", ""))
    rows = ["| Setting | Default | What it is | Environment |", "|---|---|---|---|"]
    if not is_vendor:
        rows = ["| Setting | Default | What it is |", "|---|---|---|"]
    texts = docstrings_of(kind)
    for name in own_fields(kind):
        text = (texts.get(name) or MEANINGS[name]).replace("``", "`").replace("|", "\\|")
        row = f"| `{name}` | {_default(kind, name)} | {text} |"
        if is_vendor:
            row += f" {_variables(kind, name)} |"
        rows.append(row)
    return "\n".join(rows)


def _variables(kind: type[ConnectorConfig], name: str) -> str:
    if name in NOT_FROM_ENVIRONMENT:
        return ""
    return "<br>".join(f"`{variable}`" for variable in variables_of(kind, name))


def _default(kind: type[BaseModel], name: str) -> str:
    field = kind.model_fields[name]
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "**needed**"
    if isinstance(value, Timeouts):
        usual = Timeouts().model_dump()
        other = {n: v for n, v in value.model_dump().items() if v != usual[n]}
        return ", ".join(f"{n} {v:g} s" for n, v in other.items())
    if isinstance(value, Enum):
        return f"`{value.value}`"
    if isinstance(value, bool):
        return f"`{value}`"
    if value in (None, "", (), {}):
        return ""
    if name.endswith("_bytes"):
        return f"{value // 2**20} MiB" if value >= 2**20 else f"{value // 2**10} KiB"
    if kind is Timeouts or _SECONDS.search(name):
        return f"{value:g} s"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"`{value}`" if isinstance(value, str) else f"{value:,}"


def tree_of_errors() -> str:
    """The tree in the module's docstring, as a block."""
    text = (errors.__doc__ or "").split("\n\n", 1)[1].strip()
    return f"```text\n{text}\n```"


def table_of_events() -> str:
    """What listeners are told, by the module that it comes from."""
    rows = ["| From | Event | What happened |", "|---|---|---|"]
    for module in (events, happenings, reports):
        kinds = [kind for kind in map(vars(module).get, module.__all__) if inspect.isclass(kind)]
        for kind in kinds:
            if issubclass(kind, events.Event) and kind is not events.Event:
                text = (inspect.getdoc(kind) or "").split("\n\n")[0]
                text = " ".join(text.split()).replace("``", "`")
                rows.append(f"| `{module.__name__}` | `{kind.__name__}` | {text} |")
    return "\n".join(rows)


TABLES: Mapping[Path, Mapping[str, Callable[[], str]]] = {
    CONFIGURATION: {
        "every connector": lambda: settings_of(ConnectorConfig),
        "every broker": lambda: settings_of(BrokerConfig),
        "timeouts": lambda: settings_of(Timeouts),
        "alpaca": lambda: settings_of(AlpacaConfig),
        "polygon": lambda: settings_of(PolygonConfig),
        "email": lambda: settings_of(EmailConfig),
        "webhook": lambda: settings_of(WebhookConfig),
    },
    ERRORS: {"tree": tree_of_errors},
    RESILIENCE: {"events": table_of_events},
}


def places() -> Iterator[tuple[Path, str, str]]:
    """Every page, the name of a table in it, and what it should hold."""
    for page, tables in TABLES.items():
        for name, make in tables.items():
            yield page, name, make()


def held(page: Path, name: str) -> str:
    """What the page holds between the marks of a table."""
    begin, end = _marks(name)
    return page.read_text(encoding="utf-8").split(begin, 1)[1].split(end, 1)[0].strip()


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- {name}: made by tests/docs/tables.py -->", f"<!-- end of {name} -->"


def write() -> None:
    """Put every table where its marks are."""
    for page, name, table in places():
        begin, end = _marks(name)
        before, rest = page.read_text(encoding="utf-8").split(begin, 1)
        after = rest.split(end, 1)[1]
        page.write_text(f"{before}{begin}\n{table}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    write()
