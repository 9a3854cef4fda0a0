"""No configured secret is ever seen in a log, an error, a traceback, a pickle, a repr, an event."""

import asyncio
import base64
import json
import logging
import os
import pickle
import socket
import ssl

import httpx
import pytest
import trustme
from pydantic import SecretStr

from canary_watch import Canaries, Watch, forms_of, raw_text
from sentio_async import errors
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.email.notifier import EmailNotifier
from sentio_async.connectors.polygon.data import PolygonData
from sentio_async.connectors.webhook.notifier import WebhookNotifier
from sentio_async.sim.exchange import Exchange
from sentio_async.sim.faults import FaultRule

SIGNING_KEY = "canary-signing+key/of=32-bytes!!"
SECRETS = {
    "alpaca key": "PKCANARY+key/one=%7",
    "alpaca secret": "canary+secret/two=&%7",
    "alpaca token": "canary-oauth+token/3==",
    "polygon key": "canary_polygon+key/4=",
    "mail password": "canary mail+password/5=",
    "mail token": "canary-mail+token/6==",
    "hook header": "canary header+value/7=",
    "hook bearer": "canary-bearer+token/8==",
    "hook signing key": SIGNING_KEY,
    "hook signing secret": "whsec_" + base64.b64encode(SIGNING_KEY.encode()).decode(),
    "hook old secret": "whsec_" + base64.b64encode(b"canary-old-signing-key-thirty-two").decode(),
    "hook path": "canary-path-t0ken-9",
    "hook query": "canary query+value/10=",
    "recipient path": "canary-recipient-t0ken-11",
}
ECHO = {
    name: json.dumps(dict.fromkeys(("message", "error", "status", "code"), SECRETS[name]))
    for name in ("alpaca secret", "polygon key")
}

FAULTS = [
    FaultRule(kind="drop_before"),
    FaultRule(kind="reset_before"),
    FaultRule(kind="drop_accept"),
    FaultRule(kind="half"),
    FaultRule(kind="cut"),
    FaultRule(kind="cut_reset"),
    FaultRule(kind="garbage"),
    FaultRule(kind="bad_gzip"),
    FaultRule(kind="bomb", size=20_000_000),
    FaultRule(kind="html"),
    FaultRule(kind="truncated_json"),
    FaultRule(kind="nan_json"),
    FaultRule(kind="endless_headers", size=1_000_000),
    FaultRule(kind="redirect", status=307),
    FaultRule(kind="silence", delay=0.2),
    FaultRule(kind="dribble", delay=0.05),
    *(FaultRule(kind="status", status=code) for code in (400, 401, 403, 404, 409, 422, 500, 503)),
    FaultRule(kind="status", status=429, headers={"retry-after": "7200"}),
]


class CanaryExchange(Exchange):
    alpaca_key = SECRETS["alpaca key"]
    alpaca_secret = SECRETS["alpaca secret"]
    polygon_key = SECRETS["polygon key"]
    smtp_password = SECRETS["mail password"]
    signing_secret = SECRETS["hook signing secret"]


@pytest.fixture
def canaries():
    """Fails the test that has used it if anything was seen."""
    found = Canaries(SECRETS, arguments=("recipient path",))
    with Watch() as watch:
        yield found
    for text in watch.texts:
        found.see("log", text)
    assert not found.leaks(), "\n\n".join(found.leaks()[:8])
    assert watch.texts


HASTE = {"timeouts": {"read": 0.05, "total": 0.15}, "breaker_failures": 1_000_000}


def look_at(canaries, connector):
    """What a connector and what it is made of show of themselves."""
    canaries.see("connector", connector, str(connector), connector.get_status())
    canaries.see("config", connector._config, str(connector._config))
    canaries.see("config dump", connector._config.model_dump_json(exclude={"token_provider"}))
    for session in connector._sessions:
        canaries.see("session", session, session._auth, session.stats, vars(session))
    for name, part in vars(connector).items():
        canaries.see(f"member {name}", part)
    canaries.see("breakers", connector._resources.breakers)


async def suffer(canaries, exchange, connector, calls, faults=FAULTS):
    """Each call once under each fault; how many failed."""
    failures = 0
    for fault in faults:
        for call in calls:
            exchange.clear_faults()
            exchange.add_fault(fault)
            try:
                await call(connector)
            except errors.ConnectorError as exc:
                failures += 1
                canaries.see_error(f"{fault.kind} {fault.status}", exc)
        canaries.see("status", connector.get_status())
    exchange.clear_faults()
    return failures


