"""Bodies, signatures and URLs of webhooks, without I/O."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK
from sentio_async.connectors.webhook import wire
from sentio_async.connectors.webhook.proof import Proof
from sentio_async.models import NoticePriority, OrderSide, TradeNotice

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"another key, of thirty-two bytes").decode()
AT = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)


def sign(*secrets, id="msg_1", timestamp=1614265330, body=b"{}"):
    return wire.signature_headers([SecretStr(s) for s in secrets], id, timestamp, body)


def test_the_specifications_own_example_is_signed_as_it_says():
    headers = sign(SECRET, id="msg_p5jXN8AQM9LWM0D4loKWxJek", body=b'{"test": 2432232314}')

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_recorded_vectors_are_signed_as_they_say(shared):
    file = shared / "payloads" / "standard_webhooks" / "01_sign_v1.json"
    for vector in json.loads(file.read_text())["vectors"]:
        headers = sign(
            vector["secret"],
            id=vector["id"],
            timestamp=vector["timestamp"],
            body=vector["body"].encode(),
        )
        assert headers["webhook-signature"] == vector["signature"]


def test_recorded_forms_of_secrets_are_read_as_they_say(shared):
    file = shared / "payloads" / "standard_webhooks" / "03_secret_forms.json"
    for vector in json.loads(file.read_text())["vectors"]:
        if vector.get("error"):
            with pytest.raises(errors.ConfigurationError):
                wire.secret_key(SecretStr(vector["secret"]))
        else:
            same = wire.secret_key(SecretStr(vector["same_as"]))
            assert wire.secret_key(SecretStr(vector["secret"])) == same


def test_an_independent_library_accepts_the_signature_by_either_secret():
    now = int(datetime.now(UTC).timestamp())
    body = wire.post_notice({"type": "x", "data": {"a": "ü <&>"}}, "msg_1").body

    headers = sign(SECRET, OTHER, timestamp=now, body=body)

    assert len(headers["webhook-signature"].split()) == 2
    for secret in (SECRET, OTHER):
        assert Webhook(secret).verify(body, headers)["type"] == "x"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + b" ", headers)


def test_without_a_secret_there_is_no_signature():
    assert "webhook-signature" not in sign()


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!", "whsec_ümlaut"])
def test_a_bad_secret_is_refused_without_being_shown(secret):
    with pytest.raises(errors.ConfigurationError) as caught:
        wire.secret_key(SecretStr(secret))

    assert not secret or secret.removeprefix("whsec_") not in str(caught.value) or len(secret) < 8


@pytest.mark.parametrize(("size", "fits"), [(15, False), (16, True), (64, True), (65, False)])
def test_a_secret_has_sixteen_to_sixty_four_bytes(size, fits):
    secret = SecretStr("whsec_" + base64.b64encode(b"k" * size).decode())

    if fits:
        assert wire.secret_key(secret) == b"k" * size
        return
    with pytest.raises(errors.ConfigurationError, match="signing secret"):
        wire.secret_key(secret)


def test_missing_padding_of_a_secret_is_forgiven():
    assert wire.secret_key(SecretStr(OTHER.rstrip("="))) == wire.secret_key(SecretStr(OTHER))


def test_a_trade_is_told_exactly_and_without_what_is_not_known():
    trade = TradeNotice(
        symbol="AAPL", side=OrderSide.BUY, qty=Decimal("0.10"), price=Decimal("187.2000")
    )

    body = json.loads(wire.post_notice(wire.trade_body(AT, trade), "msg_1").body)

    assert body == {
        "type": "trade",
        "timestamp": "2026-11-24T15:30:00Z",
        "data": {
            "symbol": "AAPL",
            "side": "buy",
            "qty": "0.10",
            "price": "187.2000",
            "total": "18.720000",
        },
    }


def test_everything_that_is_known_of_a_trade_is_told():
    trade = TradeNotice(
        symbol="BTC/USD",
        side=OrderSide.SELL,
        qty=Decimal("1E+3"),
        order_id="o-1",
        status="filled",
        strategy="momentum",
        profit_loss=Decimal("-1.50"),
        at=datetime(2026, 11, 24, 16, 30, tzinfo=timezone(timedelta(hours=1))),
        details={"venue": "X"},
    )

    assert wire.trade_body(AT, trade)["data"] == {
        "symbol": "BTC/USD",
        "side": "sell",
        "qty": "1000",
        "order_id": "o-1",
        "status": "filled",
        "strategy": "momentum",
        "profit_loss": "-1.50",
        "at": "2026-11-24T15:30:00Z",
        "details": {"venue": "X"},
    }


@pytest.fixture
def far_away(monkeypatch):
    """A machine whose own zone is not UTC."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_away")
def test_times_are_told_in_utc():
    at = datetime(2026, 11, 24, 10, 30, tzinfo=timezone(timedelta(hours=-5)))

    body = wire.notice_body("x", at, subject="", message="", priority=NoticePriority.LOW)

    assert body["timestamp"] == "2026-11-24T15:30:00Z"


@pytest.mark.parametrize(
    "text", ["<!channel>", "<!here|here>", "<@U024BE7LH>", "<https://evil.example|your bank>"]
)
def test_text_of_others_pings_nobody_in_slack(text):
    told = wire.slack_body(text, f"a & b {text}")["text"]

    assert "<" not in told
    assert ">" not in told
    assert "&amp; b" in told


