"""What the webhook connector can be told, and what it says when that is wrong."""

import pytest
from pydantic import SecretStr

from sentio_async import errors
from sentio_async.config import load_config
from sentio_async.connectors.webhook.config import WebhookConfig

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_YW5vdGhlciBrZXksIG9mIDI0IGJ5dGVz"


def load(**given):
    return load_config(WebhookConfig, given, environ={})


def test_the_environment_names_the_url():
    config = load_config(WebhookConfig, environ={"WEBHOOK_URL": "https://h.example/x"})

    assert config.webhook_url == SecretStr("https://h.example/x")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "WEBHOOK_URL"),
        ({"webhook_url": "http://h.example/long-secret"}, "plain http"),
        ({"webhook_url": "ftp://h.example/long-secret"}, "https://host"),
        ({"webhook_url": "https://u:p@h.example/long-secret"}, "user name"),
        ({"webhook_url": "https://h.example/long-secret#x"}, "fragment"),
        ({"webhook_url": "https://0177.0.0.1/long-secret"}, "https://host"),
        ({"webhook_url": "https://①②⑦.⓪.⓪.①/long-secret"}, "https://host"),
        ({"webhook_url": "https://h.example/long-secret/../x"}, "path"),
        ({"webhook_url": "https://h.example/long-secret\n"}, "control characters"),
        ({"webhook_url": "https://h.example", "headers": {"X-A": "long-secret\r\nB: c"}}, "X-A"),
        ({"webhook_url": "https://h.example", "headers": {"Host": "long-secret"}}, "Host"),
        ({"webhook_url": "https://h.example", "bearer_token": "long-secret x"}, "token"),
        ({"webhook_url": "https://h.example", "signing_secret": "whsec_long-secret"}, "whsec_"),
        ({"webhook_url": "https://h.example", "format": "long-secret"}, "format"),
        ({"webhook_url": "https://h.example", "nonsense": "long-secret"}, "nonsense"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_without_the_secret(given, words):
    with pytest.raises(errors.ConfigurationError) as caught:
        load(**given)

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "long-secret" not in str(caught.value)


def test_plain_http_is_for_this_machine_unless_allowed():
    assert load(webhook_url="http://127.0.0.1:8000/x")
    assert load(webhook_url="http://10.0.0.1/x", allow_plain_http=True)


def test_secrets_do_not_show_themselves():
    config = load(
        webhook_url="https://h.example/services/T0/B0/long-secret?key=other-secret",
        bearer_token="bearer-secret",
        signing_secret=SECRET,
        old_signing_secrets=[SECRET],
        headers={"X-Api-Key": "header-secret"},
    )

    shown = f"{config!r} {config} {config.model_dump()} {vars(config)}"
    for secret in ("long-secret", "other-secret", "bearer-secret", "header-secret", SECRET[6:]):
        assert secret not in shown
    assert set(config.secrets()) == {
        *("bearer-secret", "header-secret", SECRET, SECRET[6:], "other-secret"),
        "https://h.example/services/T0/B0/long-secret?key=other-secret",
        *("services/T0/B0/long-secret", "key=other-secret"),
    }


def test_a_variable_may_hold_several_old_secrets():
    for text, secrets in ((SECRET, [SECRET]), (f"{SECRET}, {OTHER}", [SECRET, OTHER])):
        environ = {"WEBHOOK_URL": "https://h.example", "SENTIO_WEBHOOK_OLD_SIGNING_SECRETS": text}

        config = load_config(WebhookConfig, environ=environ)

        assert [each.get_secret_value() for each in config.signing_secrets] == secrets
