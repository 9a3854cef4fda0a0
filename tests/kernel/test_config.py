"""Settings come from three places, and a mistake is one line without a value."""

import pickle
from collections.abc import Mapping
from typing import ClassVar, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr

from sentio_async import errors
from sentio_async.config import (
    ConnectorConfig,
    Timeouts,
    check_stream_url,
    check_url,
    load_config,
)
from sentio_async.connectors.alpaca.config import AlpacaConfig
from sentio_async.connectors.email.config import EmailConfig
from sentio_async.connectors.polygon.config import PolygonConfig
from sentio_async.connectors.webhook.config import WebhookConfig
from sentio_async.resilience import Window


class ToyConfig(ConnectorConfig):
    vendor: ClassVar[str] = "toy"
    environment: ClassVar = {"key": ("TOY_KEY", "OLD_TOY_KEY")}

    key: SecretStr
    size: int = 1
    base_url: str = "https://toy.example"
    token_url: str = "https://login.toy.example"
    every: float | None = 30.0
    wait: float | Literal["p95"] | None = None


def loaded(given=None, **environ):
    return load_config(ToyConfig, given, environ=environ)


def problem(given=None, kind=ToyConfig, **environ):
    with pytest.raises(errors.ConfigurationError) as caught:
        load_config(kind, given, environ=environ)
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.outcome is errors.Outcome.NOT_SENT
    return text


def test_a_mapping_a_model_and_the_environment_give_the_same():
    model = ToyConfig(key="k", size=3)

    assert loaded({"key": "k", "size": 3}) == model
    assert loaded(model) is model
    assert loaded(SENTIO_TOY_KEY="k", SENTIO_TOY_SIZE="3") == model


def test_what_the_caller_gives_wins_then_ours_then_the_vendors_own():
    environ = {"SENTIO_TOY_KEY": "ours", "TOY_KEY": "theirs", "OLD_TOY_KEY": "old"}

    def key(given=None, *without):
        left = {name: value for name, value in environ.items() if name not in without}
        return loaded(given, **left).key.get_secret_value()

    assert key({"key": "given"}) == "given"
    assert key() == "ours"
    assert key(None, "SENTIO_TOY_KEY") == "theirs"
    assert key(None, "SENTIO_TOY_KEY", "TOY_KEY") == "old"
    assert key({"key": None}) == "ours"


def test_none_is_no_setting_except_where_it_switches_something_off():
    none = dict.fromkeys(("name", "size", "base_url", "every", "wait"))
    settings = loaded({"key": "k", **none}, SENTIO_TOY_EVERY="5", SENTIO_TOY_WAIT="2")

    assert (settings.size, settings.base_url) == (1, "https://toy.example")
    assert (settings.every, settings.wait) == (None, 2.0)
    assert loaded({"key": "k"}).every == 30.0


def test_an_empty_variable_is_no_setting():
    assert loaded(SENTIO_TOY_KEY="", TOY_KEY="theirs").key.get_secret_value() == "theirs"


def test_the_process_environment_is_read_by_default(monkeypatch):
    monkeypatch.setenv("SENTIO_TOY_KEY", "from outside")

    assert ToyConfig.from_environment(size=2).key.get_secret_value() == "from outside"


MISTAKES = [
    ({}, "toy: key is missing: pass it, or set SENTIO_TOY_KEY or TOY_KEY or OLD_TOY_KEY"),
    ({"key": "k", "sise": 1}, "toy: sise is not a setting of toy; did you mean size (there are "),
    ({"key": "k", "paper": 1}, "toy: paper is not a setting of toy (there are allow_plain_http, "),
    ({"key": "k", "size": "PRIVATE"}, "toy: size: input should be a valid integer"),
    ({"key": ["PRIVATE"]}, "toy: key: "),
    ({"key": "k", "timeouts": {"read": -1}}, "toy: timeouts.read: input should be greater than 0"),
    (
        {"key": "k", "timeouts": {"reed": 1}},
        "toy: timeouts.reed is not a setting of toy; did you mean timeouts.read (there are time",
    ),
    ({"key": "k", "base_url": "https://x\nPRIVATE"}, "toy: base_url: a URL must not contain"),
    ({"key": "k", "retry_attempts": 0}, "toy: retry_attempts: "),
    ({"key": "k", "wait": "PRIVATE"}, "toy: wait: input should be a valid number"),
]