def test_half_a_character_anywhere_becomes_a_question_mark():
    half, deep = "a\ud800", []
    deep.append(deep)
    details = {half: [half, (half, 1), {"x": half}]}
    known = {"recipients": [half], "details": details}

    told = wire.notice_body(
        half, AT, subject=half, message=half, priority=NoticePriority.LOW, **known
    )

    assert told["type"] == told["data"]["subject"] == told["data"]["message"] == "a?"
    assert told["data"]["recipients"] == ["a?"]
    assert told["data"]["details"] == {"a?": ["a?", ["a?", 1], {"x": "a?"}]}
    trade = TradeNotice(symbol="KO", side=OrderSide.BUY, qty=Decimal(1), details=details)
    assert wire.trade_body(AT, trade)["data"]["details"] == told["data"]["details"]
    with pytest.raises(errors.InvalidRequestError, match="deep"):
        wire.notice_body(
            "x", AT, subject="s", message="m", priority=NoticePriority.LOW, details={"x": deep}
        )


def test_half_a_character_becomes_a_question_mark_in_slack():
    assert wire.slack_body("a\ud800", "b\udfff <c>") == {"text": "*a?*\nb? &lt;c&gt;"}


def test_slack_text_is_cut_before_it_is_escaped():
    told = wire.slack_body("s", "&" * 10_000)["text"]

    assert told.endswith("… (cut)")
    assert told.count("&amp;") == told.count("&")
    assert len(told.replace("&amp;", "&")) == 4000
    long = wire.slack_body("s" * 300, "m" * 10_000)["text"]
    assert len(long) == 4000
    assert long.startswith(f"*{'s' * 200}*\nm")


@pytest.mark.parametrize(
    ("url", "most"),
    [
        ("https://hooks.slack.com/services/T0/B0/x", 4000),
        ("https://discord.com/api/webhooks/1/x/slack", 2000),
        ("https://discord.com/api/webhooks/1/x/slack?thread_id=2", 2000),
    ],
)
def test_a_room_is_told_no_more_than_it_takes_at_once(url, most):
    told = wire.slack_body("s", "m" * 10_000, most=wire.longest_text(url))["text"]

    assert len(told) == most
    assert told.endswith("… (cut)")


def test_the_spaces_that_keep_a_text_from_calling_count_where_it_is_cut():
    told = wire.slack_body("@a " * 60, "@all " * 500, most=2000)["text"]

    assert len(told) == 2000
    assert told.endswith("… (cut)")
    assert "@a" not in told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A: b\r\nHost", "x"),
        ("X A", "x"),
        ("", "x"),
        ("X-A", "b\r\nX-B: c"),
        ("X-A", "b\u2028c"),
        ("X-A", "ü"),
        ("X-A", " padded "),
        ("Host", "evil.example"),
        ("content-length", "0"),
        ("Webhook-Signature", "v1,x"),
        ("Transfer-Encoding", "chunked"),
    ],
)
def test_headers_that_could_be_more_than_one_are_refused(name, value):
    with pytest.raises(errors.InvalidRequestError):
        wire.check_header(name, value)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://h.example", ("https://h.example", "/", "")),
        ("https://H.example:8443/a/b?c=d&e", ("https://h.example:8443", "/a/b", "c=d&e")),
        ("https://h.example/a%2Fb", ("https://h.example", "/a%2Fb", "")),
        ("https://[::1]:80/x", ("https://[::1]:80", "/x", "")),
        ("https://h.example/ü", ("https://h.example", "/%C3%BC", "")),
    ],
)
def test_urls_are_taken_apart(url, parts):
    assert wire.split_url(url) == parts


def test_a_message_goes_to_the_whole_url():
    call = wire.aimed_at(wire.post_notice({}, "msg_1"), "https://h.example/a/b?key=c&d")

    assert (call.path, call.query, call.target) == ("/a/b", "key=c&d", "/a/b?key=c&d")
    assert wire.aimed_at(call, "https://h.example").target == "/"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "https://",
        "https://user:pw@h.example/secret-path",
        "https://@h.example/secret-path",
        "https://h.example/secret-path/../x",
        "https://h.example/secret-path/./x",
        "https://:pw@h.example/secret-path",
        "https://h.example/secret-path/%2e%2E/x",
        "https://h.example/secret-path#f",
        "https://h.example/secret-path\r\nx",
        "https://h.example/secret-path x",
        "https://h.example\\secret-path",
        "https://h.example:99999/secret-path",
        "https://h.example:x/secret-path",
    ],
)
def test_urls_that_mean_something_else_are_refused_unseen(url):
    with pytest.raises(errors.InvalidRequestError) as caught:
        wire.split_url(url)

    assert "secret-path" not in str(caught.value)


def test_a_bearer_token_is_the_only_authorization():
    headers = {"Authorization": SecretStr("Basic old")}
    proof = Proof(SYSTEM_CLOCK, headers=headers, bearer=SecretStr("new"))

    shown = proof.sign(wire.post_notice({}, "msg_1"))

    assert [v for k, v in shown.items() if k.lower() == "authorization"] == ["Bearer new"]
    assert (proof.tries_of("msg_1"), proof.tries_of("msg_1")) == (1, 1)