async def refused(canaries, where, connector):
    """An error that connecting must end in."""
    with pytest.raises(errors.ConnectorError) as caught:
        await connector.connect()
    canaries.see_error(where, caught.value)
    report = await connector.health_check()
    canaries.see(f"{where} report", report, report.model_dump_json())
    await connector.disconnect()
    return caught.value


async def unreachable(canaries, kind, settings, *fields):
    """Nobody listens; somebody with an untrusted certificate does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    await refused(canaries, "nobody", kind({**settings, **at(f"http://127.0.0.1:{port}", fields)}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    url = f"https://127.0.0.1:{port}"
    await refused(canaries, "untrusted", kind({**settings, **at(url, fields)}))
    server.close()
    await server.wait_closed()


def at(url, fields):
    return {name: url + path for name, path in fields}


def hear(canaries):
    """A listener, such as one that makes labels of metrics from events."""
    return lambda event: canaries.see("event", event)


PLACES = (("base_url", ""), ("data_url", ""))


@pytest.mark.parametrize("proof", ["key", "token"])
async def test_alpaca_trading(canaries, proof):
    events = []
    calls = [
        lambda broker: broker.get_account(),
        lambda broker: broker.place_order("AAPL", 1, "buy", client_order_id="mine"),
    ]
    async with CanaryExchange(venues=("alpaca_trading",)) as exchange:
        exchange.state.limits.per_minute["alpaca_trading"] = None
        settings = {**exchange.settings("alpaca"), **HASTE, "retry_attempts": 1}
        settings["data_url"] = settings["base_url"]
        if proof == "token":
            del settings["api_key"], settings["api_secret"]
            settings["oauth_token"] = SECRETS["alpaca token"]
        broker = AlpacaBroker(settings, listeners=[events.append])
        if proof == "key":
            async with broker:
                await broker.get_account()
        else:
            await refused(canaries, "unknown token", broker)
        failures = await suffer(canaries, exchange, broker, calls)
        look_at(canaries, broker)
        echo = FaultRule(kind="status", status=401, body=ECHO["alpaca secret"])
        assert await suffer(canaries, exchange, broker, calls[:1], [echo]) == 1
        for text in ('{"id": 1, "cash": "%s"}', '{"cash": {"%s": 1}}', '["%s"]', "%s", '{"%s'):
            body = text % SECRETS["alpaca secret"]
            echo = FaultRule(kind="status", status=200, body=body)
            assert await suffer(canaries, exchange, broker, calls[:1], [echo]) == 1
        await broker.disconnect()
        await unreachable(canaries, AlpacaBroker, {**settings, **HASTE}, *PLACES)
        canaries.see("events", *events)

    assert failures > 40
    assert events


async def test_alpaca_data(canaries):
    async with CanaryExchange(venues=("alpaca_data",)) as exchange:
        exchange.state.limits.per_minute["alpaca_data"] = None
        settings = {**exchange.settings("alpaca"), **HASTE, "retry_attempts": 1}
        settings["base_url"] = settings["data_url"]
        wrong = {**settings, "api_secret": SECRETS["alpaca token"]}
        await refused(canaries, "wrong", AlpacaData(wrong))
        data = AlpacaData(settings)
        failures = await suffer(
            canaries,
            exchange,
            data,
            [lambda d: d.get_quote("AAPL"), lambda d: d.get_bars("AAPL", limit=5)],
        )
        batch = await data.get_quotes(["AAPL", "no such"])
        canaries.see("batch", batch, batch.errors)
        look_at(canaries, data)
        await data.disconnect()

    assert failures > 40


@pytest.mark.parametrize("door", ["ours", "theirs"])
async def test_polygon(canaries, door):
    async with CanaryExchange(venues=("polygon",)) as exchange, httpx.AsyncClient() as theirs:
        client = theirs if door == "theirs" else None
        exchange.state.limits.per_minute["polygon"] = None
        settings = {**exchange.settings("polygon"), **HASTE, "retry_attempts": 2}
        wrong = {**settings, "api_key": SECRETS["alpaca token"]}
        await refused(canaries, "wrong", PolygonData(wrong))
        data = PolygonData(settings, client=client, listeners=[hear(canaries)])
        calls = [lambda d: d.get_quote("AAPL"), lambda d: d.get_quotes(["AAPL"])]
        failures = await suffer(canaries, exchange, data, calls)
        for status in (200, 401):
            echo = FaultRule(kind="status", status=status, body=ECHO["polygon key"])
            assert await suffer(canaries, exchange, data, calls[:1], [echo]) == 1
        look_at(canaries, data)
        await data.disconnect()
        await unreachable(canaries, PolygonData, settings, ("base_url", ""))

    assert failures > 40


@pytest.mark.parametrize("door", ["ours", "theirs"])
async def test_webhook(canaries, door):
    async with CanaryExchange(venues=("webhook",)) as exchange, httpx.AsyncClient() as theirs:
        client = theirs if door == "theirs" else None
        place = f"/hook/{SECRETS['hook path']}?code=canary%20query%2Bvalue%2F10%3D"
        settings = {
            **HASTE,
            "retry_attempts": 1,
            "webhook_url": exchange.addresses.webhook + place,
            "signing_secret": SECRETS["hook signing secret"],
            "old_signing_secrets": [SECRETS["hook old secret"]],
            "headers": {"x-canary": SECRETS["hook header"]},
            "bearer_token": SECRETS["hook bearer"],
            "recipient_urls": True,
            "allowed_hosts": ["127.0.0.1"],
            "allowed_ports": [int(exchange.addresses.webhook.rsplit(":", 1)[1])],
        }
        theirs = f"{exchange.addresses.webhook}/hook/{SECRETS['recipient path']}"
        hook = WebhookNotifier(settings, client=client, listeners=[hear(canaries)])
        async with hook:
            receipt = await hook.send_alert("alarm", "canary")
            canaries.see("receipt", receipt)
            canaries.see("receipt", await hook.send_notification(theirs, "s", "m"))
        calls = [
            lambda h: h.send_alert("alarm", "canary"),
            lambda h: h.send_notification(theirs, "s", "m"),
        ]
        failures = await suffer(canaries, exchange, hook, calls)
        look_at(canaries, hook)
        await hook.disconnect()
        await unreachable(canaries, WebhookNotifier, settings, ("webhook_url", place))

    assert failures > 40


MAIL_FAULTS = [
    *(
        FaultRule(kind=kind, method=word)
        for kind in ("drop_before", "reset_before", "garbage", "cut", "half", "drop_after")
        for word in ("EHLO", "AUTH", "MAIL", "RCPT", "DATA")
    ),
    *(
        FaultRule(kind="status", method=word, status=status)
        for word, status in (("AUTH", 535), ("AUTH", 454), ("AUTH", 504), ("MAIL", 451))
    ),
    FaultRule(kind="silence", method="AUTH", delay=0.3),
    FaultRule(kind="silence", method="RCPT", delay=0.3),
    FaultRule(kind="drop_accept"),
]


@pytest.mark.parametrize("proof", ["plain", "login", "xoauth2"])
async def test_email(canaries, proof):
    async with CanaryExchange(venues=("smtp",)) as exchange:
        settings = {
            **exchange.settings("email"),
            "login": proof,
            "login_pause": 0.0,
            "retry_attempts": 1,
            "breaker_failures": 1_000_000,
            "timeouts": {"read": 0.1, "connect": 0.1, "total": 0.3},
        }
        if proof == "xoauth2":
            del settings["password"]
            exchange.state.mail.tokens.add(SECRETS["mail token"])
            settings["token_provider"] = a_token
        mail = EmailNotifier(settings, listeners=[hear(canaries)])
        async with mail:
            canaries.see("receipt", await mail.send_alert("alarm", "canary"))
        secret = SECRETS["mail token" if proof == "xoauth2" else "mail password"]
        echo = FaultRule(kind="status", method="AUTH", status=535, body=f"5.7.8 no {secret}")
        faults = [*MAIL_FAULTS, echo]
        failures = await suffer(
            canaries, exchange, mail, [lambda m: m.send_alert("a", "b")], faults
        )
        look_at(canaries, mail)
        await mail.disconnect()
        if proof != "xoauth2":
            settings["password"] = SECRETS["alpaca token"]
            await refused(canaries, "wrong password", EmailNotifier(settings))
        else:
            exchange.state.mail.tokens.clear()
            await refused(canaries, "wrong token", EmailNotifier(settings))

    assert failures > 20


async def a_token():
    return SECRETS["mail token"]


async def test_email_through_tls_that_fails(canaries):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", 0, ssl=context)
    settings = {
        "host": "127.0.0.1",
        "port": server.sockets[0].getsockname()[1],
        "username": "bot@x.test",
        "password": SECRETS["mail password"],
        "retry_attempts": 1,
        "timeouts": {"connect": 0.3, "read": 0.1, "total": 0.5},
    }
    for tls in ("implicit", "starttls"):
        await refused(canaries, tls, EmailNotifier({**settings, "tls": tls}))
    server.close()
    await server.wait_closed()


async def test_a_loop_in_debug_mode_shows_what_it_runs_and_no_secret(canaries, caplog):
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    # Every callback counts as slow, and is logged with its arguments.
    loop.slow_callback_duration = 0.0
    async with CanaryExchange(venues=("polygon", "webhook", "smtp")) as exchange:
        place = f"{exchange.addresses.webhook}/hook/{SECRETS['hook path']}"
        proof = {"bearer_token": SECRETS["hook bearer"], "webhook_url": place}
        async with (
            PolygonData(exchange.settings("polygon")) as data,
            WebhookNotifier({**exchange.settings("webhook"), **proof}) as hook,
            EmailNotifier(exchange.settings("email")) as mail,
        ):
            await asyncio.gather(*(data.get_quote(name) for name in ("AAPL", "MSFT", "TSLA")))
            await asyncio.gather(hook.send_alert("a", "b"), mail.send_alert("a", "b"))
        with pytest.raises(errors.ConnectionError):
            await PolygonData({"api_key": SECRETS["polygon key"], **NOWHERE}).connect()
    loop.set_debug(False)

    assert any(record.message.startswith("Executing <") for record in caplog.records)


NOWHERE = {"base_url": "http://127.0.0.1:9", "retry_attempts": 1}
BAD_SETTINGS = [
    (AlpacaBroker, {"api_key": SECRETS["alpaca key"]}),
    (AlpacaBroker, {"api_key": SECRETS["alpaca key"], "api_secret": ["x", SECRETS["hook path"]]}),
    (PolygonData, {"api_key": SECRETS["polygon key"], "base_url": "http://example.com"}),
    (
        PolygonData,
        {"api_key": "x", "base_url": f"https://u:{SECRETS['hook path']}@example.com"},
    ),
    (WebhookNotifier, {"webhook_url": f"ftp://example.com/{SECRETS['hook path']}"}),
    (WebhookNotifier, {"webhook_url": f"https://x.test/{SECRETS['hook path']}\n"}),
    (WebhookNotifier, {"webhook_url": "https://x.test", "bearer_token": SECRETS["hook header"]}),
    (
        WebhookNotifier,
        {"webhook_url": "https://x.test", "headers": {"a": SECRETS["hook header"] + "\n"}},
    ),
    (WebhookNotifier, {"webhook_url": "https://x.test", "signing_secret": SIGNING_KEY}),
    (EmailNotifier, {"host": "mail.x.test", "password": SECRETS["mail password"]}),
]


@pytest.fixture
def bare_environment(monkeypatch):
    for name in os.environ:
        if name.startswith(("SENTIO_", "ALPACA_", "APCA_", "POLYGON_", "MASSIVE_", "EMAIL_")):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(("kind", "settings"), BAD_SETTINGS)
def test_wrong_settings(canaries, kind, settings, bare_environment):
    # A plain text that the caller passes is in the frames of the call.
    canaries.arguments = tuple(SECRETS)

    with pytest.raises(errors.ConfigurationError) as caught:
        kind(settings)

    logging.getLogger("sentio_async").debug("seen: %s", caught.value)
    canaries.see_error("settings", caught.value)


@pytest.mark.parametrize(("kind", "settings"), BAD_SETTINGS)
def test_wrong_settings_that_come_as_secrets(canaries, kind, settings, bare_environment):
    hidden = {name: v if isinstance(v, list) else SecretStr(str(v)) for name, v in settings.items()}
    hidden = {n: v for n, v in hidden.items() if isinstance(v, SecretStr)}

    with pytest.raises(errors.ConfigurationError) as caught:
        kind(hidden)

    logging.getLogger("sentio_async").debug("seen: %s", caught.value)
    canaries.see_error("settings", caught.value)


def test_wrong_settings_in_the_environment(canaries, bare_environment, monkeypatch):
    monkeypatch.setenv("SENTIO_ALPACA_API_KEY", SECRETS["alpaca key"])
    monkeypatch.setenv("ALPACA_API_SECRET", SECRETS["alpaca secret"])
    monkeypatch.setenv("WEBHOOK_URL", f"https://x.test/{SECRETS['hook path']}\n")

    for kind, settings in ((AlpacaBroker, {"live": "perhaps"}), (WebhookNotifier, {})):
        with pytest.raises(errors.ConfigurationError) as caught:
            kind(settings)
        logging.getLogger("sentio_async").debug("seen: %s", caught.value)
        canaries.see_error("environment", caught.value)


async def test_keys_that_no_header_can_carry(canaries):
    """A key file often ends with a line break; HTTP libraries print the header they refuse."""
    async with CanaryExchange(venues=("polygon", "alpaca_trading")) as exchange:
        for end in ("\n", "\x00", "ü", " "):
            odd = {**exchange.settings("polygon"), "api_key": SECRETS["polygon key"] + end}
            await refused_somehow(canaries, PolygonData, odd)
            odd = {**exchange.settings("alpaca"), "api_secret": SECRETS["alpaca secret"] + end}
            odd["data_url"] = odd["base_url"]
            await refused_somehow(canaries, AlpacaBroker, odd)


async def refused_somehow(canaries, kind, settings):
    hidden = {n: SecretStr(v) if n.startswith("api_") else v for n, v in settings.items()}
    with pytest.raises(errors.ConnectorError) as caught:
        async with kind({**hidden, **HASTE, "retry_attempts": 1}):
            pass
    canaries.see_error("odd key", caught.value)


def test_a_leak_would_be_seen():
    secret = SECRETS["mail password"]
    canaries = Canaries({"it": secret})
    basic = base64.b64encode(f"\0bot@x.test\0{secret}".encode()).decode()
    places = ("plain", secret), ("basic", basic), ("query", "canary+mail%2Bpassword%2F5%3D")
    for where, text in places:
        canaries.seen = [(where, f"before {text} after")]
        assert canaries.leaks(), where

    def inner(key):
        raise errors.ConnectorError("hidden")

    try:
        inner(secret)
    except errors.ConnectorError as exc:
        exc.add_note(secret)
        canaries.seen = []
        canaries.see_error("error", exc)
    assert canaries.leaks()
    assert len(forms_of(secret)) >= 8
    canaries.seen = [("pickle", raw_text(pickle.dumps(secret)))]
    assert canaries.leaks()


async def test_the_journal_of_orders_holds_no_secret(canaries, tmp_path):
    """Nor does an id under which an order is sent."""
    folder = tmp_path / "journal"
    async with CanaryExchange(venues=["alpaca_trading"]) as exchange:
        settings = {**exchange.settings("alpaca"), "journal": folder / "orders"}
        async with AlpacaBroker(settings) as broker:
            order = {"order_type": "limit", "limit_price": "1", "time_in_force": "gtc"}
            placed = await broker.place_order("AAPL", 1, "buy", intent_key="k", **order)
            exchange.add_fault(FaultRule(kind="status", status=422, body=ECHO["alpaca secret"]))
            with pytest.raises(errors.ConnectorError):
                await broker.place_order("AAPL", 1, "buy", **order)
            exchange.clear_faults()
            await broker.halt_trading("canary")
            files = {each.name: each for each in folder.iterdir()}
            kept = {name: each.read_bytes() for name, each in files.items()}
            modes = {each.stat().st_mode & 0o777 for each in files.values()}

    canaries.see("id", placed.client_order_id)
    for name, data in kept.items():
        canaries.see(name, name, data, data.decode("latin-1"))
    assert {"orders", "orders-wal", "orders.halt"} <= set(kept)
    assert placed.client_order_id.encode() in kept["orders-wal"]
    assert modes == {0o600}
