"""Connectors by name: the built-in ones, one's own, and those of other packages."""

import gc

import pytest

from sentio_async import factory
from sentio_async.base import BrokerConnector, DataProviderConnector, NotificationConnector, Role
from sentio_async.errors import ConfigurationError, RetiredError
from sentio_async.factory import ConnectorFactory


class MyBroker(BrokerConnector):
    vendor = "mine"


class MyData(DataProviderConnector):
    vendor = "mine"


class MyNotifier(NotificationConnector):
    vendor = "mine"


ROLES = {
    Role.BROKER: (
        ConnectorFactory.register_broker,
        ConnectorFactory.create_broker,
        ConnectorFactory.list_registered_brokers,
        MyBroker,
    ),
    Role.DATA: (
        ConnectorFactory.register_data_provider,
        ConnectorFactory.create_data_provider,
        ConnectorFactory.list_registered_data_providers,
        MyData,
    ),
    Role.NOTIFICATION: (
        ConnectorFactory.register_notification,
        ConnectorFactory.create_notification,
        ConnectorFactory.list_registered_notifications,
        MyNotifier,
    ),
}


@pytest.fixture(autouse=True)
def _nothing_stays(monkeypatch):
    monkeypatch.setattr(ConnectorFactory, "_registered", {})
    monkeypatch.setattr(ConnectorFactory, "_instances", type(ConnectorFactory._instances)())


@pytest.mark.parametrize("role", Role)
def test_ones_own_connector_is_made_by_its_name(role):
    register, create, listed, mine = ROLES[role]
    register(" Mine ", mine)

    made = create("MINE", {"name": "x"}, instance_id="y")
    assert (type(made), made.name) == (mine, "x")
    assert ConnectorFactory.get_instance("y") is made
    assert "mine" in listed()
    assert all("mine" not in others() for r, (_, _, others, _) in ROLES.items() if r is not role)


@pytest.mark.parametrize("role", Role)
def test_a_class_of_another_role_is_refused(role):
    register, _, _, mine = ROLES[role]
    for _, _, _, other in ROLES.values():
        if other is not mine:
            with pytest.raises(ConfigurationError, match=r"mine: a subclass of \w+Connector"):
                register("mine", other)
    with pytest.raises(ConfigurationError, match="a subclass"):
        register("mine", "MyBroker")


def test_the_last_registration_counts_also_over_a_built_in():
    ConnectorFactory.register_data_provider("polygon", MyData)

    assert ConnectorFactory.connector_class(Role.DATA, "polygon") is MyData


@pytest.mark.parametrize(
    ("role", "known"),
    [
        (Role.BROKER, {"alpaca"}),
        (Role.DATA, {"alpaca", "massive", "polygon"}),
        (Role.NOTIFICATION, {"email", "webhook"}),
    ],
)
def test_the_built_in_names_are_listed_with_their_aliases(role, known):
    names = ROLES[role][2]()

    assert known <= set(names)
    assert names == sorted(names)


def test_an_alias_is_the_vendor():
    made = [ConnectorFactory.connector_class(Role.DATA, name) for name in ("massive", "polygon")]

    assert made[0] is made[1]


@pytest.mark.parametrize(
    ("role", "name", "said"),
    [
        (Role.BROKER, "alpacca", r"no broker 'alpacca'; did you mean 'alpaca'"),
        (Role.DATA, "polygn", r"no data provider 'polygn'; did you mean 'polygon'"),
        (Role.NOTIFICATION, "zzz", r"no notifier 'zzz' \(there are .*email, .*webhook\)"),
        (
            Role.BROKER,
            "polygon",
            r"no broker 'polygon'; it is a data provider \(there are .*alpaca.*\)",
        ),
    ],
)
def test_a_name_that_is_none_is_told_what_there_is(role, name, said):
    with pytest.raises(ConfigurationError, match=said):
        ConnectorFactory.connector_class(role, name)


def test_a_vendor_that_has_ended_names_who_has_not():
    with pytest.raises(RetiredError, match=r"IEX Cloud ended .*; use polygon or alpaca") as caught:
        ConnectorFactory.create_data_provider("IEX_Cloud")

    assert caught.value.replacements == ("polygon", "alpaca")


def test_what_is_held_is_found_by_its_id_and_no_longer_when_it_is_let_go():
    ConnectorFactory.register_data_provider("mine", MyData)
    settings = {"name": "mine"}
    held = [ConnectorFactory.create_data_provider("mine", settings) for _ in range(3)]
    held.append(ConnectorFactory.create_data_provider("mine", settings, instance_id="main"))

    assert ConnectorFactory.list_instances() == ["main", "mine", "mine-2", "mine-3"]
    assert ConnectorFactory.get_instance("mine-2") is held[1]
    with pytest.raises(ConfigurationError, match="'main' is alive already"):
        ConnectorFactory.create_data_provider("mine", instance_id="main")
    with pytest.raises(ConfigurationError, match=r"no connector 'other' .* main, mine, mine-2"):
        ConnectorFactory.get_instance("other")

    held.clear()
    gc.collect()
    assert ConnectorFactory.list_instances() == []
    with pytest.raises(ConfigurationError, match="there are none"):
        ConnectorFactory.get_instance("main")


class Entry:
    """What another package declares under a name."""

    def __init__(self, what):
        self.what = what
        self.loads = 0

    def load(self):
        self.loads += 1
        return self.what


def test_another_package_is_loaded_when_it_is_named_and_not_before(monkeypatch):
    entries = {"theirs": Entry([int, MyData, MyBroker]), "broken": Entry("no class")}

    def declared(*, group, name):
        assert group == "sentio_async.connectors"
        return [entries[name]] if name in entries else []

    monkeypatch.setattr(factory, "entry_points", declared)

    assert ConnectorFactory.connector_class(Role.DATA, "polygon").vendor == "polygon"
    assert entries["theirs"].loads == 0
    assert ConnectorFactory.connector_class(Role.DATA, "theirs") is MyData
    assert ConnectorFactory.connector_class(Role.BROKER, "theirs") is MyBroker
    for name in ("theirs", "broken"):
        with pytest.raises(ConfigurationError, match=f"no notifier '{name}'"):
            ConnectorFactory.connector_class(Role.NOTIFICATION, name)
