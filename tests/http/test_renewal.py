"""Proof is renewed once for all who need it, to its end, and leaves no doubt about a request."""

import asyncio

import httpx
import pytest
from pydantic import SecretStr

from sentio_async import errors
from sentio_async.errors import Outcome
from sentio_async.http import renewal
from sentio_async.http.auth import BearerAuth, NoAuth, SecretHeaders
from sentio_async.http.endpoint import Parts
from sentio_async.http.renewal import Age
from sentio_async.resilience.deadline import with_deadline
from session_calls import thing, write_once
from token_vendor import ask_token, oauth

# Once, for everybody


async def test_sessions_with_one_proof_renew_it_once(vendor):
    auth = vendor.auth(token=vendor.first())
    sessions = [vendor.session(auth, max_in_flight=50) for _ in range(3)]
    vendor.revoke()

    calls = [session.send(write_once(n)) for n, session in enumerate(sessions * 10)]
    await asyncio.gather(*calls)

    assert vendor.given == 1
    assert sorted(vendor.orders) == list(range(30))
    assert auth.renewal.number == 1


async def test_a_bearer_token_is_renewed_once_for_two_sessions_as_well(vendor):
    renewals = []

    async def renew():
        renewals.append(1)
        await asyncio.sleep(0)
        return SecretStr(vendor.access)

    auth = BearerAuth(SecretStr("old-token"), renew=renew)
    one, other = vendor.session(auth), vendor.session(auth)
    await asyncio.gather(one.send(write_once(1)), other.send(write_once(2)))
    await other.send(write_once(3))

    assert renewals == [1]
    assert sorted(vendor.orders) == [1, 2, 3]


async def test_a_renewal_is_seen_to_its_end_though_all_who_waited_have_left(vendor):
    auth = vendor.auth(token=vendor.first())
    session = vendor.session(auth)
    vendor.revoke()
    vendor.pause.clear()

    with pytest.raises(errors.AuthenticationError) as late:
        await session.send(write_once(1), timeout=0.05)
    left = asyncio.create_task(session.send(write_once(2)))
    await asyncio.sleep(0.01)
    left.cancel()
    await asyncio.wait((left,))
    vendor.pause.set()
    await session.send(write_once(3))

    assert late.value.outcome is Outcome.REFUSED
    # The vendor has ended the first refresh token; who lost the second would be locked out.
    assert vendor.given == 1
    assert vendor.orders == [3]


async def test_the_deadline_of_the_first_is_not_that_of_the_renewal(vendor):
    auth = vendor.auth(token=vendor.first())
    session = vendor.session(auth)
    vendor.revoke()
    vendor.pause.clear()
    with with_deadline(0.02), pytest.raises(errors.AuthenticationError):
        await session.send(write_once(1))
    vendor.pause.set()
    await session.send(write_once(2))

    assert (vendor.given, vendor.orders) == (1, [2])


def test_a_renewal_that_another_loop_left_behind_is_begun_anew():
    begun = []

    async def refresh():
        begun.append(1)
        if len(begun) == 1:
            await asyncio.Event().wait()
        return True

    one, tasks = renewal.Renewal(refresh), set()

    async def ask(seconds):
        return await one.after(0, asyncio.get_running_loop().time() + seconds, tasks)

    async def end(task):
        task.cancel()
        await asyncio.wait((task,))

    old = asyncio.new_event_loop()
    assert old.run_until_complete(ask(0.01)) is False
    (left,) = tasks
    assert asyncio.run(ask(1.0)) is True
    assert len(begun) == 2

    old.run_until_complete(end(left))
    old.close()


# Evidence


@pytest.mark.parametrize(
    "failure",
    [httpx.Response(503), httpx.Response(200, text="<html>"), httpx.Response(429)],
    ids=["unavailable", "nonsense", "throttled"],
)
async def test_an_order_whose_proof_was_not_renewed_was_not_sent(vendor, failure):
    auth = vendor.auth(token=vendor.first())
    session = vendor.session(auth)
    vendor.revoke()
    vendor.failures = [failure]
    with pytest.raises(errors.ConnectorError, match="the proof was not renewed") as caught:
        await session.send(write_once(1), retry=None)

    assert caught.value.outcome is Outcome.NOT_SENT
    assert not caught.value.is_permanent or isinstance(caught.value, errors.DecodeError)
    assert caught.value.operation == "POST /hook"
    assert caught.value.request == "POST https://api.test/hook"


