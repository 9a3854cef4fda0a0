"""The built-in connectors keep the contract of their role, against the embedded exchange."""

from typing import ClassVar

import pytest

from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.connectors.alpaca.data import AlpacaData
from sentio_async.connectors.email.notifier import EmailNotifier
from sentio_async.connectors.polygon.data import PolygonData
from sentio_async.connectors.webhook.notifier import WebhookNotifier
from sentio_async.sim.faults import FaultRule
from sentio_async.testing.contracts import (
    BrokerContract,
    BrokerRig,
    DataProviderContract,
    DataRig,
    NotificationContract,
    NotifierRig,
)


class AtExchange:
    """A rig whose vendor is the embedded exchange."""

    kind = None
    settings_of = ""

    def __init__(self, exchange):
        self.exchange = exchange
        for venue in exchange.venues:
            exchange.state.limits.per_minute[venue] = None

    def new(self, settings=None, **options):
        given = self.exchange.settings(self.settings_of)
        return self.kind({**given, **(settings or {})}, **options)

    def fail(self):
        self.exchange.add_fault(FaultRule(kind="status", status=503))

    def heal(self):
        self.exchange.clear_faults()

    @property
    def requests(self):
        return len(self.exchange.requests)


class AlpacaBrokerRig(AtExchange, BrokerRig):
    kind = AlpacaBroker
    settings_of = "alpaca"
    wrong_credentials: ClassVar = {"api_secret": "not-the-secret"}

    @property
    def secrets(self):
        return (self.exchange.alpaca_key, self.exchange.alpaca_secret)

    async def settle(self):
        await self.exchange.settle()


class AlpacaDataRig(AtExchange, DataRig):
    kind = AlpacaData
    settings_of = "alpaca"
    wrong_credentials: ClassVar = {"api_secret": "not-the-secret"}

    @property
    def secrets(self):
        return (self.exchange.alpaca_key, self.exchange.alpaca_secret)


class PolygonRig(AtExchange, DataRig):
    kind = PolygonData
    settings_of = "polygon"
    wrong_credentials: ClassVar = {"api_key": "not-the-key"}

    @property
    def secrets(self):
        return (self.exchange.polygon_key,)


class EmailRig(AtExchange, NotifierRig):
    kind = EmailNotifier
    settings_of = "email"
    wrong_credentials: ClassVar = {"password": "not-the-password"}
    recipient = "desk@x.test"
    refused_recipient = "nobody@x.test"

    def __init__(self, exchange):
        super().__init__(exchange)
        exchange.state.mail.refuse[self.refused_recipient] = "550 5.1.1 no such mailbox"

    @property
    def secrets(self):
        return (self.exchange.smtp_password,)

    def fail(self):
        for word in ("EHLO", "NOOP", "MAIL", "RSET"):
            self.exchange.add_fault(FaultRule(kind="status", status=421, method=word))

    @property
    def requests(self):
        return len(self.exchange.inbox)

    def arrived(self, receipt):
        return sum(str(mail.message["Message-ID"]) == receipt.id for mail in self.exchange.inbox)


class WebhookRig(AtExchange, NotifierRig):
    kind = WebhookNotifier
    settings_of = "webhook"

    @property
    def secrets(self):
        return (self.exchange.signing_secret,)

    def arrived(self, receipt):
        return sum(hook.headers.get("webhook-id") == receipt.id for hook in self.exchange.hooks)


@pytest.mark.exchange(venues=("alpaca_trading", "alpaca_data"))
class TestAlpacaBroker(BrokerContract):
    @pytest.fixture
    def rig(self, exchange):
        return AlpacaBrokerRig(exchange)


@pytest.mark.exchange(venues=("alpaca_trading", "alpaca_data"), hours="nyse")
class TestAlpacaData(DataProviderContract):
    @pytest.fixture
    def rig(self, exchange):
        return AlpacaDataRig(exchange)


@pytest.mark.exchange(venues=("polygon",), hours="nyse")
class TestPolygonData(DataProviderContract):
    @pytest.fixture
    def rig(self, exchange):
        return PolygonRig(exchange)


@pytest.mark.exchange(venues=("smtp",))
class TestEmailNotifier(NotificationContract):
    @pytest.fixture
    def rig(self, exchange):
        return EmailRig(exchange)


@pytest.mark.exchange(venues=("webhook",))
class TestWebhookNotifier(NotificationContract):
    @pytest.fixture
    def rig(self, exchange):
        return WebhookRig(exchange)
