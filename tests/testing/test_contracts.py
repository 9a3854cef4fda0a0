"""The contract is not kept by accident: a connector that breaks a promise fails its test."""

import subprocess
import sys

import pytest

BROKEN = """
import pytest
from sentio_async import errors
from sentio_async.base import Capability
from sentio_async.connectors.polygon.data import PolygonData
from sentio_async.models import Bars, Batch
from sentio_async.testing.contracts import DataProviderContract
from connectors.test_contracts import PolygonRig


class Careless(PolygonData):
    capabilities = PolygonData.capabilities - {Capability.TRADES}

    async def connect(self):
        try:
            await super().connect()
        except errors.ConnectorError:
            pass

    async def health_check(self):
        await self._check()
        return await super().health_check()

    def get_status(self):
        return super().get_status().model_copy(update={"last_error": None})

    async def get_quotes(self, symbols):
        return Batch((await super().get_quotes(symbols)).found)

    async def get_quote(self, symbol, *, max_age=None):
        return await super().get_quote(symbol)

    async def get_bars(self, symbol, *args, **options):
        try:
            bars = await super().get_bars(symbol, *args, **options)
        except errors.ServerError:
            return Bars(symbol, provider="polygon")
        return Bars.of(symbol, list(bars)[::-1], provider="polygon")

    def __repr__(self):
        return f"<Careless {self._config.api_key.get_secret_value()}>"


class CarelessRig(PolygonRig):
    kind = Careless


@pytest.mark.exchange(venues=("polygon",), hours="nyse")
class TestCareless(DataProviderContract):
    @pytest.fixture
    def rig(self, exchange):
        return CarelessRig(exchange)
"""

MUST_FAIL = {
    "test_wrong_credentials_are_told_at_connect",
    "test_a_vendor_that_fails_does_not_connect",
    "test_a_health_check_is_a_report",
    "test_wrong_credentials_are_unhealthy",
    "test_secrets_are_not_shown",
    "test_a_batch_has_a_quote_or_an_error_for_each",
    "test_old_data_is_refused_on_request",
    "test_bars_ascend_within_their_bounds",
    "test_no_bars_and_no_answer_are_two_things",
    "test_what_it_does_not_declare_is_refused",
}


@pytest.mark.slow
def test_each_broken_promise_fails_its_own_test(tmp_path, pytestconfig):
    (tmp_path / "test_careless.py").write_text(BROKEN)

    result = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "--tb=no", "-rf", "-p", "no:cacheprovider"),
            *("-c", str(pytestconfig.rootpath / "pyproject.toml")),
            *("--rootdir", str(pytestconfig.rootpath), str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=pytestconfig.rootpath,
    )
    failed = {
        line.split("::")[-1].split(" ")[0].split("[")[0]
        for line in result.stdout.splitlines()
        if line.startswith("FAILED")
    }

    assert failed >= MUST_FAIL, result.stdout
    assert "test_connecting_and_disconnecting_twice_is_as_once" not in failed
