"""Checks in the background: regular, alone in their failures, and no judge of one moment."""

import asyncio
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from sentio_async import errors
from sentio_async.events import HealthChanged
from sentio_async.health import HealthMonitor
from sentio_async.models import HealthReport, HealthStatus

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

GOOD, SO_SO, BAD = HealthStatus.HEALTHY, HealthStatus.DEGRADED, HealthStatus.UNHEALTHY
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class Patient:
    """A connector that is as it is told to be: a status, an error, or seconds of silence."""

    def __init__(self, name="patient", state=GOOD):
        self.name, self.state = name, state
        self.checked_at = []

    async def health_check(self):
        self.checked_at.append(asyncio.get_running_loop().time())
        if isinstance(self.state, Exception):
            raise self.state
        if isinstance(self.state, float):
            await asyncio.sleep(self.state)
        status = self.state if isinstance(self.state, HealthStatus) else GOOD
        reason = None if status is GOOD else "so it is"
        return HealthReport(connector="own", status=status, checked_at=NOON, reason=reason)


def watching(*patients, **more):
    monitor = HealthMonitor(**more)
    for patient in patients:
        monitor.register_connector(patient)
    return monitor


async def test_each_is_checked_about_once_an_interval():
    patients = [Patient("a"), Patient("b")]
    begin = asyncio.get_running_loop().time()
    async with watching(*patients, check_interval=60):
        await asyncio.sleep(60 * 10)

    for patient in patients:
        times = patient.checked_at
        assert 9 <= len(times) <= 12
        assert times[0] - begin <= 6
        gaps = [after - before for before, after in pairwise(times)]
        assert all(54 <= gap <= 66 for gap in gaps)
    assert patients[0].checked_at != patients[1].checked_at


async def test_nothing_is_checked_before_the_block_and_after_it():
    patient = Patient()
    monitor = watching(patient, check_interval=60)
    await asyncio.sleep(100)
    async with monitor:
        await asyncio.sleep(100)
    seen = len(patient.checked_at)
    await asyncio.sleep(500)

    assert seen == len(patient.checked_at) == 2


async def test_a_check_that_hangs_is_a_report_and_holds_up_nobody():
    stuck, well = Patient("stuck", 3600.0), Patient("well")
    monitor = watching(stuck, well, timeout=5)
    reports = await monitor.check_all()

    assert (reports["stuck"].status, reports["stuck"].reason) == (BAD, "no answer within 5 s")
    assert reports["well"].status is GOOD
    assert asyncio.get_running_loop().time() < 6


async def test_a_check_may_not_last_longer_than_the_interval():
    monitor = watching(Patient("x", 3600.0), check_interval=0.5, timeout=10, confirmations=1)

    assert (await monitor.check_health("x")).reason == "no answer within 0.5 s"


async def test_a_bug_in_a_check_is_a_report_about_its_own_connector():
    broken, well = Patient("broken", ZeroDivisionError("oops")), Patient("well")
    async with watching(broken, well, check_interval=10) as monitor:
        await asyncio.sleep(100)

        assert monitor.get_unhealthy_connectors() == ["broken"]
        assert monitor.get_history("broken")[-1].reason == "ZeroDivisionError: oops"
    assert len(broken.checked_at) > 8
    assert len(well.checked_at) > 8


async def test_a_status_changes_at_the_first_report_and_then_at_the_second_alike():
    told = []
    patient = Patient()
    monitor = watching(patient, listeners=[told.append])
    for state in (GOOD, BAD, GOOD, BAD, BAD, GOOD, SO_SO, GOOD, GOOD):
        patient.state = state
        await monitor.check_health("patient")

    assert all(type(event) is HealthChanged for event in told)
    changes = [(event.old, event.new, event.reason) for event in told]
    assert changes == [
        ("unknown", "healthy", "answers"),
        ("healthy", "unhealthy", "so it is"),
        ("unhealthy", "degraded", "so it is"),
        ("degraded", "healthy", "answers"),
    ]


