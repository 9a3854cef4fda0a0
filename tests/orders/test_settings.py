"""What a broker's settings make of journal, rails and patience."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from sentio_async import errors
from sentio_async.orders.journal import MemoryJournal, Row, Step
from sentio_async.orders.policy import GatewayPolicy, Late
from sentio_async.orders.rails import Rails
from sentio_async.orders.settings import BrokerConfig


class Wall:
    """A clock that stands still."""

    def __init__(self, now):
        self.now = now

    def utcnow(self):
        return self.now


def test_without_settings_there_is_patience_and_no_rail_but_one():
    settings = BrokerConfig()

    assert settings.policy() == GatewayPolicy(timeout=30.0, attempts=4, horizon=120.0)
    assert settings.rails() == Rails(max_unknown=3)
    assert isinstance(settings.open_journal(Wall(None)), MemoryJournal)


def test_every_setting_has_its_place():
    settings = BrokerConfig(
        strategy="momentum",
        late_orders="cancel",
        order_horizon=20,
        max_order_qty="10.5",
        max_order_notional="1000",
        max_orders_per_second=2,
        max_unknown_orders=5,
        retry_attempts=7,
        timeouts={"total": 12},
    )

    assert settings.policy() == GatewayPolicy(
        timeout=12.0,
        attempts=7,
        horizon=20.0,
        max_delay=2.0,
        late=Late.CANCEL,
        strategy="momentum",
    )
    assert settings.rails() == Rails(
        max_qty=Decimal("10.5"),
        max_notional=Decimal(1000),
        orders_per_second=2,
        max_unknown=5,
    )


@pytest.mark.parametrize(
    "name",
    [
        "order_horizon",
        "max_order_qty",
        "max_order_notional",
        "max_orders_per_second",
        "max_unknown_orders",
    ],
)
def test_a_setting_of_zero_is_refused_and_a_small_one_is_not(name):
    with pytest.raises(ValueError, match=name):
        BrokerConfig(**{name: 0})

    BrokerConfig(**{name: 1})


def test_words_of_settings_stay_what_they_are():
    assert [late.value for late in Late] == ["adopt", "cancel"]


@pytest.mark.parametrize(("durability", "level"), [("process", 1), ("power", 2)])
async def test_a_journal_survives_what_the_settings_say(tmp_path, durability, level):
    settings = BrokerConfig(journal=tmp_path / "orders", journal_durability=durability)
    journal = settings.open_journal(Wall(datetime(2026, 3, 2, tzinfo=UTC)))
    await journal.open("a")

    found = journal._writer._database.execute("PRAGMA synchronous").fetchone()
    await journal.close()

    assert found == (level,)


async def test_a_journal_forgets_by_the_clock_it_was_given(tmp_path):
    start = datetime(2026, 3, 2, tzinfo=UTC)
    settings = BrokerConfig(journal=tmp_path / "orders")
    for days, left in ((0, 0), (89, 1), (91, 0)):
        journal = settings.open_journal(Wall(start + timedelta(days=days)))
        assert len(await journal.open("a")) == left
        await journal.write(Row("i", Step.ACKED, start.timestamp()))
        await journal.close()


@pytest.mark.parametrize(
    "smallest", [{"id_prefix": "", "id_length": 15}, {"attempts": 1, "clean_looks": 1}]
)
def test_the_smallest_patience_is_one(smallest):
    assert GatewayPolicy(**smallest, remember=1)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"id_length": 21}, "id_length: 21 leaves fewer than 15 letters after 'sentio-'"),
        ({"remember": 0}, "^orders: GatewayPolicy.* cannot be kept$"),
        ({"first_delay": 0.0}, "cannot be kept"),
        ({"max_delay": 0.0}, "cannot be kept"),
        ({"call_timeout": 0.0}, "cannot be kept"),
    ],
)
def test_patience_that_cannot_be_kept_is_named(wrong, words):
    with pytest.raises(errors.ConfigurationError, match=words):
        GatewayPolicy(**wrong)


def test_pauses_double_up_to_the_longest():
    policy = GatewayPolicy(first_delay=0.25, max_delay=5.0)

    assert [policy.pause(number) for number in range(7)] == [0.25, 0.5, 1, 2, 4, 5, 5]
    assert GatewayPolicy(first_delay=1e-9, max_delay=1e9).pause(10_000) == 1e-9 * 2.0**30
