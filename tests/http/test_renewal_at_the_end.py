"""What becomes of a renewal when everybody leaves."""

import asyncio

import pytest
from pydantic import SecretStr

from sentio_async import errors
from sentio_async.http import client
from sentio_async.http.client import Resources
from sentio_async.http.session import Session
from sentio_async.http.tokens import Token, TokenAuth
from session_calls import TestConfig, thing
from token_vendor import Store, Vendor


async def test_leaving_the_client_waits_for_a_renewal():
    store = Store()
    async with Vendor() as vendor:
        auth = vendor.auth(token=vendor.first(), store=store)
        vendor.revoke()
        vendor.pause.clear()
        call = asyncio.create_task(vendor.session(auth).send(thing()))
        await asyncio.sleep(0.01)
        call.cancel()
        asyncio.get_running_loop().call_later(0.02, vendor.pause.set)
        await vendor.resources.close()

    assert store.token.refresh.get_secret_value() == "refresh-0001"
    assert not vendor.resources.renewals


async def test_the_first_renewal_of_all_is_waited_for_as_well():
    """It is what opens the client."""
    store, opened = Store(), []

    async def renew(last):
        opened.append(resources.client)
        await asyncio.sleep(0.01)
        return Token(SecretStr("access-0001"))

    resources = Resources()
    auth = TokenAuth(renew, store=store)
    session = Session(TestConfig(), "https://api.test", auth=auth, resources=resources)
    with pytest.raises(errors.DeadlineExceededError):
        await session.send(thing(), timeout=0.001)
    await resources.close()

    assert opened[0].is_closed
    assert store.token == Token(SecretStr("access-0001"))


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_renewal_that_does_not_end_keeps_nobody_from_leaving(monkeypatch, is_cancelled):
    monkeypatch.setattr(client, "DRAIN", 0.02)

    async def renew(last):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    ended, resources = [], Resources()
    session = Session(TestConfig(), "https://api.test", auth=TokenAuth(renew), resources=resources)
    with pytest.raises(errors.DeadlineExceededError):
        await session.send(thing(), timeout=0.001)
    async with asyncio.timeout(5.0):
        leaving = asyncio.create_task(resources.close())
        await asyncio.sleep(0)
        if is_cancelled:
            leaving.cancel()
        await asyncio.wait((leaving,))

    assert leaving.cancelled() is is_cancelled
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert ended
