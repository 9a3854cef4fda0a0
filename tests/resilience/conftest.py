"""A clock told by the test, and a listener that remembers."""

from datetime import UTC, datetime

import pytest


class ManualClock:
    """Time stands still until it is set; sleeping moves it."""

    def __init__(self):
        self.now = 1_000.0
        self.slept = []

    def time(self):
        return self.now

    def utcnow(self):
        return datetime.fromtimestamp(self.now, UTC)

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Heard(list):
    """Events in the order in which they were told."""

    def __call__(self, event):
        self.append(event)

    @property
    def kinds(self):
        return [type(event).__name__ for event in self]


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def heard():
    return Heard()
