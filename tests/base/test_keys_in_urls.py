"""The contract sees a key that a connector has written into a URL by itself."""

from collections.abc import Mapping
from typing import ClassVar

import httpx
import pytest
from pydantic import SecretStr

from sentio_async.base import Capability, DataProviderConnector
from sentio_async.config import ConnectorConfig
from sentio_async.http.auth import NoAuth, PathAuth, QueryAuth
from sentio_async.http.endpoint import Api, Parts
from sentio_async.testing.contracts import DataProviderContract, DataRig

KEY = "toy/key+17"

plain = Api("toy")
secret = Api("toy.secret", secrets=("key",))


@plain.get("/prices", returns=dict)
def prices(key: str | None = None) -> Parts:
    """All prices, with a key in the query if one is given."""
    return Parts(query={"apikey": key})


@secret.get("/{key}/prices", returns=dict)
def prices_by_path() -> Parts:
    """All prices."""
    return Parts()


class ToyConfig(ConnectorConfig):
    vendor: ClassVar[str] = "toy"
    environment: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    api_key: SecretStr
    base_url: str = "https://toy.test"


class Toy(DataProviderConnector):
    vendor = "toy"
    Config = ToyConfig
    capabilities = frozenset({Capability.QUOTES})
    _config: ToyConfig

    async def _check(self):
        await self._session.send(self.call)


class ByQuery(Toy):
    call = prices()

    def _set_up(self):
        auth = QueryAuth({"apikey": self._config.api_key})
        self._session = self._open_session("https://toy.test", auth=auth)


class ByPath(Toy):
    call = prices_by_path()

    def _set_up(self):
        auth = PathAuth({"key": self._config.api_key})
        self._session = self._open_session("https://toy.test", auth=auth)


class CarelessByQuery(Toy):
    def _set_up(self):
        self._session = self._open_session("https://toy.test", auth=NoAuth())
        self.call = prices(self._config.api_key.get_secret_value())


class CarelessByPath(Toy):
    call = prices()

    def _set_up(self):
        url = f"https://toy.test/{self._config.api_key.get_secret_value()}"
        self._session = self._open_session(url, auth=NoAuth())


class ToyRig(DataRig):
    secrets = (KEY,)
    requests = 0
    is_down = False

    def __init__(self, kind):
        self.kind = kind
        self.seen = set()

    def new(self, settings=None, **options):
        client = httpx.AsyncClient(transport=httpx.MockTransport(self.answer))
        return self.kind({"api_key": KEY, **(settings or {})}, client=client, **options)

    def answer(self, request):
        self.seen.add(request.url.raw_path)
        return httpx.Response(503 if self.is_down else 200, json={})

    def fail(self):
        self.is_down = True

    def heal(self):
        self.is_down = False


@pytest.mark.parametrize(
    ("kind", "target"),
    [(ByQuery, b"/prices?apikey=toy%2Fkey%2B17"), (ByPath, b"/toy%2Fkey%2B17/prices")],
)
async def test_proof_in_a_url_keeps_the_contract(kind, target, caplog):
    rig = ToyRig(kind)

    await DataProviderContract().test_secrets_are_not_shown(rig, caplog)

    assert rig.seen == {target}


@pytest.mark.parametrize("kind", [CarelessByQuery, CarelessByPath])
async def test_a_key_that_is_written_into_a_url_does_not(kind, caplog):
    rig = ToyRig(kind)

    with pytest.raises(AssertionError):
        await DataProviderContract().test_secrets_are_not_shown(rig, caplog)

    assert len(rig.seen) == 1
