"""Settings, and what is said about wrong ones."""

import pytest

from sentio_async import errors
from sentio_async.config import load_config
from sentio_async.connectors.polygon import PolygonConfig


@pytest.mark.parametrize(
    "variable", ["SENTIO_POLYGON_API_KEY", "MASSIVE_API_KEY", "POLYGON_API_KEY"]
)
def test_the_key_is_found_under_the_old_and_the_new_name(variable):
    config = load_config(PolygonConfig, environ={variable: "k-1"})

    assert config.api_key.get_secret_value() == "k-1"


def test_the_new_name_wins_over_the_old():
    config = load_config(
        PolygonConfig, environ={"POLYGON_API_KEY": "old", "MASSIVE_API_KEY": "new"}
    )

    assert config.api_key.get_secret_value() == "new"


def test_a_missing_key_names_the_variables():
    with pytest.raises(errors.ConfigurationError, match=r"api_key is missing.*MASSIVE_API_KEY"):
        load_config(PolygonConfig, environ={})


@pytest.mark.parametrize(
    "url", ["ftp://x", "http://api.massive.com", "https://u:p@api.massive.com"]
)
def test_a_host_that_would_leak_the_key_is_refused(url):
    with pytest.raises(errors.ConfigurationError):
        load_config(PolygonConfig, {"api_key": "secret-k", "base_url": url}, environ={})


def test_the_key_is_not_shown():
    config = load_config(PolygonConfig, {"api_key": "secret-k"}, environ={})

    assert "secret-k" not in repr(config) + str(config) + config.model_dump_json()