async def test_each_caller_has_an_error_of_their_own_and_the_host_is_not_blamed(vendor):
    async def renew():
        await asyncio.sleep(0.001)
        raise errors.ConnectionError("cannot connect", outcome=Outcome.NOT_SENT, phase="connect")

    session = vendor.session(BearerAuth(SecretStr("old-token"), renew=renew))
    calls = [session.send(write_once(n), retry=None) for n in range(9)]
    found = await asyncio.gather(*calls, return_exceptions=True)

    assert len({id(each) for each in found}) == 9
    assert session.breakers["account"].state.value == "closed"
    assert {each.message for each in found} == {"the proof was not renewed: cannot connect"}


async def test_a_login_that_is_throttled_holds_back_no_call_that_has_proof(vendor):
    auth = vendor.auth(token=vendor.first())
    session = vendor.session(auth)
    vendor.revoke()
    vendor.failures = [httpx.Response(429, headers={"retry-after": "60"})]
    with pytest.raises(errors.RateLimitError) as caught:
        await session.send(write_once(1), retry=None)
    assert (caught.value.retry_after, caught.value.status_code) == (60.0, None)

    vendor.accepted.add(vendor.access)
    async with asyncio.timeout(1.0):
        await session.send(write_once(2))

    assert vendor.orders == [2]


async def test_a_write_is_sent_when_its_proof_is_renewed_at_the_second_try(vendor):
    auth = vendor.auth(token=vendor.first())
    vendor.revoke()
    vendor.failures = [httpx.Response(503)]
    await vendor.session(auth).send(write_once(1))

    assert vendor.orders == [1]


async def test_a_login_that_has_ended_is_an_authentication_error_and_not_asked_for_again(vendor):
    auth = vendor.auth(token=vendor.first())
    session = vendor.session(auth)
    vendor.revoke()
    vendor.refresh = "another login"
    found = await asyncio.gather(
        *(session.send(write_once(n)) for n in range(3)), return_exceptions=True
    )
    vendor.failures = [httpx.Response(503)]
    with pytest.raises(errors.AuthenticationError, match="not renewed") as later:
        await session.send(write_once(4))

    assert {(type(each), each.outcome, each.is_permanent) for each in [*found, later.value]} == {
        (errors.AuthenticationError, Outcome.NOT_SENT, True)
    }
    assert len({id(each) for each in found}) == 3
    # Nobody has asked the vendor again.
    assert len(vendor.failures) == 1
    assert session.breakers["account"].state.value == "closed"


@pytest.mark.parametrize("failure", [OSError("disk"), KeyError("access_token"), TimeoutError()])
async def test_a_mistake_in_the_code_that_renews_is_told_and_the_order_was_not_sent(
    vendor, failure, caplog
):
    async def renew():
        raise failure

    auth = BearerAuth(SecretStr("old-token"), renew=renew)
    with pytest.raises(errors.ConnectorError, match="the proof was not renewed: ") as caught:
        await vendor.session(auth).send(write_once(1), retry=None)

    assert caught.value.outcome is Outcome.NOT_SENT
    assert type(failure).__name__ in caught.value.message
    assert "Traceback" in caplog.text


async def test_a_renewal_that_never_ends_is_given_up(vendor, monkeypatch, caplog):
    monkeypatch.setattr(renewal, "LONGEST", 0.01)

    async def renew():
        await asyncio.Event().wait()

    auth = BearerAuth(SecretStr("old-token"), renew=renew)
    with pytest.raises(errors.ConnectorError, match="TimeoutError") as caught:
        await vendor.session(auth).send(write_once(1), retry=None)

    assert caught.value.outcome is Outcome.NOT_SENT


@pytest.mark.parametrize("in_a_task", [False, True])
async def test_what_is_asked_in_order_to_renew_is_not_renewed_itself(vendor, in_a_task):
    """A token's own renewal may go through the session that waits for it."""
    seen = []

    class Signed(NoAuth):
        word = "old"

        def sign(self, call):
            return SecretHeaders({"authorization": f"Bearer {self.word}"})

        def age(self):
            return Age.OVER if self.word == "old" else Age.FRESH

        async def refresh(self):
            asked = session.send(thing())
            with pytest.raises(errors.AuthenticationError) as refused:
                await (asyncio.create_task(asked) if in_a_task else asked)
            seen.append(refused.value.outcome)
            self.word = vendor.access
            return True

    session = vendor.session(Signed())
    async with asyncio.timeout(5.0):
        await session.send(write_once(1))

    assert seen == [Outcome.REFUSED]
    assert vendor.orders == [1]


