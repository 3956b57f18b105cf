"""Settings: their names, types, defaults, and where each value came from."""

from __future__ import annotations

import os
import re
import socket
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from dt.utils.exceptions import ConfigError


class Config(StrEnum):
    """The name of every setting, as the environment and `.env` spell it."""

    KAFKA_URL = "KAFKA_URL"
    KAFKA_SECURITY_PROTOCOL = "KAFKA_SECURITY_PROTOCOL"
    KAFKA_SASL_MECHANISM = "KAFKA_SASL_MECHANISM"
    KAFKA_SASL_USERNAME = "KAFKA_SASL_USERNAME"
    KAFKA_SASL_PASSWORD = "KAFKA_SASL_PASSWORD"  # noqa: S105 - the setting's name
    KAFKA_SSL_CAFILE = "KAFKA_SSL_CAFILE"
    KAFKA_SSL_CERTFILE = "KAFKA_SSL_CERTFILE"
    KAFKA_SSL_KEYFILE = "KAFKA_SSL_KEYFILE"
    MESSAGING = "MESSAGING"
    KAFKA_CLIENT = "KAFKA_CLIENT"
    TOPIC_PREFIX = "TOPIC_PREFIX"
    INSTANCE = "INSTANCE"
    STORAGE = "STORAGE"
    INFLUX_URL = "INFLUX_URL"
    INFLUX_TOKEN = "INFLUX_TOKEN"  # noqa: S105 - the setting's name
    INFLUX_ORG = "INFLUX_ORG"
    INFLUX_BUCKET = "INFLUX_BUCKET"
    DATABASE_URL = "DATABASE_URL"
    MQTT_URL = "MQTT_URL"
    MQTT_PREFIX = "MQTT_PREFIX"
    MQTT_USERNAME = "MQTT_USERNAME"
    MQTT_PASSWORD = "MQTT_PASSWORD"  # noqa: S105 - the setting's name
    MQTT_CAFILE = "MQTT_CAFILE"
    MQTT_CERTFILE = "MQTT_CERTFILE"
    MQTT_KEYFILE = "MQTT_KEYFILE"
    MQTT_DISCOVERY_PREFIX = "MQTT_DISCOVERY_PREFIX"
    MIRROR_KAFKA_URL = "MIRROR_KAFKA_URL"
    FLASK_DASHBOARD_URL = "FLASK_DASHBOARD_URL"
    FLASK_DB_URL = "FLASK_DB_URL"
    FLASK_AI_URL = "FLASK_AI_URL"
    FLASK_CONTROLLER_URL = "FLASK_CONTROLLER_URL"
    FLASK_SIMULATOR_URL = "FLASK_SIMULATOR_URL"
    FLASK_COLLECTOR_URL = "FLASK_COLLECTOR_URL"
    FLASK_PROCESSING_URL = "FLASK_PROCESSING_URL"
    FLASK_ALERTS_URL = "FLASK_ALERTS_URL"
    BIND_HOST = "BIND_HOST"
    CORS_ORIGINS = "CORS_ORIGINS"
    MAX_BROWSERS = "MAX_BROWSERS"
    HARDWARE = "HARDWARE"
    RIG_FILE = "RIG_FILE"
    WIRE_SOCKET = "WIRE_SOCKET"
    SIM_SCENARIO = "SIM_SCENARIO"
    SIM_WEATHER = "SIM_WEATHER"
    OUTBOX_DROP = "OUTBOX_DROP"
    OUTBOX_RECORDS = "OUTBOX_RECORDS"
    OUTBOX_MB = "OUTBOX_MB"
    DATA_DIR = "DATA_DIR"
    MODELS_DIR = "MODELS_DIR"
    FRAMES_ALL_HOURS = "FRAMES_ALL_HOURS"
    FRAMES_HOURLY_DAYS = "FRAMES_HOURLY_DAYS"
    FRAMES_DAILY_DAYS = "FRAMES_DAILY_DAYS"
    RETENTION_RAW_DAYS = "RETENTION_RAW_DAYS"
    LOG_DIR = "LOG_DIR"
    LOG_LEVEL = "LOG_LEVEL"
    DT_TOKEN = "DT_TOKEN"  # noqa: S105 - the setting's name
    DT_PASSWORD_HASH = "DT_PASSWORD_HASH"  # noqa: S105 - the setting's name
    DT_SECRETS_DIR = "DT_SECRETS_DIR"
    TIMEZONE = "TIMEZONE"
    ALERTS_FILE = "ALERTS_FILE"
    NOTICE_URLS = "NOTICE_URLS"
    ESCALATION_URLS = "ESCALATION_URLS"