@pytest.mark.parametrize(("given", "begins"), MISTAKES)
def test_a_mistake_is_one_line_that_names_the_setting(given, begins):
    text = problem(given)

    assert text.startswith(begins)
    assert "PRIVATE" not in text


def test_all_mistakes_are_named_at_once():
    text = problem({"size": "many", "sise": 1})

    assert "key is missing" in text
    assert "sise is not" in text
    assert "size: input" in text


def test_a_model_of_another_vendor_is_refused():
    assert problem(PolygonConfig(api_key="x")) == "toy: toy needs a ToyConfig, not a PolygonConfig"


VENDOR_MISTAKES = [
    (AlpacaConfig, {}, "api_key is missing: pass it, or set SENTIO_ALPACA_API_KEY"),
    (AlpacaConfig, {"api_key": "PRIVATE"}, "api_secret is missing"),
    (AlpacaConfig, {"api_key": "a", "api_secret": "b", "oauth_token": "PRIVATE"}, "not both"),
    (
        AlpacaConfig,
        {"api_key": "AKPRIVATE", "api_secret": "b", "live": True},
        "live=True needs a second flag",
    ),
    (PolygonConfig, {}, "api_key is missing: pass it, or set SENTIO_POLYGON_API_KEY or MASSIVE"),
    (PolygonConfig, {"api_key": "PRIVATE", "base_url": "http://example.com"}, "use https"),
    (PolygonConfig, {"api_key": "x", "base_url": "https://a:PRIVATE@b"}, "must not carry"),
    (EmailConfig, {}, "host is missing"),
    (EmailConfig, {"host": "x.test"}, "sender is missing"),
    (WebhookConfig, {}, "webhook_url is missing"),
    (WebhookConfig, {"webhook_url": "ftp://PRIVATE"}, "a URL such as https://host"),
]


@pytest.mark.parametrize(("kind", "given", "has"), VENDOR_MISTAKES)
def test_each_vendor_says_what_is_wrong_and_never_a_value(kind, given, has):
    text = problem(given, kind)

    assert text.startswith(f"{kind.vendor}: ")
    assert has in text
    assert "PRIVATE" not in text


def test_secrets_are_not_shown_by_a_model():
    config = WebhookConfig(
        webhook_url="https://x.test/PRIVATE-token-1",
        headers={"x-key": "PRIVATE-header"},
        bearer_token="PRIVATE-bearer",
    )

    for shown in (repr(config), str(config), config.model_dump_json(), repr(config.model_dump())):
        assert "PRIVATE" not in shown


def test_all_secrets_are_known_for_redaction():
    config = WebhookConfig(
        webhook_url="https://x.test/hook/token-1?code=abcdefghij",
        headers={"x-key": "header-secret"},
        bearer_token="bearer-secret",
        signing_secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    )

    assert {
        "header-secret",
        "bearer-secret",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "hook/token-1",
        "abcdefghij",
    } <= set(config.secrets())


def test_secrets_in_lists_tables_and_models_are_known_as_well():
    class Account(BaseModel):
        number: SecretStr
        nickname: str = "savings"

    class Deep(ConnectorConfig):
        vendor = "deep"
        accounts: tuple[Account, ...] = ()
        tokens: Mapping[str, list[SecretStr]] = Field(default_factory=dict)

    given = {"accounts": [{"number": "account-1"}], "tokens": {"a": ["token-1", "", "token-2"]}}

    assert load_config(Deep, given).secrets() == ("account-1", "token-1", "token-2")


def test_a_configuration_is_a_value():
    config = PolygonConfig(api_key="k", name="mine")

    assert config.label == "mine"
    assert PolygonConfig(api_key="k").label == "polygon"
    assert pickle.loads(pickle.dumps(config)) == config
    with pytest.raises(ValueError, match="frozen"):
        config.name = "other"


