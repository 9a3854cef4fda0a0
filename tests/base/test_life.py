"""What a connector says of itself: how its vendor is, and how its calls went."""

from datetime import UTC, datetime

import httpx
import pytest

from sentio_async import errors
from sentio_async.base import BaseConnector, Role
from sentio_async.clock import SystemClock
from sentio_async.config import ConnectorConfig
from sentio_async.http.auth import NoAuth
from sentio_async.http.endpoint import Api, Parts

NOW = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)


class Later(SystemClock):
    """A minute later each time that anybody looks at the wall; seconds pass by themselves."""

    minutes = 0
    seconds = 0.0

    def utcnow(self):
        self.minutes += 1
        return NOW.replace(minute=self.minutes)

    def time(self):
        self.seconds += 0.25
        return self.seconds


@Api("toy").get("/thing", returns=dict)
def thing() -> Parts:
    """Anything."""
    return Parts()


class Toy(BaseConnector):
    vendor = "toy"
    role = Role.DATA
    Config = ConnectorConfig
    reason = None

    def _set_up(self):
        self.hosts = {
            host: self._open_session(f"https://{host}.test", auth=NoAuth())
            for host in ("one", "two")
        }

    async def _check(self):
        return self.reason


async def test_what_is_not_quite_right_is_degraded_and_says_why():
    toy = Toy({"name": "desk"}, clock=Later())
    healthy = await toy.health_check()
    toy.reason = "the account is blocked"
    degraded = await toy.health_check()

    assert (healthy.status, healthy.reason, healthy.connector) == ("healthy", None, "desk")
    assert (degraded.status, degraded.reason) == ("degraded", "the account is blocked")
    assert healthy.latency == degraded.latency == 0.25
    assert healthy.checked_at == NOW.replace(minute=1)


async def test_the_status_is_of_all_sessions_and_asks_nobody():
    asked = []

    def told(request):
        asked.append(request.url.host)
        return httpx.Response(200 if request.url.path == "/thing" else 500, json={})

    def refusing(request):
        return httpx.Response(500)

    answers = [told]
    transport = httpx.MockTransport(lambda request: answers[-1](request))
    async with httpx.AsyncClient(transport=transport) as client:
        toy = Toy({"name": "desk", "retry_attempts": 1}, client=client)
        status = toy.get_status()
        assert (status.last_success_at, status.last_error, asked) == (None, None, [])

        async with toy:
            for session in toy.hosts.values():
                await session.send(thing())
            first, last = (s.stats.last_success_at for s in toy.hosts.values())
            answers.append(refusing)
            with pytest.raises(errors.ServerError):
                await toy.hosts["one"].send(thing())
            connected = toy.get_status()
        left = toy.get_status()

    assert asked == ["one.test", "two.test"]
    assert (connected.connector, connected.vendor, connected.role) == ("desk", "toy", Role.DATA)
    assert connected.is_connected
    assert connected.connected_at is not None
    assert connected.last_success_at == max(first, last)
    assert "500" in connected.last_error
    assert {name.split()[0] for name in connected.breakers} == {"one.test", "two.test"}
    assert set(connected.breakers.values()) == {"closed"}
    assert connected.in_flight == 0
    assert (left.is_connected, left.connected_at) == (False, None)
    assert left.last_success_at == connected.last_success_at


@pytest.mark.parametrize("url", ["http://broker.example", "ftp://x", "broker.example"])
def test_a_session_to_where_keys_must_not_go_is_a_mistake_in_the_settings(url):
    class Elsewhere(Toy):
        def _set_up(self):
            self._open_session(url, auth=NoAuth())

    with pytest.raises(errors.ConfigurationError, match=r"desk: .*(https|URL)"):
        Elsewhere({"name": "desk"})


async def test_a_burst_is_made_ready_for_at_the_main_host_and_not_at_the_login():
    asked = []

    class Warm:
        def __init__(self, name):
            self.name = name

        async def __call__(self, connections):
            asked.append((self.name, connections))

    class WithLogin(Toy):
        def _set_up(self):
            for name in ("login", "main", "other"):
                session = self._open_session(
                    f"https://{name}.test", auth=NoAuth(), is_main=name != "login"
                )
                session.warm = Warm(name)

    await WithLogin().warm(3)

    assert asked == [("main", 3)]
