"""Logins: one bad password is one try, and a token is renewed once."""

import asyncio
import base64
import gc
import logging
import pickle
import traceback

import pytest

from connectors.email.scripted import EHLO, Scripted
from sentio_async import errors
from sentio_async.clock import SystemClock
from sentio_async.connectors.email.notifier import EmailNotifier
from sentio_async.errors import Outcome
from sentio_async.http.redaction import redactor
from sentio_async.models.health import HealthStatus

REFUSED = "535 5.7.8 Username and Password not accepted"
PASSWORD = "canary-password-4711"


def notifier(server, **more):
    login = {"username": "bot@x.test"}
    if "token_provider" not in more:
        login["password"] = PASSWORD
    mail = EmailNotifier(server.settings(**login, **more))
    mail._pipeline._luck = lambda: 0.01
    return mail


async def tell(mail):
    return await mail.send_notification("a@x.test", "s", "m")


def tokens(*given):
    """A provider of these tokens in turn, and how often it was asked."""
    asked = []

    async def provide():
        asked.append(1)
        return given[min(len(asked), len(given)) - 1]

    return provide, asked


def proofs(server):
    """What was said after AUTH and its method."""
    said = [line.split(" ")[2] for line in server.lines if line.startswith("AUTH")]
    return [base64.b64decode(text) for text in said]


async def test_one_wrong_password_is_one_try_however_many_messages_follow():
    async with Scripted(AUTH=REFUSED) as server:
        mail = notifier(server)
        for _ in range(5):
            with pytest.raises(errors.AuthenticationError) as caught:
                await tell(mail)
        report = await mail.health_check()

    assert server.words().count("AUTH") == 1
    assert server.connections == 1
    assert caught.value.outcome is Outcome.REFUSED
    assert "not tried again" in str(caught.value)
    assert report.status is HealthStatus.UNHEALTHY


async def test_connect_tries_a_login_again_that_was_refused_before():
    async with Scripted(AUTH=[REFUSED, "235 OK"]) as server:
        mail = notifier(server)
        with pytest.raises(errors.AuthenticationError):
            await mail.connect()
        assert not mail.is_connected

        await mail.connect()
        assert mail.is_connected
        await mail.disconnect()


async def test_a_throttled_login_is_tried_again_later():
    async with Scripted(AUTH=["454 4.7.0 Too many login attempts", "235 OK"]) as server:
        receipt = await tell(notifier(server))

    assert receipt.is_delivered
    assert receipt.attempts == 2


async def test_plain_is_preferred_and_login_is_known():
    async with Scripted() as server:
        await tell(notifier(server))
        assert proofs(server) == [b"\0bot@x.test\0" + PASSWORD.encode()]

    only_login = EHLO.replace("PLAIN LOGIN XOAUTH2", "LOGIN")
    replies = {"EHLO": only_login, "AUTH": "334 UGFzc3dvcmQ6", "MORE": "235 OK"}
    async with Scripted(**replies) as server:
        await tell(notifier(server))
        assert proofs(server) == [b"bot@x.test"]
        answer = server.lines[server.words().index("AUTH") + 1]
        assert base64.b64decode(answer) == PASSWORD.encode()


async def test_a_server_without_a_known_login_is_not_given_the_password():
    async with Scripted(EHLO="250-scripted.test\r\n250 AUTH GSSAPI CRAM-MD5") as server:
        with pytest.raises(errors.PermissionError, match="offers cram-md5, gssapi") as caught:
            await tell(notifier(server))

    assert caught.value.phase == "AUTH"

    assert server.words() == ["EHLO"]


@pytest.mark.parametrize("challenge", [True, False])
async def test_a_refused_token_is_renewed_once(challenge):
    first = "334 eyJzdGF0dXMiOiI0MDAifQ==" if challenge else REFUSED
    provide, asked = tokens("old-token", "new-token")
    async with Scripted(AUTH=[first, "235 OK"], MORE=REFUSED) as server:
        mail = notifier(server, token_provider=provide)
        receipt = await tell(mail)

    assert receipt.attempts == 1
    assert len(asked) == 2
    # The reason of a refusal is asked for by an empty line.
    assert server.lines.count("") == challenge
    assert proofs(server) == [
        b"user=bot@x.test\x01auth=Bearer old-token\x01\x01",
        b"user=bot@x.test\x01auth=Bearer new-token\x01\x01",
    ]


async def test_a_token_that_is_refused_again_ends_it():
    provide, asked = tokens("old-token", "new-token", "newer-token")
    async with Scripted(AUTH=REFUSED) as server:
        mail = notifier(server, token_provider=provide)
        for _ in range(3):
            with pytest.raises(errors.AuthenticationError):
                await tell(mail)

    assert len(asked) == 2
    assert server.words().count("AUTH") == 2


async def test_the_same_token_is_not_tried_twice():
    provide, _ = tokens("same-token")
    async with Scripted(AUTH=REFUSED) as server:
        with pytest.raises(errors.AuthenticationError):
            await tell(notifier(server, token_provider=provide))

    assert server.words().count("AUTH") == 1


async def test_a_token_is_asked_for_once_while_it_is_good():
    provide, asked = tokens("good-token")
    async with Scripted() as server:
        mail = notifier(server, token_provider=provide)
        for _ in range(3):
            await tell(mail)

    assert len(asked) == 1


