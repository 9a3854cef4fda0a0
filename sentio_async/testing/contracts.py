"""The promises of each role as tests, for whoever writes a connector.

    from sentio_async.testing.contracts import BrokerContract, BrokerRig

    class MyRig(BrokerRig):
        secrets = ("my-key",)
        wrong_credentials = {"api_key": "wrong"}

        def new(self, settings=None, **options):
            return MyBroker({"api_key": "my-key", "base_url": ..., **(settings or {})}, **options)
        ...

    class TestMyBroker(BrokerContract):
        @pytest.fixture
        def rig(self):
            return MyRig()

A test whose capability the connector does not declare is skipped, and says so; what is not
declared must be refused with NotSupportedError.  Needs pytest and pytest-asyncio.
"""

import pytest

# Before they are imported, so that a failing assert shows both sides.
pytest.register_assert_rewrite(
    "sentio_async.testing.contracts_broker",
    "sentio_async.testing.contracts_connector",
    "sentio_async.testing.contracts_data",
    "sentio_async.testing.contracts_notification",
)

from sentio_async.testing.contracts_broker import BrokerContract, BrokerRig  # noqa: E402
from sentio_async.testing.contracts_connector import Rig  # noqa: E402
from sentio_async.testing.contracts_data import DataProviderContract, DataRig  # noqa: E402
from sentio_async.testing.contracts_notification import (  # noqa: E402
    NotificationContract,
    NotifierRig,
)

__all__ = [
    "BrokerContract",
    "BrokerRig",
    "DataProviderContract",
    "DataRig",
    "NotificationContract",
    "NotifierRig",
    "Rig",
]
