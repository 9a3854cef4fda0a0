"""Orders in virtual time: a short run, and a look at the simulation itself."""

import pytest

from tests.dst import mutants, runs, scenario
from tests.dst.loop import DeadlockError, VirtualLoop


def test_no_order_is_doubled_lost_or_lied_about():
    result = runs.run(240, seed=1)

    assert result["failing"] == []
    assert result["violations"] == 0
    assert result["placed"] > 1_500


@pytest.mark.parametrize("name", ["fresh-id", "blind-resend", "not-found-is-rejected"])
def test_a_deliberate_bug_is_noticed(name):
    assert mutants.caught_after(name, 100, seed=1)


def test_every_deliberate_bug_still_has_its_place():
    for name in mutants.MUTANTS:
        with mutants.applied(name):
            pass


@pytest.mark.parametrize("client", ["alpaca-py", "retry-new-id", "stable-id", "lookup-then-reject"])
def test_peers_leave_wrong_outcomes_in_the_same_scenarios(client):
    assert runs.run(72, seed=1, client=client)["violations"] > 20


def test_a_seed_goes_the_same_way_every_time():
    traces = []
    for _ in range(2):
        trace = []
        scenario.run(43, trace=trace)
        traces.append([line.split("sentio-")[0] for line in trace])

    assert traces[0] == traces[1]


def test_virtual_time_knows_no_threads_and_no_deadlocks():
    loop = VirtualLoop()
    try:
        with pytest.raises(RuntimeError, match="no threads"):
            loop.run_in_executor(None, print)
        with pytest.raises(DeadlockError):
            loop.run_until_complete(loop.create_future())
    finally:
        loop.finish()
