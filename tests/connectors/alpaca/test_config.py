"""Alpaca's settings: paper unless two flags say otherwise, and keys that fit the host."""

import pytest

from sentio_async import errors
from sentio_async.config import load_config
from sentio_async.connectors.alpaca.config import LIVE_URL, PAPER_URL, AlpacaConfig, sign_with
from sentio_async.http.auth import BearerAuth

PAPER = {"api_key": "PK0123", "api_secret": "hush"}
LIVE = {"api_key": "AK0123", "api_secret": "hush", "live": True}


@pytest.fixture(autouse=True)
def _no_permission(monkeypatch):
    monkeypatch.delenv("SENTIO_ALLOW_LIVE", raising=False)


def read(given, environ=None):
    return load_config(AlpacaConfig, given, environ=environ or {})


def complaint(given):
    with pytest.raises(errors.ConfigurationError) as caught:
        read(given)
    return caught.value.message


def test_paper_is_the_default():
    config = read(PAPER)

    assert config.is_paper
    assert config.base_url == PAPER_URL


def test_live_alone_is_refused_in_words_that_say_what_to_do():
    assert "SENTIO_ALLOW_LIVE=1" in complaint(LIVE)


def test_live_with_the_live_host_is_two_flags():
    assert read({**LIVE, "base_url": LIVE_URL}).base_url == LIVE_URL


def test_live_with_permission_from_the_environment_chooses_the_live_host(monkeypatch):
    monkeypatch.setenv("SENTIO_ALLOW_LIVE", "1")

    assert read(LIVE).base_url == LIVE_URL


def test_live_at_a_host_of_ones_own_needs_permission(monkeypatch):
    given = {**LIVE, "base_url": "https://proxy.example"}

    assert "SENTIO_ALLOW_LIVE" in complaint(given)
    monkeypatch.setenv("SENTIO_ALLOW_LIVE", "1")
    assert not read(given).is_paper


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({**PAPER, "base_url": LIVE_URL}, "live host"),
        ({**LIVE, "base_url": PAPER_URL}, "paper host"),
        ({**LIVE, "api_key": "PK0123", "base_url": LIVE_URL}, "paper key"),
        ({**PAPER, "api_key": "AK0123"}, "live key"),
        ({**PAPER, "oauth_token": "token"}, "not both"),
        ({"api_key": "PK0123"}, "api_secret is missing"),
        ({}, "api_key is missing"),
        ({**PAPER, "base_url": "http://paper-api.alpaca.markets"}, "base_url: plain http"),
        ({**PAPER, "data_url": ""}, "data_url: a URL"),
        ({**PAPER, "feed": "silk"}, "feed"),
    ],
)
def test_what_does_not_fit_is_refused(given, words):
    message = complaint(given)

    assert words in message
    assert "hush" not in message
    assert "0123" not in message


@pytest.mark.parametrize(
    "names",
    [
        ("SENTIO_ALPACA_API_KEY", "SENTIO_ALPACA_API_SECRET"),
        ("ALPACA_API_KEY", "ALPACA_API_SECRET"),
        ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"),
        ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"),
    ],
)
def test_the_environment_is_read_under_the_vendors_own_names(names):
    config = read({}, dict(zip(names, ("PK0123", "hush"), strict=True)))

    assert config.api_secret.get_secret_value() == "hush"


def test_a_url_with_the_version_is_understood():
    assert read({**PAPER, "base_url": "https://paper-api.alpaca.markets/v2/"}).base_url == PAPER_URL


def test_a_token_replaces_the_keys():
    auth = sign_with(read({"oauth_token": "token"}))

    assert isinstance(auth, BearerAuth)


def test_secrets_are_known_for_redaction():
    assert set(read(PAPER).secrets()) == {"PK0123", "hush"}