async def test_what_renews_may_ask_the_same_as_one_who_waits_for_it(vendor):
    @oauth.get("/status", returns=dict)
    def status() -> Parts:
        return Parts()

    class Signed(NoAuth):
        word = "old"

        def sign(self, call):
            return SecretHeaders({"authorization": f"Bearer {self.word}"})

        async def refresh(self):
            with pytest.raises(errors.AuthenticationError):
                await session.send(status())
            self.word = vendor.access
            return True

    session = vendor.session(Signed())
    async with asyncio.timeout(5.0):
        found = await asyncio.gather(session.send(status()), session.send(status()))

    assert found == [{"ok": True}] * 2


@pytest.mark.parametrize("is_timed", [False, True])
async def test_what_renews_does_not_wait_for_a_place_of_those_who_wait_for_it(vendor, is_timed):
    class Signed(NoAuth):
        word = "old"

        def sign(self, call):
            return SecretHeaders({"authorization": f"Bearer {self.word}"})

        async def refresh(self):
            got = await session.send(ask_token("refresh-0000"))
            self.word = got["access"]
            return True

    class Timed(Signed):
        def age(self):
            return Age.OVER if self.word == "old" else Age.FRESH

    vendor.revoke()
    session = vendor.session(Timed() if is_timed else Signed(), max_in_flight=2)
    async with asyncio.timeout(5.0):
        await asyncio.gather(*(session.send(write_once(n)) for n in range(6)))

    assert sorted(vendor.orders) == list(range(6))
    assert session.in_flight == 0


async def test_proof_that_is_over_and_cannot_be_renewed_sends_nothing(vendor):
    class Dead(NoAuth):
        def age(self):
            return Age.OVER

    with pytest.raises(errors.AuthenticationError, match="no way to renew") as caught:
        await vendor.session(Dead()).send(write_once(1))

    assert caught.value.outcome is Outcome.NOT_SENT
    assert caught.value.attempts[0].number == len(caught.value.attempts) == 1


async def test_no_time_to_renew_before_sending_is_no_doubt(vendor):
    auth = vendor.auth()
    vendor.pause.clear()
    with pytest.raises(errors.DeadlineExceededError, match="not renewed in time") as caught:
        await vendor.session(auth).send(write_once(1), timeout=0.05)
    vendor.pause.set()

    assert caught.value.outcome is Outcome.NOT_SENT
    assert vendor.orders == []


async def test_a_renewal_that_ends_with_its_loop_is_no_refusal(vendor):
    auth = vendor.auth()
    vendor.pause.clear()
    call = asyncio.create_task(vendor.session(auth).send(write_once(1), retry=None))
    await asyncio.sleep(0.01)
    for task in vendor.resources.renewals:
        task.cancel()
    with pytest.raises(errors.DeadlineExceededError) as caught:
        await call

    assert caught.value.outcome is Outcome.NOT_SENT
    assert not caught.value.is_permanent


async def test_an_old_proof_is_not_renewed_by_every_call_that_goes_on_with_it(vendor):
    renewals = []

    class Ageing(NoAuth):
        def sign(self, call):
            return SecretHeaders({"authorization": f"Bearer {vendor.access}"})

        def age(self):
            return Age.OLD

        async def refresh(self):
            renewals.append(1)
            return False

    session = vendor.session(Ageing())
    for n in range(3):
        await session.send(write_once(n))

    assert (renewals, vendor.orders) == ([1], [0, 1, 2])


async def test_what_needs_no_proof_does_not_wait_for_it(vendor):
    @oauth.get("/open", returns=dict, authenticated=False)
    def open_to_all() -> Parts:
        return Parts()

    assert await vendor.session(vendor.auth()).send(open_to_all()) == {}
    assert vendor.given == 0


async def test_a_check_is_made_when_proof_is_there(vendor):
    """Trading may be halted while an order waits for its proof."""
    halted = []

    def check():
        if halted:
            raise errors.TradingHaltedError("halted")

    auth = vendor.auth()
    vendor.pause.clear()
    order = asyncio.create_task(vendor.session(auth).send(write_once(1), check=check))
    await asyncio.sleep(0.01)
    halted.append(True)
    vendor.pause.set()
    with pytest.raises(errors.TradingHaltedError):
        await order

    assert vendor.orders == []
