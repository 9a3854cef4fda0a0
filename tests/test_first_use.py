"""What a newcomer gets wrong: one clear line that says what to do, and no traceback."""

import os
import socket
import subprocess
import sys
import types

import pytest

from sentio_async import ConnectorFactory, ConnectorHub, errors
from sentio_async.cli import main
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.polygon.data import PolygonData

pytestmark = pytest.mark.exchange(venues=("alpaca_trading", "alpaca_data", "polygon"))

MAKE = {
    "broker": ConnectorFactory.create_broker,
    "data": ConnectorFactory.create_data_provider,
    "notification": ConnectorFactory.create_notification,
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in os.environ:
        if name.startswith(("SENTIO_", "ALPACA_", "APCA_", "POLYGON_", "MASSIVE_", "EMAIL_")):
            monkeypatch.delenv(name)


def seen_by_the_shell(error, monkeypatch, capsys):
    """The line that the command prints when it meets this error."""

    def fails():
        """Meet the error."""
        raise error

    module = types.ModuleType("sentio_async.cli.fails")
    module.register = lambda app: app.command("fails")(fails)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr("sentio_async.cli.COMMANDS", ("fails",))
    assert main(["fails"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    return shown.err


def assert_clear(error, says, monkeypatch, capsys):
    text = str(error)
    for part in says:
        assert part in text
    assert "\n" not in text
    assert len(text) < 400
    shown = seen_by_the_shell(error, monkeypatch, capsys)
    assert shown == f"sentio-async: {text}\n"


BEFORE_ANYTHING = [
    ("broker", "alpaca", {}, ["alpaca: api_key is missing", "SENTIO_ALPACA_API_KEY"]),
    ("broker", "alpaca", {"api_key": "k"}, ["api_secret is missing", "ALPACA_API_SECRET"]),
    ("data", "polygon", None, ["polygon: api_key is missing", "POLYGON_API_KEY"]),
    ("data", "polygon", {"api_key": "k", "apikey": 1}, ["apikey is not a setting", "mean api_key"]),
    ("data", "polygon", {"api_key": "k", "base_url": "nowhere"}, ["base_url", "https://host"]),
    ("data", "polygon", {"api_key": "key\n"}, ["line break"]),
    ("notification", "email", {}, ["host is missing", "EMAIL_HOST"]),
    ("notification", "email", {"host": "x.test"}, ["sender is missing", "bot@example.com"]),
    ("notification", "webhook", {}, ["webhook_url is missing", "WEBHOOK_URL"]),
    ("broker", "alpacca", {}, ["no broker 'alpacca'; did you mean 'alpaca'", "there are alpaca"]),
    ("data", "polygn", {}, ["no data provider 'polygn'; did you mean 'polygon'"]),
    ("notification", "emial", {}, ["no notifier 'emial'; did you mean 'email'", "webhook"]),
    ("broker", None, {}, ["no broker 'none' (there are alpaca)"]),
    ("broker", "alpaca", "PK-KEY", ["a dict or AlpacaConfig is needed, not a str"]),
    ("broker", "polygon", {}, ["no broker 'polygon'; it is a data provider", "there are alpaca"]),
    ("data", "zzz", {}, ["no data provider 'zzz' (there are alpaca, massive, polygon)"]),
    ("broker", "td_ameritrade", {}, ["Charles Schwab", "use alpaca"]),
    ("data", "IEX_Cloud ", {}, ["ended on 31 August 2024", "use polygon or alpaca"]),
]


@pytest.mark.parametrize(("role", "name", "config", "says"), BEFORE_ANYTHING)
def test_a_wrong_name_or_setting(role, name, config, says, monkeypatch, capsys):
    with pytest.raises(errors.ConfigurationError) as caught:
        MAKE[role](name, config)

    assert caught.value.is_permanent
    assert_clear(caught.value, says, monkeypatch, capsys)


def test_settings_that_are_no_dict(monkeypatch, capsys):
    with pytest.raises(errors.ConfigurationError) as caught:
        ConnectorFactory.create_broker("alpaca", api_key="PK-KEY", api_secret="s")

    says = ["alpaca: api_key, api_secret: settings go into a dict: {'api_key': ...}"]
    assert_clear(caught.value, says, monkeypatch, capsys)
    assert "PK-KEY" not in str(caught.value)


def test_a_retired_vendor_names_who_replaces_it():
    with pytest.raises(errors.RetiredError) as caught:
        ConnectorFactory.create_broker("td_ameritrade")

    assert caught.value.replacements == ("alpaca",)


WRONG_ORDERS = [
    (("AAPL", -5, "buy"), {}, ["qty must be more than zero, not -5"]),
    (("AAPL", 5, "buy"), {"notional": 100}, ["give qty or notional, not both"]),
    (("AAPL",), {"side": "buy"}, ["qty or notional is needed"]),
    (("AAPL", 5), {}, ["side is needed: 'buy' or 'sell'"]),
    (("AAPL", 5, "hold"), {}, ["side", "'buy'", "'sell'"]),
    (("AAPL", 5, "buy"), {"order_type": "limit"}, ["a limit order needs limit_price"]),
    (("AAPL", 5, "buy"), {"limit_price": 5}, ["did you mean type='limit'?"]),
    (("AAPL", "many", "buy"), {}, ["qty"]),
    (("AAPL", 5, "buy"), {"limt_price": 5}, ["limt_price"]),
]


@pytest.mark.parametrize(("args", "more", "says"), WRONG_ORDERS)
async def test_a_wrong_order(exchange, args, more, says, monkeypatch, capsys):
    broker = AlpacaBroker(exchange.settings("alpaca"))

    with pytest.raises(errors.InvalidRequestError) as caught:
        await broker.place_order(*args, **more)

    assert_clear(caught.value, says, monkeypatch, capsys)
    assert not exchange.requests


async def test_a_wrong_symbol(exchange, monkeypatch, capsys):
    async with (
        PolygonData(exchange.settings("polygon")) as polygon,
        AlpacaData(exchange.settings("alpaca")) as alpaca,
        AlpacaBroker(exchange.settings("alpaca")) as broker,
    ):
        for data in (polygon, alpaca):
            with pytest.raises(errors.SymbolNotFoundError) as caught:
                await data.get_quote("NOSUCH")
            assert_clear(caught.value, ["NOSUCH"], monkeypatch, capsys)
            with pytest.raises(errors.InvalidRequestError) as invalid:
                await data.get_quote("AAPL,MSFT")
            assert_clear(invalid.value, ["'AAPL,MSFT' is not one"], monkeypatch, capsys)
            with pytest.raises(errors.InvalidRequestError) as single:
                await data.get_quotes("AAPL")
            assert_clear(single.value, ["a list is needed, such as ['AAPL']"], monkeypatch, capsys)
            with pytest.raises(errors.InvalidRequestError) as a_list:
                data.stream_quotes(["AAPL"])
            assert_clear(a_list.value, ["['AAPL'] is not one", "side by side"], monkeypatch, capsys)
            with pytest.raises(errors.InvalidRequestError) as no_function:
                data.on_quotes("AAPL", "MSFT")
            assert_clear(no_function.value, ["a function comes first"], monkeypatch, capsys)
        with pytest.raises(errors.ConnectorError) as refused:
            await broker.place_order("NOSUCH", 1, "buy")
    assert_clear(refused.value, ["NOSUCH"], monkeypatch, capsys)


async def test_wrong_credentials(exchange, monkeypatch, capsys):
    wrong = {**exchange.settings("alpaca"), "api_secret": "not-the-secret"}

    with pytest.raises(errors.AuthenticationError) as caught:
        await AlpacaBroker(wrong).connect()

    assert_clear(caught.value, ["alpaca"], monkeypatch, capsys)
    assert "not-the-secret" not in str(caught.value)


async def test_wrong_credentials_are_told_with_where_they_are_from(exchange, monkeypatch):
    settings = exchange.settings("alpaca")
    monkeypatch.setenv("SENTIO_ALPACA_API_SECRET", "of an old shell")
    monkeypatch.setenv("APCA_API_KEY_ID", settings.pop("api_key"))
    del settings["api_secret"]

    with pytest.raises(errors.AuthenticationError) as caught:
        await AlpacaBroker({**settings, "api_key": "a slip"}).connect()
    assert caught.value.__notes__[-1] == (
        "tried with api_key from the settings, api_secret from SENTIO_ALPACA_API_SECRET"
    )
    with pytest.raises(errors.AuthenticationError) as caught:
        await AlpacaBroker(settings).connect()
    assert "api_key from APCA_API_KEY_ID" in caught.value.__notes__[-1]


async def test_a_host_that_is_not_there(monkeypatch, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", "https://no-such-host.invalid"):
        data = PolygonData({"api_key": "k-12345", "base_url": url, "retry_attempts": 1})
        with pytest.raises(errors.ConnectionError) as caught:
            await data.connect()
        assert_clear(caught.value, ["polygon", "cannot connect"], monkeypatch, capsys)


async def test_two_connectors_of_one_name(exchange, monkeypatch, capsys):
    async with ConnectorHub() as hub:
        hub.create_broker("alpaca", exchange.settings("alpaca"))
        hub.create_data_provider("alpaca", exchange.settings("alpaca"))
        with pytest.raises(errors.ConfigurationError) as caught:
            hub.create_data_provider("alpaca", exchange.settings("alpaca"))

    assert set(hub.connectors) == {"alpaca", "alpaca.data_provider"}
    assert_clear(caught.value, ["give one of them a `name`"], monkeypatch, capsys)


# Through the real command, in a process of its own


def shell(*arguments, without=()):
    """The command, in an interpreter that cannot import some packages."""
    text = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({list(without)!r}))\n"
        "from sentio_async.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", text, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "without", "says"),
    [
        (["sim"], ["typer"], "the command line needs the extra 'cli': pip install"),
        (["sim"], ["uvicorn"], "the embedded exchange needs the extra 'sim': pip install"),
        (["demo"], ["starlette"], "the embedded exchange needs the extra 'sim': pip install"),
        (["sim", "--replay", "no-such.csv"], [], "--replay no-such.csv: "),
        (["sim", "--fault", "{"], [], "--fault '{': "),
        (["sim", "--fault", '{"kind": "earthquake"}'], [], "kind: 'earthquake' is none of"),
        (["sim", "--venue", "nyse"], [], "no venue 'nyse'; there are"),
    ],
)
def test_the_command_says_it_in_one_line(arguments, without, says):
    result = shell(*arguments, without=without)

    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("sentio-async: ")
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr


def test_help_needs_no_extra_but_its_own():
    result = shell("--help", without=["starlette", "uvicorn", "aiosmtpd", "pyarrow"])

    assert result.returncode == 0
    assert "sim" in result.stdout


def test_the_exchange_without_its_libraries_names_the_extra():
    text = (
        "import sys\n"
        "sys.modules['starlette'] = None\n"
        "from sentio_async.sim import FaultRule\n"
        "from sentio_async.sim import Exchange\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=30, check=False
    )

    said = "ImportError: the embedded exchange needs the extra 'sim': pip install"
    assert said in result.stderr.splitlines()[-1]
    assert "line 4" in result.stderr
