"""Access tokens are renewed in time, remembered, and never shown."""

import asyncio
import gc
import traceback

import httpx
import pytest
from pydantic import SecretStr

from canary_watch import Canaries
from sentio_async import errors
from sentio_async.http.redaction import redactor
from sentio_async.http.renewal import Age
from sentio_async.http.tokens import Token, TokenAuth
from session_calls import thing, write_once
from token_vendor import Store

# In time


async def test_a_token_is_renewed_before_it_expires_and_nobody_waits_for_it(vendor):
    auth = vendor.auth(token=vendor.first())
    session = vendor.session(auth)
    vendor.clock.now = 1739.0
    await session.send(write_once(1))
    assert vendor.given == 0

    vendor.clock.now = 1741.0
    vendor.pause.clear()
    await session.send(write_once(2))
    vendor.pause.set()
    await asyncio.gather(*vendor.resources.renewals)

    assert (vendor.given, vendor.orders) == (1, [1, 2])
    assert auth.age() is Age.FRESH
    await session.send(write_once(3))
    assert vendor.orders == [1, 2, 3]


async def test_a_token_that_has_expired_is_renewed_first_and_never_sent(vendor):
    seen = []
    auth = vendor.auth(token=vendor.first())
    session = vendor.session(auth)
    vendor.client.event_hooks["request"].append(note(seen))
    vendor.clock.now = 1800.0
    await session.send(thing())

    assert seen == [None, "Bearer access-0001"]


def note(seen):
    async def hook(request):
        seen.append(request.headers.get("authorization"))

    return hook


async def test_a_renewal_that_fails_early_is_not_tried_by_every_call(vendor):
    auth = vendor.auth(token=vendor.first())
    session = vendor.session(auth)
    vendor.failures = [httpx.Response(503)] * 9
    vendor.clock.now = 1750.0
    for n in range(5):
        await session.send(write_once(n))
        await asyncio.sleep(0.001)
    assert len(vendor.failures) == 8

    vendor.clock.now += 5.0
    await session.send(write_once(5))
    await asyncio.sleep(0.001)
    assert len(vendor.failures) == 7
    assert vendor.orders == list(range(6))


async def test_half_of_a_short_life_is_early_enough(vendor):
    auth = vendor.auth(token=vendor.token("access-0000", "refresh-0000", seconds=40))
    ages = []
    for vendor.clock.now in (0.0, 19.0, 21.0, 40.0):
        ages.append(auth.age())

    assert ages == [Age.FRESH, Age.FRESH, Age.OLD, Age.OVER]
    assert TokenAuth(None, token=Token(SecretStr("t"))).age() is Age.FRESH


# Kept


async def test_a_new_token_is_saved_and_a_later_life_begins_with_it(vendor):
    store = Store()
    await vendor.session(vendor.auth(store=store)).send(write_once(1))
    assert store.token.refresh.get_secret_value() == "refresh-0001"

    await vendor.session(vendor.auth(store=store)).send(write_once(2))
    assert vendor.given == 1
    vendor.clock.now = 2000.0
    await vendor.session(vendor.auth(store=store)).send(write_once(3))

    assert vendor.given == 2
    assert vendor.orders == [1, 2, 3]


async def test_two_processes_with_one_store_never_use_a_refresh_token_twice(vendor):
    store = Store(vendor.first())
    sessions = [vendor.session(vendor.auth(store=store)) for _ in range(2)]
    for n in range(4):
        vendor.revoke()
        await asyncio.gather(*(session.send(write_once(n)) for session in sessions))

    assert vendor.orders == [0, 0, 1, 1, 2, 2, 3, 3]
    assert vendor.given == 4


async def test_a_token_that_cannot_be_saved_is_used_and_not_given_up_for_the_saved_one(
    vendor, caplog
):
    store = Store(vendor.first())
    store.fails = True
    session = vendor.session(vendor.auth(store=store))
    for n in range(3):
        vendor.revoke()
        await session.send(write_once(n))
    store.fails = False
    vendor.revoke()
    await session.send(write_once(3))

    assert vendor.orders == [0, 1, 2, 3]
    assert "could not be saved" in caplog.text
    assert store.token.refresh.get_secret_value() == "refresh-0004"


async def test_a_saved_token_is_renewed_although_the_first_try_failed(vendor):
    old = vendor.first()
    store = Store()
    await vendor.session(vendor.auth(token=old, store=store)).send(write_once(0))
    vendor.revoke()
    # What another process has got, and what has ended the old one.
    await vendor.session(vendor.auth(token=old, store=store)).send(write_once(1))
    vendor.clock.now = 4000.0
    session = vendor.session(vendor.auth(token=old, store=store), retry_attempts=1)
    vendor.failures = [httpx.Response(503)]
    with pytest.raises(errors.ServerError, match="was not renewed"):
        await session.send(write_once(2))

    await session.send(write_once(2))

    assert vendor.orders == [0, 1, 2]


async def test_a_new_login_outlives_a_dead_one_in_the_store(vendor):
    store = Store(vendor.token("access-dead", "refresh-dead", seconds=-1))
    session = vendor.session(vendor.auth(token=vendor.first(), store=store))
    vendor.revoke()
    with pytest.raises(errors.AuthenticationError):
        await session.send(write_once(1))

    await session.send(write_once(2))

    assert vendor.orders == [2]
    assert store.token.refresh.get_secret_value() == "refresh-0001"


async def test_a_new_login_in_the_store_ends_the_refusals(vendor):
    store = Store(vendor.first())
    session = vendor.session(vendor.auth(store=store))
    vendor.revoke()
    vendor.refresh = "refresh-of-a-new-login"
    with pytest.raises(errors.AuthenticationError):
        await session.send(write_once(1))

    vendor.access = "access-of-a-new-login"
    vendor.accepted = {vendor.access}
    store.token = vendor.first()
    await session.send(write_once(2))

    assert vendor.orders == [2]
    assert vendor.given == 0


async def test_a_refusal_that_is_told_all_day_does_not_grow(vendor):
    auth = vendor.auth(token=vendor.first())
    session = vendor.session(auth)
    vendor.revoke()
    vendor.refresh = "refresh-of-a-new-login"
    frames = []
    for n in range(20):
        with pytest.raises(errors.AuthenticationError):
            await session.send(write_once(n))
        _, refusal = auth._refused
        frames.append(len(list(traceback.walk_tb(refusal.__traceback__))))

    assert len(set(frames[1:])) == 1


async def test_the_login_of_a_stream_gets_a_token_that_will_do(vendor):
    auth = vendor.auth()
    token = await auth.token()
    again = await auth.token()
    vendor.clock.now = 1800.0
    later = await auth.token()

    assert token is again
    assert token.access.get_secret_value() == "access-0001"
    assert later.access.get_secret_value() == "access-0002"


async def test_tokens_are_not_shown_by_anything(vendor):
    auth = vendor.auth()
    token = await auth.token()
    canaries = Canaries({"access": "access-0001", "refresh": "refresh-0001"})
    canaries.see("auth", auth, auth.renewal, token, auth.sign(thing()))
    leaks = canaries.leaks()
    assert redactor.scrub("access-0001 refresh-0001") == "[secret] [secret]"
    del auth
    gc.collect()

    assert not leaks
    assert not redactor.knows_any_in("access-0001 refresh-0001")
