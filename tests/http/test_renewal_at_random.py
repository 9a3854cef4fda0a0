"""Expiry, revocation, hurry, leaving and failures in any order: no login is lost."""

import asyncio
import random

import httpx
import pytest

from sentio_async import errors
from sentio_async.errors import Outcome
from session_calls import thing, write_once
from token_vendor import Store, Vendor

CALLS = 100


class Moody(Vendor):
    """Takes its time with tokens, refuses some, and remembers what it was asked with."""

    def __init__(self, luck):
        super().__init__()
        self.luck = luck
        self.presented = []
        self.is_moody = True

    async def _next(self, refresh):
        if not self.is_moody:
            return await super()._next(refresh)
        await asyncio.sleep(self.luck.random() * 0.004)
        if self.luck.random() < 0.15:
            return httpx.Response(503)
        self.presented.append(refresh)
        answer = await super()._next(refresh)
        await asyncio.sleep(self.luck.random() * 0.004)
        return answer


async def disturb(vendor, calls):
    luck = vendor.luck
    for _ in range(20):
        await asyncio.sleep(luck.random() * 0.01)
        match luck.randrange(5):
            case 0 | 1:
                vendor.revoke()
            case 2:
                vendor.clock.now += 1750
            case _:
                luck.choice(calls).cancel()


async def outcome_of(vendor, session, number):
    luck = vendor.luck
    await asyncio.sleep(luck.random() * 0.08)
    hurry = luck.choice((0.002, 0.01, 0.05, 1.0))
    try:
        await session.send(write_once(number), timeout=hurry, retry=None)
    except errors.ConnectorError as exc:
        return exc.outcome
    return "done"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
async def test_no_login_is_lost_and_no_order_in_doubt(seed):
    luck = random.Random(seed)
    async with Moody(luck) as vendor:
        store = Store()
        # Two processes with one store, two sessions each.
        auths = [vendor.auth(store=store) for _ in range(2)]
        sessions = [vendor.session(auth, max_in_flight=30) for auth in auths * 2]
        asked = [outcome_of(vendor, luck.choice(sessions), number) for number in range(CALLS)]
        calls = [asyncio.create_task(each) for each in asked]
        await asyncio.gather(disturb(vendor, calls), *calls, return_exceptions=True)
        vendor.is_moody = False
        await asyncio.gather(*vendor.resources.renewals, return_exceptions=True)
        for session in sessions:
            await still_logged_in(session)

    ends = {n: call.result() for n, call in enumerate(calls) if not call.cancelled()}
    assert len(vendor.presented) == len(set(vendor.presented))
    assert len(vendor.orders) == len(set(vendor.orders))
    assert all(n in vendor.orders for n, end in ends.items() if end == "done")
    not_done = {n for n, end in ends.items() if end in (Outcome.NOT_SENT, Outcome.REFUSED)}
    assert not not_done & set(vendor.orders)


async def still_logged_in(session):
    """The first answer may be a 401: what the other process has saved was revoked meanwhile."""
    try:
        await session.send(thing())
    except errors.AuthenticationError:
        await session.send(thing())