async def test_a_report_goes_by_the_name_under_which_it_is_watched():
    monitor = HealthMonitor()
    monitor.register_connector(Patient(), name="mine")

    assert (await monitor.check_health("mine")).connector == "mine"
    assert list(await monitor.check_all()) == ["mine"]


@pytest.mark.parametrize(
    ("states", "worst"),
    [
        ([], HealthStatus.UNKNOWN),
        ([GOOD], GOOD),
        ([GOOD, SO_SO], SO_SO),
        ([SO_SO, BAD, GOOD], BAD),
    ],
)
async def test_the_summary_is_the_worst_of_all_with_reasons(states, worst):
    monitor = watching(*(Patient(state.value, state) for state in states))
    before = monitor.get_summary()
    await monitor.check_all()
    summary = monitor.get_summary()

    assert (before.status, before.last_check_at) == (HealthStatus.UNKNOWN, None)
    assert summary.status is worst
    assert summary.connectors == {state.value: state for state in states}
    assert summary.reasons == {state.value: "so it is" for state in states if state is not GOOD}
    assert summary.last_check_at == (NOON if states else None)


async def test_one_that_is_not_checked_yet_makes_the_whole_unknown():
    monitor = watching(Patient("a"), Patient("b"))
    await monitor.check_health("a")

    assert monitor.get_summary().status is HealthStatus.UNKNOWN


async def test_the_last_reports_are_kept_the_oldest_first():
    patient = Patient()
    monitor = watching(patient, history=2)
    for state in (BAD, SO_SO, GOOD):
        patient.state = state
        await monitor.check_health("patient")

    assert [report.status for report in monitor.get_history("patient")] == [SO_SO, GOOD]


async def test_one_that_comes_later_is_watched_and_one_that_goes_is_not():
    early, late = Patient("early"), Patient("late")
    async with watching(early, check_interval=10) as monitor:
        monitor.register_connector(late, interval=1)
        await asyncio.sleep(30)
        monitor.unregister_connector("early")
        seen = len(early.checked_at)
        await asyncio.sleep(30)

        assert len(early.checked_at) == seen
        assert len(late.checked_at) > 50
        with pytest.raises(errors.ConfigurationError, match="'early' is watched; there are late"):
            monitor.get_history("early")


async def test_one_that_goes_before_its_first_check_is_never_checked():
    patient = Patient()
    async with HealthMonitor(10) as monitor:
        monitor.register_connector(patient)
        monitor.unregister_connector("patient")
        await asyncio.sleep(100)

    assert patient.checked_at == []


async def test_checks_of_one_connector_wait_for_each_other():
    patient = Patient("slow", 4.0)
    monitor = watching(patient)
    await asyncio.gather(*(monitor.check_health("slow") for _ in range(3)))

    first, second, third = patient.checked_at
    assert (second - first, third - second) == pytest.approx((4, 4))


async def test_what_cannot_be_is_refused():
    monitor = watching(Patient())
    with pytest.raises(errors.ConfigurationError, match="'patient' is watched already"):
        monitor.register_connector(Patient())
    with pytest.raises(errors.ConfigurationError, match="no connector 'nobody' is watched"):
        monitor.unregister_connector("nobody")
    with pytest.raises(errors.ConfigurationError, match="'nobody' is watched; there are patient"):
        await monitor.check_health("nobody")
    async with monitor:
        with pytest.raises(errors.ConfigurationError, match="running already"):
            await monitor.__aenter__()
    for wrong in ({"check_interval": 0}, {"timeout": 0}, {"confirmations": 0}, {"history": 0}):
        with pytest.raises(errors.ConfigurationError, match="more than zero"):
            HealthMonitor(**wrong)


async def test_a_monitor_may_be_started_again():
    patient = Patient()
    monitor = watching(patient, check_interval=10)
    for _ in range(2):
        async with monitor:
            await asyncio.sleep(15)
    monitor.unregister_connector("patient")

    assert len(patient.checked_at) == 4
