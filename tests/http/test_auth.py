"""Headers that prove who sends: right, renewed, and never shown."""

import gc

import pytest
from pydantic import SecretStr

from canary_watch import Canaries
from sentio_async import errors
from sentio_async.http.auth import BearerAuth, HeaderAuth, NoAuth
from sentio_async.http.endpoint import Api, Parts
from sentio_async.http.redaction import redactor

KEY = "canary-header-4711"


@Api("toy").get("/x", returns=dict)
def ask() -> Parts:
    """Anything."""
    return Parts()


async def test_headers_are_those_that_were_given():
    auth = HeaderAuth({"x-key": SecretStr("k"), "x-secret": SecretStr(KEY)})

    assert auth.sign(ask()) == {"x-key": "k", "x-secret": KEY}
    assert repr(auth.sign(ask())) == "<2 secret headers>"
    assert await auth.refresh() is False
    assert NoAuth().sign(ask()) == {}
    assert await NoAuth().refresh() is False


@pytest.mark.parametrize(
    "text", ["", " ", f"{KEY}\n", f" {KEY}", f"{KEY} ", f"{KEY}\x00", f"{KEY}\r\nx-a: b", f"{KEY}ü"]
)
@pytest.mark.parametrize(
    ("place", "make"),
    [
        ("header x-key", lambda secret: HeaderAuth({"x-key": secret})),
        ("header authorization", BearerAuth),
    ],
)
def test_a_secret_that_no_header_can_carry_is_refused_and_not_shown(place, make, text):
    secret = SecretStr(text)
    with pytest.raises(errors.ConfigurationError, match=f"secret for the {place} ") as caught:
        make(secret)

    canaries = Canaries({"it": KEY})
    canaries.see_error("refused", caught.value)
    assert not canaries.leaks()


def renewing(*tokens):
    left = [SecretStr(token) for token in tokens]

    async def renew():
        return left.pop(0)

    return BearerAuth(SecretStr("first-token"), renew=renew)


async def test_a_new_token_takes_the_place_of_the_old_and_is_hidden_while_it_is_used():
    auth = renewing("second-token", "third-token", "fourth-token")
    assert auth.sign(ask()) == {"authorization": "Bearer first-token"}

    assert await auth.refresh() is True
    assert auth.sign(ask()) == {"authorization": "Bearer second-token"}
    assert redactor.scrub("with second-token") == "with [secret]"

    for _ in range(2):
        await auth.refresh()
    # An answer to the last but one may still come.
    assert redactor.scrub("third-token fourth-token") == "[secret] [secret]"
    assert not redactor.knows_any_in("second-token")
    del auth
    gc.collect()
    assert not redactor.knows_any_in("third-token fourth-token")


async def test_a_new_token_that_cannot_be_sent_leaves_the_old_one():
    auth = renewing(f"{KEY}\n")
    with pytest.raises(errors.ConfigurationError, match="header authorization"):
        await auth.refresh()

    assert auth.sign(ask()) == {"authorization": "Bearer first-token"}
    assert redactor.knows_any_in(f"{KEY}\n")
