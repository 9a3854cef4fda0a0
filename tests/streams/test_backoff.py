"""How long clients stay away, and that they do not come back together."""

import random
from collections import Counter

import pytest

from sentio_async.streams.backoff import Backoff, BackoffPolicy


def first_after(outage: float, backoff: Backoff) -> float:
    """How long after an outage a client comes that was dropped when it began."""
    at = 0.0
    while at < outage:
        at += backoff.next()
    return at - outage


@pytest.mark.parametrize("outage", [3, 5, 10, 20, 30, 60, 120, 600])
def test_the_peak_after_an_outage_is_at_most_three_times_the_mean(outage):
    luck = random.Random(outage)
    back = [first_after(outage, Backoff(luck=luck.random)) for _ in range(500)]

    window = max(back)
    peak = max(Counter(int(10 * at / window) for at in back).values())
    assert peak <= 3 * len(back) / 10
    assert window <= 30


@pytest.mark.parametrize("luck", [0.0, 0.5, 0.999])
def test_delays_double_between_their_bounds(luck):
    backoff = Backoff(luck=lambda: luck)
    delays = [backoff.next() for _ in range(40)]

    assert 0.125 <= delays[0] <= 0.5
    assert delays == sorted(delays)
    assert 15 <= delays[-1] <= 30
    backoff.reset()
    assert backoff.next() == delays[0]


def test_too_many_connections_mean_a_long_wait_however_short_the_others_are():
    backoff = Backoff(BackoffPolicy(first=0.1, most=1.0, slow=30.0), luck=lambda: 0.0)

    assert backoff.next(is_slow=True) == 30.0
    assert backoff.next() <= 1.0
