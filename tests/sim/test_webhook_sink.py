"""The webhook sink keeps what was posted and judges signatures by the specification."""

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from raw_client import ask, request
from sentio_async.sim.exchange import Exchange
from sentio_async.sim.settings import SinkSettings
from sentio_async.sim.venues.webhook import verify

# The worked example of the specification's own libraries.
VECTOR_SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
VECTOR_BODY = b'{"test": 2432232314}'


@pytest.fixture
async def exchange():
    async with Exchange(venues=["webhook"]) as exchange:
        yield exchange


def signed(secret, body='{"n": 1}', at=None, id="msg_1"):
    at = at or datetime.now(UTC)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(id, at, body),
    }


def post(headers, path="/hook", body=b'{"n": 1}'):
    return request(path=path, body=body, headers=headers.items())


async def test_it_keeps_path_headers_and_body(exchange):
    headers = {"Authorization": "Bearer canary", "X-Event": "fill"}
    await ask(exchange.addresses.webhook, post(headers, "/hook/team/a", b'{"qty": "1.50"}'))

    (hook,) = exchange.hooks
    assert (hook.path, hook.json, hook.status) == ("/hook/team/a", {"qty": "1.50"}, 200)
    assert hook.headers["authorization"] == "Bearer canary"
    assert "canary" not in repr(hook)
    assert "canary" not in json.dumps(hook.as_json())


async def test_a_signature_made_by_another_library_is_right(exchange):
    await ask(exchange.addresses.webhook, post(signed(exchange.signing_secret)))

    assert exchange.hooks[0].verified is True


async def test_a_wrong_signature_is_refused_and_kept(exchange):
    headers = signed(exchange.signing_secret, body='{"n": 2}')
    heard = await ask(exchange.addresses.webhook, post(headers))

    assert heard.status == 401
    assert (exchange.hooks[0].verified, exchange.hooks[0].status) == (False, 401)


async def test_a_missing_signature_is_refused_only_where_one_is_required(exchange):
    allowed = await ask(exchange.addresses.webhook)
    exchange.state.sink.require_signature = True
    refused = await ask(exchange.addresses.webhook)

    assert (allowed.status, refused.status) == (200, 401)
    assert [hook.verified for hook in exchange.hooks] == [None, None]


async def test_a_wrong_bearer_is_refused(exchange):
    exchange.state.sink.bearer = "right"
    statuses = [
        (await ask(exchange.addresses.webhook, post({"Authorization": f"Bearer {token}"}))).status
        for token in ("right", "wrong")
    ]

    assert statuses == [200, 401]


def test_the_published_vector_verifies_in_time_and_not_later():
    settings = SinkSettings(secrets=[VECTOR_SECRET], now=lambda: 1614265330 + 300)
    late = SinkSettings(secrets=[VECTOR_SECRET], now=lambda: 1614265330 + 301)

    assert verify(settings, VECTOR, VECTOR_BODY) is True
    assert verify(late, VECTOR, VECTOR_BODY) is False
    assert verify(settings, VECTOR, VECTOR_BODY + b" ") is False


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": ""},
        {"webhook-timestamp": "yesterday"},
        {"webhook-signature": "v2,abc"},
        {"webhook-signature": "v1,not base64!"},
    ],
)
def test_a_damaged_signature_is_wrong_not_an_accident(change):
    settings = SinkSettings(secrets=[VECTOR_SECRET], tolerance=None)

    assert verify(settings, VECTOR | change, VECTOR_BODY) is False


def test_during_rotation_either_key_verifies():
    settings = SinkSettings(secrets=["b2xk" * 8, VECTOR_SECRET], tolerance=None)
    both = {"webhook-signature": "v1,AAAA v1a,ignored " + VECTOR["webhook-signature"]}

    assert verify(settings, VECTOR | both, VECTOR_BODY) is True


async def test_slack_paths_answer_as_slack_does(exchange):
    heard = await ask(exchange.addresses.webhook, request(path="/hook/slack/T/B/x"))

    assert heard.body == b"ok"


async def test_it_answers_as_told(exchange):
    exchange.state.sink.status = 410
    exchange.state.sink.body = "gone"
    exchange.state.sink.headers["Retry-After"] = "9"
    heard = await ask(exchange.addresses.webhook)

    assert (heard.status, heard.body) == (410, b"gone")
    assert b"retry-after: 9" in heard.head


async def test_a_body_that_is_not_json_is_kept_as_it_came(exchange):
    await ask(exchange.addresses.webhook, request(body=b"\xff{"))

    assert exchange.hooks[0].body == b"\xff{"
    assert exchange.hooks[0].json is None


async def test_a_body_beyond_a_megabyte_is_refused(exchange):
    heard = await ask(exchange.addresses.webhook, request(body=b" " * ((1 << 20) + 1)))

    assert heard.status == 413
    assert not exchange.hooks
