"""Connectors of one hub live and end together."""

import asyncio

import httpx
import pytest

from sentio_async import errors
from sentio_async.base import BrokerConnector, DataProviderConnector
from sentio_async.config import ConnectorConfig
from sentio_async.factory import ConnectorFactory
from sentio_async.hub import ConnectorHub
from sentio_async.models import HealthStatus

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


class MyConfig(ConnectorConfig):
    vendor = "mine"


class MyData(DataProviderConnector):
    vendor = "mine"
    Config = MyConfig

    def _set_up(self):
        self.refusal = self.mishap = None
        self.checks = self.closed = 0

    async def _check(self):
        self.checks += 1
        if self.refusal is not None:
            raise self.refusal

    async def _close(self):
        self.closed += 1
        if self.mishap is not None:
            raise self.mishap


class MyBroker(MyData, BrokerConnector):
    pass


@pytest.fixture(autouse=True)
def _mine(monkeypatch):
    monkeypatch.setattr(ConnectorFactory, "_registered", {})
    ConnectorFactory.register_data_provider("mine", MyData)
    ConnectorFactory.register_broker("mine", MyBroker)


def two(hub):
    return [hub.create_data_provider("mine", {"name": name}) for name in ("first", "second")]


async def test_all_are_connected_watched_and_disconnected_together():
    async with ConnectorHub() as hub:
        made = two(hub)
        await hub.connect()
        await hub.connect()

        assert list(hub.connectors) == ["first", "second"]
        assert all(each.is_connected for each in made)
        assert set(await hub.health.check_all()) == {"first", "second"}

    assert not any(each.is_connected for each in made)
    assert [each.closed for each in made] == [1, 1]


async def test_they_are_checked_from_connect_to_disconnect():
    told = []
    hub = ConnectorHub(check_interval=10, listeners=[told.append])
    only = hub.create_broker("mine", {"name": "only"})
    await asyncio.sleep(100)
    before = only.checks
    await hub.connect()
    only.refusal = errors.ServerError("down")
    await asyncio.sleep(100)
    while_connected = only.checks
    await hub.disconnect()
    await asyncio.sleep(100)

    assert before == 0
    assert 10 <= while_connected == only.checks <= 13
    assert [(event.connector, event.new) for event in told] == [("only", "unhealthy")]


async def test_a_hub_may_be_connected_again():
    hub = ConnectorHub(check_interval=10)
    first, _ = two(hub)
    for _ in range(2):
        await hub.connect()
        await asyncio.sleep(20)
        await hub.disconnect()

    assert (first.is_connected, first.closed) == (False, 2)
    assert first.checks > 4


async def test_one_that_cannot_connect_disconnects_all_and_tells_of_the_others():
    hub = ConnectorHub()
    first, second = two(hub)
    third = hub.create_data_provider("mine", {"name": "third"})
    first.refusal = errors.AuthenticationError("wrong key")
    second.refusal = errors.ServerError("down")

    with pytest.raises(errors.AuthenticationError, match="wrong key") as caught:
        await hub.connect()

    assert caught.value.__notes__ == ["also: ServerError: down"]
    assert not any(each.is_connected for each in (first, second, third))
    assert third.closed == 1


async def test_a_mishap_on_the_way_out_does_not_hide_why_nobody_could_connect():
    hub = ConnectorHub()
    first, second = two(hub)
    first.refusal = errors.AuthenticationError("wrong key")
    second.mishap = RuntimeError("will not go")

    with pytest.raises(errors.AuthenticationError) as caught:
        await hub.connect()

    assert caught.value.__notes__ == ["also: RuntimeError: will not go"]


async def test_one_that_will_not_go_keeps_neither_the_others_nor_the_client():
    hub = ConnectorHub()
    first, second = two(hub)
    await hub.connect()
    client = hub._resources.client
    first.mishap = RuntimeError("will not go")

    with pytest.raises(RuntimeError, match="will not go"):
        await hub.disconnect()

    assert (second.is_connected, second.closed) == (False, 1)
    assert client.is_closed


async def test_a_second_disconnect_does_nothing():
    hub = ConnectorHub()
    (only, _) = two(hub)
    await hub.connect()
    await hub.disconnect()
    await hub.disconnect()

    assert not only.is_connected


async def test_a_client_that_was_given_is_shared_and_never_closed():
    async with httpx.AsyncClient() as client:
        async with ConnectorHub(client=client) as hub:
            made = two(hub)
            await hub.connect()

            assert {id(each._resources) for each in made} == {id(hub._resources)}
            assert made[0]._resources.client is client

        assert not client.is_closed


async def test_two_roles_of_a_vendor_have_two_names_and_no_third():
    hub = ConnectorHub()
    hub.create_broker("mine")
    hub.create_data_provider("mine")

    assert list(hub.connectors) == ["mine", "mine.data_provider"]
    with pytest.raises(errors.ConfigurationError, match=r"mine\.data_provider'; give one"):
        hub.create_data_provider("mine")
    assert repr(hub) == "<ConnectorHub mine, mine.data_provider>"


async def test_an_added_connector_is_watched_too():
    async with ConnectorHub() as hub:
        added = MyData({"name": "added"})

        assert hub.add(added) == "added"
        await hub.connect()
        added.refusal = errors.ServerError("down")

        assert (await hub.health.check_health("added")).status is HealthStatus.UNHEALTHY
        assert hub.health.get_unhealthy_connectors() == ["added"]
