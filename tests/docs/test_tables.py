"""Tables in the pages say what the code says."""

import builtins
import inspect
import re
import tomllib

import pytest

from sentio_async import errors
from sentio_async.config import variables_of
from sentio_async.connectors.alpaca.config import AlpacaConfig
from sentio_async.connectors.email.config import EmailConfig
from sentio_async.connectors.polygon.config import PolygonConfig
from sentio_async.connectors.webhook.config import WebhookConfig
from sentio_async.sim import faults
from tests.docs.pages import CHECKOUT, PAGES, name_of
from tests.docs.tables import ERRORS, held, places

PLACES = list(places())
KINDS = [kind for kind in vars(errors).values() if inspect.isclass(kind)]
KINDS = [kind for kind in KINDS if issubclass(kind, errors.ConnectorError)]


@pytest.mark.parametrize(("page", "name", "table"), PLACES, ids=[name for _, name, _ in PLACES])
def test_a_table_made_from_code_is_up_to_date(page, name, table):
    assert held(page, name) == table, "python -m tests.docs.tables writes it anew"


OF_DEVELOPERS = {"bench", "dev", "interceptors", "peers", "test"}


def test_every_extra_for_users_is_listed():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (CHECKOUT / "docs" / "quickstart.md").read_text(encoding="utf-8")

    listed = re.findall(r"^\| `([a-z]+)` \|", page, re.MULTILINE)
    assert sorted(listed) == sorted(project["optional-dependencies"].keys() - OF_DEVELOPERS)


VARIABLES = {
    variable
    for kind in (AlpacaConfig, EmailConfig, PolygonConfig, WebhookConfig)
    for field in kind.model_fields
    for variable in variables_of(kind, field)
} | {"SENTIO_ALLOW_LIVE"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_variable_that_a_page_names_is_looked_at(page):
    words = r"\b(?:SENTIO|ALPACA|APCA|MASSIVE|POLYGON|EMAIL|SMTP|WEBHOOK)_[A-Z_]+\b"
    named = set(re.findall(words, page.read_text(encoding="utf-8")))

    assert named <= VARIABLES


def rows_of(page, heading):
    """The rows of the first table under a heading, each a list of cells."""
    text = page.read_text(encoding="utf-8").split(f"{heading}\n", 1)[1]
    lines = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def words_of(kind):
    """How the page writes what is known after an error of this class."""
    if kind.default_outcome is None:
        return ""
    return f"`{kind.default_outcome.name}`"


def test_every_error_has_its_row_with_outcome_and_builtin():
    rows = {cells[0].strip("`"): cells for cells in rows_of(ERRORS, "## What to do")}

    assert sorted(rows) == sorted(kind.__name__ for kind in KINDS)
    for kind in KINDS:
        _, outcome, also, again, _ = rows[kind.__name__]
        theirs = [base for base in kind.__mro__[1:] if base.__module__ == "builtins"]
        mine = {base.__name__ for base in theirs} - {"Exception", "BaseException", "object"}
        assert outcome == words_of(kind), kind
        assert {name for name in mine if f"`{name}`" in also} or not mine, kind
        assert all(hasattr(builtins, name) for name in re.findall(r"`(\w+)`", also)), kind
        assert (again == "never") == kind.is_permanent, kind


def test_every_kind_of_fault_has_its_row():
    page = CHECKOUT / "docs" / "embedded-exchange.md"
    rows = {cells[0].strip("`"): cells for cells in rows_of(page, "## Faults")}

    on_sockets = {kind for kind in faults.KINDS if kind.startswith("socket_")}
    assert set(rows) == faults.KINDS - on_sockets
    for kind, (_, executed, _) in rows.items():
        assert (executed == "yes") == (kind in faults.EXECUTED | faults.DELAYS), kind


def test_every_kind_of_fault_on_streams_has_its_row():
    page = CHECKOUT / "docs" / "embedded-exchange.md"
    rows = {cells[0].strip("`"): cells for cells in rows_of(page, "### On open streams")}

    assert set(rows) == faults.ON_SOCKET
    for kind, (_, steps, _) in rows.items():
        assert (steps == "`MESSAGE`") == (kind in faults.ON_MESSAGE), kind