SECRETS = frozenset(
    {
        Config.KAFKA_SASL_PASSWORD,
        Config.INFLUX_TOKEN,
        Config.MQTT_PASSWORD,
        Config.DT_TOKEN,
        Config.DT_PASSWORD_HASH,
        Config.NOTICE_URLS,
        Config.ESCALATION_URLS,
    }
)

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Settings(BaseSettings):
    """Every setting with its type and default; made once, by a service's entry point."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_file_encoding="utf-8", hide_input_in_errors=True)

    kafka_url: str = Field("127.0.0.1:9092", pattern=r"^[^\s:,]+:\d+(,[^\s:,]+:\d+)*$")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_sasl_username: str = ""
    kafka_sasl_password: str = ""
    kafka_ssl_cafile: str = ""
    kafka_ssl_certfile: str = ""
    kafka_ssl_keyfile: str = ""
    messaging: Literal["kafka", "memory"] = "kafka"
    kafka_client: Literal["kafka-python", "confluent"] = "kafka-python"
    topic_prefix: str = Field("", pattern=r"^[a-zA-Z0-9._-]*$", max_length=100)
    instance: str = Field("1", pattern=r"^[a-zA-Z0-9_-]{1,40}$")
    storage: Literal["sqlite", "influx"] | None = None
    influx_url: str = ""
    influx_token: str = ""
    influx_org: str = Field("plant-twin", min_length=1)
    influx_bucket: str = Field("plant_twin", pattern=r"^[A-Za-z0-9.-][A-Za-z0-9._-]{0,63}$")
    database_url: str = ""
    mqtt_url: str = ""
    mqtt_prefix: str = Field("plant-twin", pattern=r"^[^+#\s]*[^+#\s/][^+#\s]*$")
    mqtt_username: str = ""
    mqtt_password: str = ""
    mqtt_cafile: str = ""
    mqtt_certfile: str = ""
    mqtt_keyfile: str = ""
    mqtt_discovery_prefix: str = Field("", pattern=r"^[^+#\s]*$")
    mirror_kafka_url: str = Field("", pattern=r"^$|^[^\s:,]+:\d+(,[^\s:,]+:\d+)*$")
    flask_dashboard_url: str = "http://127.0.0.1:5000"
    flask_db_url: str = "http://127.0.0.1:5001"
    flask_ai_url: str = "http://127.0.0.1:5002"
    flask_controller_url: str = "http://127.0.0.1:5003"
    flask_simulator_url: str = "http://127.0.0.1:5004"
    flask_collector_url: str = "http://127.0.0.1:5005"
    flask_processing_url: str = "http://127.0.0.1:5006"
    flask_alerts_url: str = "http://127.0.0.1:5007"
    bind_host: str = "127.0.0.1"
    cors_origins: str = ""
    max_browsers: int = Field(100, ge=1, le=10_000)
    hardware: Literal["simulated", "pi"] | None = None
    rig_file: Path = Path("rig.toml")
    wire_socket: Path | None = None
    sim_scenario: Path | None = None
    sim_weather: Path | None = None
    outbox_drop: Literal["oldest", "newest", "pictures"] = "pictures"
    outbox_records: int = Field(1_000_000, ge=1000, le=100_000_000)
    outbox_mb: int = Field(512, ge=4, le=1_000_000)
    data_dir: Path = Path("data")
    models_dir: Path | None = None
    frames_all_hours: float = Field(24.0, ge=1.0, le=87_600.0)
    frames_hourly_days: float = Field(14.0, ge=1.0, le=3650.0)
    frames_daily_days: float = Field(0.0, ge=0.0, le=36_500.0)
    retention_raw_days: float = Field(90.0, ge=0.0, le=36_500.0)
    log_dir: Path = Path("logs")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    dt_token: str = ""
    dt_password_hash: str = ""
    dt_secrets_dir: str = ""
    timezone: str = ""
    alerts_file: Path = Path("alerts.toml")
    notice_urls: str = ""
    escalation_urls: str = ""

    @field_validator(
        "flask_dashboard_url", "flask_db_url", "flask_ai_url", "flask_controller_url", "flask_simulator_url",
        "flask_collector_url", "flask_processing_url", "flask_alerts_url",
    )  # fmt: skip
    @classmethod
    def _is_http_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not _has_possible_port(parts):
            msg = "must be a URL such as http://127.0.0.1:5001, with a port up to 65535"
            raise ValueError(msg)
        return value.rstrip("/")

    @field_validator("influx_url")
    @classmethod
    def _is_influx_url(cls, value: str) -> str:
        return cls._is_http_url(value) if value else value

    @field_validator("kafka_url", "mirror_kafka_url")
    @classmethod
    def _has_real_ports(cls, value: str) -> str:
        if value and not all(0 < int(server.rpartition(":")[2]) <= 65535 for server in value.split(",")):
            msg = "must be HOST:PORT with a port from 1 to 65535, several joined by commas"
            raise ValueError(msg)
        return value

    @field_validator(
        "kafka_ssl_cafile", "kafka_ssl_certfile", "kafka_ssl_keyfile", "mqtt_cafile", "mqtt_certfile", "mqtt_keyfile"
    )
    @classmethod
    def _is_file(cls, value: str) -> str:
        if value and not Path(value).is_file():
            msg = "names a file that is not there"
            raise ValueError(msg)
        return value

    @field_validator("dt_secrets_dir")
    @classmethod
    def _is_folder(cls, value: str) -> str:
        if value and not Path(value).is_dir():
            msg = "names a folder that is not there"
            raise ValueError(msg)
        return value

    @field_validator("bind_host")
    @classmethod
    def _is_address(cls, value: str) -> str:
        try:
            socket.getaddrinfo(value, None, flags=socket.AI_PASSIVE)
        except OSError as error:
            msg = "must be an address of this machine, such as 127.0.0.1 or 0.0.0.0"
            raise ValueError(msg) from error
        return value

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        if value:
            try:
                ZoneInfo(value)
            except (ZoneInfoNotFoundError, ValueError, OSError) as error:
                msg = "must be an IANA zone such as Europe/Rome"
                raise ValueError(msg) from error
        return value

    @field_validator("frames_hourly_days")
    @classmethod
    def _is_not_below_all_hours(cls, value: float, info: ValidationInfo) -> float:
        all_hours = info.data.get("frames_all_hours", 0.0)
        if value * 24.0 < all_hours:
            msg = f"must not be shorter than FRAMES_ALL_HOURS, which is {all_hours:g} h, and is {value:g} days"
            raise ValueError(msg)
        return value

    @field_validator("frames_daily_days")
    @classmethod
    def _is_not_below_hourly_days(cls, value: float, info: ValidationInfo) -> float:
        hourly_days = info.data.get("frames_hourly_days", 0.0)
        if 0.0 < value < hourly_days:
            msg = f"must be 0 (for ever) or not below FRAMES_HOURLY_DAYS, which is {hourly_days:g}, and is {value:g}"
            raise ValueError(msg)
        return value

    @field_validator("retention_raw_days")
    @classmethod
    def _is_none_or_a_day(cls, value: float) -> float:
        if 0.0 < value < 1.0:
            msg = f"must be 0 (for ever) or at least 1, and is {value:g}"
            raise ValueError(msg)
        return value

    @field_validator("database_url")
    @classmethod
    def _is_database(cls, value: str) -> str:
        if value and not re.match(r"sqlite:///[^?]|postgresql(\+psycopg)?://[^/]*/.", value):
            msg = "must be of the form sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME"
            raise ValueError(msg)
        return value

    @property
    def wire_path(self) -> Path:
        """Return where the electrical wire's Unix socket is."""
        return self.wire_socket or self.data_dir / "wire.sock"

    @property
    def models_path(self) -> Path:
        """Return where the model registry keeps its files."""
        return self.models_dir or self.data_dir / "models"

    @property
    def database_file(self) -> Path:
        """Return the SQLite file that keeps the readings where no InfluxDB does."""
        return self.data_dir / "plant_twin.db"

    @property
    def records_url(self) -> str:
        """Return where everything but the readings is kept, in SQLAlchemy's form."""
        return self.database_url or f"sqlite:///{self.data_dir / 'records.db'}"

    @property
    def store(self) -> Literal["sqlite", "influx"]:
        """Return where readings are kept: what STORAGE says, else InfluxDB where its URL and token are set."""
        return self.storage or ("influx" if self.influx_url and self.influx_token else "sqlite")

    @property
    def zone_name(self) -> str:
        """Return TIMEZONE, or the machine's own zone."""
        return self.timezone or _machine_zone()

    @property
    def is_loopback(self) -> bool:
        """Return whether services can be reached from this machine alone."""
        return self.bind_host in LOOPBACK

    @property
    def own_hosts(self) -> frozenset[str] | None:
        """Return the names that services may be called by; None beyond loopback, where any may be."""
        if not self.is_loopback:
            return None
        urls = (value for name, value in self if name.startswith("flask_"))
        return LOOPBACK | {urlsplit(str(url)).hostname or "" for url in urls}

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """Return the origins that CORS lets in; none by default."""
        return tuple(origin for origin in re.split(r"[,\s]+", self.cors_origins) if origin)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the first that is set win: option, environment, `.env`, secret files, default."""
        return init_settings, env_settings, dotenv_settings, file_secret_settings


def load_settings(env_file: str | Path | None = ".env", **overrides: Any) -> Settings:
    """Read all settings; raises ConfigError with one line that names the variable."""
    given = {name: value for name, value in overrides.items() if value is not None}
    unknown = set(given) - set(Settings.model_fields)
    if unknown:
        raise ConfigError(f"{', '.join(sorted(name.upper() for name in unknown))}: no such setting")
    # The keyword-only arguments of pydantic-settings begin with an underscore.
    sources: dict[str, Any] = {"_env_file": env_file, "_secrets_dir": _secrets_dir()}
    try:
        return Settings(**sources, **given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper() if first["loc"] else "settings"
        raise ConfigError(f"{name}: {first['msg']}") from error


def origins_of(settings: Settings, env_file: str | Path | None = ".env") -> dict[str, str]:
    """Return for each setting where its value came from: environment, .env, secret file, option or default."""
    env_names = {name.upper() for name in os.environ}
    dotenv_names = _names_in(Path(env_file)) if env_file else set()
    secrets = _secrets_dir()
    found = {}
    for field in Settings.model_fields:
        name = field.upper()
        if name in env_names:
            found[name] = "environment"
        elif name in dotenv_names:
            found[name] = str(env_file)
        elif secrets and any((Path(secrets) / spelling).is_file() for spelling in (name, field)):
            found[name] = f"secret file in {secrets}"
        else:
            found[name] = "option" if field in settings.model_fields_set else "default"
    return found


def _secrets_dir() -> str | None:
    # Read before the settings are made: it says where some of them lie.
    folder = os.environ.get(Config.DT_SECRETS_DIR)
    return folder if folder and Path(folder).is_dir() else None


def _has_possible_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port >= 0  # 0: any that is free
    except ValueError:
        return False


def _machine_zone(link: Path = Path("/etc/localtime")) -> str:
    """Return the IANA name of the machine's zone; UTC where it has none."""
    name = str(link.resolve()).partition("/zoneinfo/")[2]
    try:
        return ZoneInfo(name).key if name else "UTC"
    except (ZoneInfoNotFoundError, ValueError):
        return "UTC"


def _names_in(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    found = re.findall(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=", path.read_text("utf-8"), re.MULTILINE)
    return {name.upper() for name in found}


__all__ = ["LOOPBACK", "SECRETS", "Config", "Settings", "load_settings", "origins_of"]
