"""What the e-mail connector can be told, and what it says when that is wrong."""

import pytest

from sentio_async import errors
from sentio_async.config import load_config
from sentio_async.connectors.email.config import EmailConfig, Tls

LOGIN = {"username": "bot@x.test", "password": "long-secret"}


def load(**given):
    return load_config(EmailConfig, {"host": "mail.x.test", **given}, environ={})


async def provider():
    return "token"


def test_tls_is_required_unless_said_otherwise():
    config = load(**LOGIN)

    assert config.tls is Tls.STARTTLS
    assert config.effective_port == 587
    assert load(**LOGIN, tls="implicit").effective_port == 465


def test_the_environment_names_server_and_login():
    environ = {
        "EMAIL_HOST": "mail.x.test",
        "EMAIL_PORT": "2525",
        "EMAIL_USERNAME": "bot@x.test",
        "EMAIL_PASSWORD": "long-secret",
        "EMAIL_RECIPIENTS": "a@x.test, B <b@x.test>",
    }

    config = load_config(EmailConfig, environ=environ)

    assert config.effective_port == 2525
    assert config.from_address == "bot@x.test"
    assert config.recipients == ("a@x.test", "B <b@x.test>")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"host": None}, "host is missing"),
        ({"host": "mail.x.test\r\n", **LOGIN}, "host"),
        ({"host": "smtp://mail.x.test", **LOGIN}, "host"),
        ({}, "sender is missing"),
        ({"username": "bot@x.test"}, "username and one of"),
        ({"password": "long-secret", "sender": "a@x.test"}, "username and one of"),
        ({**LOGIN, "token_provider": provider}, "exclude each other"),
        ({**LOGIN, "login": "xoauth2"}, "token_provider"),
        ({**LOGIN, "tls": "none"}, "show the password"),
        ({"sender": "a@x.test", "tls": "none"}, "this machine only"),
        ({**LOGIN, "tls": "opportunistic"}, "tls"),
        ({**LOGIN, "sender": "a@x.test, b@x.test"}, "sender"),
        ({**LOGIN, "recipients": ["a@x.test\r\nRCPT TO:<b@x.test>"]}, "recipients"),
        ({**LOGIN, "reply_to": "nobody"}, "reply_to"),
        ({**LOGIN, "ehlo_name": "a b"}, "ehlo_name"),
        ({**LOGIN, "port": 70000}, "port"),
        ({**LOGIN, "message_id_domain": "x>\r\n"}, "message_id_domain"),
        ({**LOGIN, "max_connections": 10}, "max_connections"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_without_the_secret(given, words):
    with pytest.raises(errors.ConfigurationError) as caught:
        load(**given)

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "long-secret" not in str(caught.value)


def test_plain_text_is_for_this_machine():
    assert load(host="127.0.0.1", tls="none", **LOGIN)
    assert load(tls="none", sender="a@x.test", allow_plain_http=True)


def test_the_password_does_not_show_itself():
    config = load(**LOGIN)

    assert "long-secret" not in f"{config!r} {config} {config.model_dump()}"
    assert config.secrets() == ("long-secret",)