@pytest.mark.parametrize(
    "url", ["", "host", "ftp://host", "https://", "http://example.com", "https://u:p@host"]
)
def test_a_url_that_keys_must_not_go_to_is_refused(url):
    with pytest.raises(ValueError, match=r"URL|https"):
        check_url(url)


@pytest.mark.parametrize("host", ["h:abc", "h:65536", "1.2.3.400", "[::1", "\xad", ""])
def test_a_url_that_no_server_can_have_is_refused(host):
    for check, scheme in ((check_url, "https"), (check_stream_url, "wss")):
        with pytest.raises(ValueError, match=r"is needed|IPv6"):
            check(f"{scheme}://{host}")
    settings = {"api_key": "k" * 8, "api_secret": "s" * 8, "base_url": f"https://{host}"}
    with pytest.raises(errors.ConfigurationError, match="base_url"):
        load_config(AlpacaConfig, settings, environ={})


def test_plain_http_is_for_this_machine_or_on_request():
    assert check_url("https://host/") == "https://host"
    for url in ("http://localhost:1", "http://127.0.0.1", "http://[::1]:8"):
        assert check_url(url) == url
    for fake in ("http://localhost.example.com", "http://127.0.0.1.example.com", "http://127.1"):
        with pytest.raises(ValueError, match="plain http"):
            check_url(fake)
    assert check_url("http://inside", allow_plain_http=True) == "http://inside"


@pytest.mark.parametrize("kind", [EmailConfig, WebhookConfig, ToyConfig])
def test_one_timeout_that_is_set_leaves_the_vendors_others(kind):
    usual = kind.model_fields["timeouts"].default
    needed = {"host": "x.test", "sender": "a@x.test"} if kind is EmailConfig else {}
    needed = {"webhook_url": "https://x.test"} if kind is WebhookConfig else needed or {"key": "k"}

    settings = load_config(kind, {**needed, "timeouts": {"connect": 1}}, environ={})

    assert settings.timeouts == usual.model_copy(update={"connect": 1.0})
    given = Timeouts(connect=1)
    assert load_config(kind, {**needed, "timeouts": given}, environ={}).timeouts is given


def test_a_vendor_may_make_its_usual_timeouts_afresh():
    class SlowConfig(ConnectorConfig):
        timeouts: Timeouts = Field(default_factory=lambda: Timeouts(read=60))

    settings = load_config(SlowConfig, {"timeouts": {"connect": 1}}, environ={})

    assert settings.timeouts == Timeouts(connect=1, read=60)


def test_timeouts_are_positive_and_known():
    assert Timeouts().total == 30
    with pytest.raises(ValueError, match="greater than 0"):
        Timeouts(connect=0)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [(5, 60.0), (500, 86_400.0)]),
        ({"requests_per_minute": 75}, [(75, 60.0), (500, 86_400.0)]),
        ({"requests_per_day": 25}, [(5, 60.0), (500, 86_400.0), (25, 86_400.0)]),
    ],
)
def test_a_quota_per_minute_leaves_that_of_the_day_alone(given, expected):
    documented = (Window(5, 60.0), Window(500, 86_400.0))

    windows = ToyConfig(key="k", **given).quota(documented)

    assert [(each.limit, each.seconds) for each in windows] == expected


def test_a_limit_per_second_gives_way_to_one_per_minute():
    assert ToyConfig(key="k", requests_per_minute=5).quota([Window(100, 1.0)]) == (Window(5, 60.0),)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("toy.example", "https://host"),
        ("http://toy.example", "plain http"),
        ("https://user:secret@toy.example", "user name or password"),
        ("https://toy.example/\n", "control characters"),
    ],
)
@pytest.mark.parametrize("name", ["base_url", "token_url"])
def test_every_vendors_base_url_is_looked_at(name, url, said):
    text = problem({"key": "k", name: url})

    assert text.startswith(f"toy: {name}: ")
    assert said in text
    assert url not in text


def test_a_base_url_has_no_slash_at_its_end_and_may_be_plain_when_allowed():
    assert loaded({"key": "k", "base_url": "https://toy.example/v1/"}).base_url[-3:] == "/v1"
    plain = {"key": "k", "base_url": "http://toy.example", "allow_plain_http": True}
    assert loaded(plain).base_url == "http://toy.example"