async def test_a_token_provider_that_fails_is_not_the_servers_fault():
    async def provide():
        raise RuntimeError("the vault is closed")

    async with Scripted() as server:
        mail = notifier(server, token_provider=provide, retry_attempts=1)
        with pytest.raises(errors.ConnectorError, match="failed with RuntimeError") as caught:
            await tell(mail)

    assert caught.value.outcome is Outcome.NOT_SENT
    assert server.connections == 0


async def test_a_token_provider_that_never_comes_back_is_not_waited_for():
    async def provide():
        await asyncio.Event().wait()

    async with Scripted() as server, asyncio.timeout(2):
        mail = notifier(server, token_provider=provide, retry_attempts=1)
        with pytest.raises(errors.ConnectorError) as caught:
            await mail.send_notification("a@x.test", "s", "m", timeout=0.05)

    assert caught.value.outcome is Outcome.NOT_SENT


async def test_a_login_is_tried_again_when_the_pause_is_over():
    class Later(SystemClock):
        passed = 0.0

        def time(self):
            return super().time() + self.passed

    clock = Later()
    async with Scripted(AUTH=[REFUSED, "235 OK"]) as server:
        settings = server.settings(username="bot@x.test", password=PASSWORD, login_pause=300)
        mail = EmailNotifier(settings, clock=clock)
        for passed in (0.0, 299.0):
            clock.passed = passed
            with pytest.raises(errors.AuthenticationError):
                await tell(mail)
        clock.passed = 301.0

        assert (await tell(mail)).is_delivered
    assert server.words().count("AUTH") == 2


async def test_tokens_are_forgotten_with_their_owner():
    provide, _ = tokens("canary-token-4713")
    async with Scripted() as server:
        mail = notifier(server, token_provider=provide)
        await tell(mail)
    assert redactor.knows_any_in("canary-token-4713")

    del mail
    gc.collect()
    assert not redactor.knows_any_in("canary-token-4713")


@pytest.mark.parametrize("token", ["", "two\r\nlines", "ü"])
async def test_what_is_not_a_token_is_not_sent(token):
    provide, _ = tokens(token)
    async with Scripted() as server:
        with pytest.raises(errors.ConfigurationError, match="token"):
            await tell(notifier(server, token_provider=provide))


def parts_of(error):
    """Everything that may be shown of an error, without the frame of the test that knows."""
    error = error.with_traceback(error.__traceback__.tb_next)
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(shown.format()) + str(error) + repr(vars(error)) + repr(pickle.dumps(error))


@pytest.mark.parametrize(
    "replies",
    [{"AUTH": REFUSED}, {"AUTH": "hang up"}, {"AUTH": None}, {"AUTH": "gibberish"}, {"DOT": "554"}],
)
@pytest.mark.parametrize("by_token", [True, False])
async def test_passwords_and_tokens_stay_out_of_sight(replies, by_token, caplog):
    caplog.set_level(logging.DEBUG)
    provide, _ = tokens("canary-token-4711", "canary-token-4712")
    more = {"token_provider": provide} if by_token else {}
    async with Scripted(**replies) as server:
        mail = notifier(server, retry_attempts=1, timeouts={"read": 0.04}, **more)
        with pytest.raises(errors.ConnectorError) as caught:
            await tell(mail)
        shown = parts_of(caught.value) + caplog.text
        shown += repr(mail) + repr(mail.get_status()) + repr(await mail.health_check())
        shown += repr(vars(mail._connections)) + repr(vars(mail._connections._tokens))
        auth = next(line for line in server.lines if line.startswith("AUTH"))

    for canary in ("canary-token", PASSWORD, auth.split(" ")[2]):
        assert canary not in shown, [line for line in shown.splitlines() if canary in line]


@pytest.mark.parametrize("replies", [{"AUTH": None}, {"AUTH": "334 UGFzc3dvcmQ6", "MORE": None}])
async def test_a_caller_who_does_not_wait_for_the_login_sees_no_password(replies):
    async with Scripted(**replies) as server:
        mail = notifier(server, login="login" if "MORE" in replies else "plain")
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.1):
                await tell(mail)
        shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)

    sent = server.lines[-1].split(" ")[-1]
    assert PASSWORD.encode() in base64.b64decode(sent)
    for canary in (PASSWORD, sent):
        assert canary not in "".join(shown.format())


@pytest.mark.parametrize("answer", ["hang up", None, "gibberish", REFUSED, "334 once more"])
async def test_a_password_in_an_answer_to_a_challenge_stays_out_of_sight(answer, caplog):
    caplog.set_level(logging.DEBUG)
    async with Scripted(AUTH="334 UGFzc3dvcmQ6", MORE=answer) as server:
        mail = notifier(server, login="login", retry_attempts=1, timeouts={"read": 0.04})
        with pytest.raises(errors.ConnectorError) as caught:
            await tell(mail)
        shown = parts_of(caught.value) + caplog.text

    assert caught.value.phase == "AUTH"
    assert caught.value.outcome in (Outcome.NOT_SENT, Outcome.REFUSED)
    assert base64.b64decode(server.lines[-1]) == PASSWORD.encode()
    for canary in (PASSWORD, server.lines[-1]):
        assert canary not in shown
