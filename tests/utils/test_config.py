"""Settings: precedence, types, and errors that name the variable."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dt.utils.config import Config, Settings, load_settings, origins_of
from dt.utils.exceptions import ConfigError


def test_every_setting_is_named_in_the_enum() -> None:
    """`Config` and the typed settings list the same names."""
    assert {str(name) for name in Config} == {field.upper() for field in Settings.model_fields}


def test_defaults_listen_on_loopback_and_let_nobody_in() -> None:
    """A fresh installation is closed to the outside."""
    settings = load_settings(env_file=None)

    assert settings.bind_host == "127.0.0.1"
    assert settings.is_loopback
    assert settings.allowed_origins == ()
    assert settings.kafka_url == "127.0.0.1:9092"


def test_the_first_that_is_set_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Option, environment, .env, secret file, default."""
    (tmp_path / ".env").write_text("LOG_LEVEL=ERROR\nTOPIC_PREFIX=dotenv\nINSTANCE=dotenv\n")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "dt_token").write_text("from-file")
    (secrets / "instance").write_text("from-file")
    monkeypatch.setenv("DT_SECRETS_DIR", str(secrets))
    monkeypatch.setenv("TOPIC_PREFIX", "environment")
    monkeypatch.setenv("LOG_LEVEL", "WARNING")

    settings = load_settings(env_file=tmp_path / ".env", log_level="DEBUG")

    assert settings.log_level == "DEBUG"
    assert settings.topic_prefix == "environment"
    assert settings.instance == "dotenv"
    assert settings.dt_token == "from-file"
    origins = origins_of(settings, tmp_path / ".env")
    assert origins["TOPIC_PREFIX"] == "environment"
    assert origins["INSTANCE"].endswith(".env")
    assert origins["DT_TOKEN"].startswith("secret file")
    assert origins["KAFKA_URL"] == "default"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MQTT_PREFIX", "/"),
        ("MQTT_PREFIX", "///"),
        ("KAFKA_URL", "no port"),
        ("FLASK_DB_URL", "somewhere"),
        ("HARDWARE", "toaster"),
        ("LOG_LEVEL", "LOUD"),
        ("MAX_BROWSERS", "0"),
        ("TOPIC_PREFIX", "a b"),
        ("DATABASE_URL", "oracle://x"),
        ("DATABASE_URL", "sqlite:///"),
        ("DATABASE_URL", "postgresql://host"),
        ("STORAGE", "stone"),
        ("KAFKA_URL", "127.0.0.1:99999"),
        ("FLASK_AI_URL", "http://127.0.0.1:99999"),
        ("FLASK_AI_URL", "http://127.0.0.1:abc"),
        ("TIMEZONE", "Mars/Base"),
        ("BIND_HOST", "no such host"),
        ("KAFKA_SSL_CAFILE", "/no/such/file"),
        ("DT_SECRETS_DIR", "/no/such/folder"),
    ],
)
def test_a_wrong_value_names_its_variable(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, beginning with the variable."""
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError) as caught:
        load_settings(env_file=None)

    assert str(caught.value).startswith(f"{name}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"FRAMES_ALL_HOURS": "500", "FRAMES_HOURLY_DAYS": "1"}, "FRAMES_HOURLY_DAYS"),
        ({"FRAMES_ALL_HOURS": "500"}, "FRAMES_HOURLY_DAYS"),
        ({"FRAMES_DAILY_DAYS": "1"}, "FRAMES_DAILY_DAYS"),
        ({"RETENTION_RAW_DAYS": "0.5"}, "RETENTION_RAW_DAYS"),
        ({"FRAMES_HOURLY_DAYS": "30", "FRAMES_DAILY_DAYS": "20"}, "FRAMES_DAILY_DAYS"),
    ],
)
def test_spans_of_thinning_that_contradict_each_other_are_refused(
    given: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A coarser span that ends before the finer one would delete what the finer one keeps."""
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigError, match=f"^{name}: .*must"):
        load_settings(env_file=None)


def test_spans_of_thinning_may_be_equal_and_0_days_are_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each begins where the one before it ends."""
    monkeypatch.setenv("FRAMES_ALL_HOURS", "336")
    assert load_settings(env_file=None).frames_daily_days == 0.0

    monkeypatch.setenv("FRAMES_DAILY_DAYS", "14")
    assert load_settings(env_file=None).frames_daily_days == 14.0


def test_an_unknown_option_is_refused() -> None:
    """A typing error in code does not pass in silence."""
    with pytest.raises(ConfigError, match="KAFKA_URI"):
        load_settings(kafka_uri="127.0.0.1:1")


def test_a_secret_is_not_shown_by_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of a wrong value does not repeat it."""
    monkeypatch.setenv("KAFKA_URL", "hunter2 hunter2")

    with pytest.raises(ConfigError) as caught:
        load_settings(env_file=None)

    assert "hunter2" not in str(caught.value)


def test_the_time_zone_is_the_machines_unless_set() -> None:
    """Both are IANA names."""
    assert ZoneInfo(load_settings(env_file=None).zone_name)
    assert load_settings(env_file=None, timezone="Europe/Rome").zone_name == "Europe/Rome"
