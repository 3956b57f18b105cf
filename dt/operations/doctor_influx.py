"""Check of InfluxDB: whether it answers, is a version 2, knows the token, and keeps the bucket for ever."""

from __future__ import annotations

import requests

from dt.data.database.influx_rollups import LEVELS
from dt.data.database.influx_server import InfluxServer
from dt.operations.checkup import Check, Patient, failed, fine, skipped, warned
from dt.utils.exceptions import ConfigError, StorageError

_ANSWERS_WITHIN_S = 3.0
_OWN = "scripts/setup_influxdb.sh --dir DIR --start starts one of your own and writes its settings to DIR/influx.env"


def check_influx(patient: Patient) -> Check:
    """Look at the server and the bucket that readings are kept in."""
    settings = patient.settings
    if settings.store != "influx":
        unused = " (INFLUX_URL and INFLUX_TOKEN are set, STORAGE says sqlite)" if settings.influx_token else ""
        return skipped("influx", f"readings are kept in SQLite{unused}")
    unset = [name for name in ("INFLUX_URL", "INFLUX_TOKEN") if not getattr(settings, name.lower())]
    if unset:
        return failed("influx", f"STORAGE is influx, and not set: {', '.join(unset)}", _OWN)
    version = _version(settings.influx_url)
    if version is None or not version.startswith("2."):
        found = "nothing that answers" if version is None else f"InfluxDB {version}"
        return failed("influx", f"{settings.influx_url} is {found}", f"start InfluxDB 2.7, or set INFLUX_URL; {_OWN}")
    try:
        return _look(patient, version)
    except ConfigError as error:
        return failed("influx", str(error), "pip install --group db (as the README says for InfluxDB)")
    except StorageError as error:
        return failed("influx", str(error), "see INFLUX_TOKEN, INFLUX_ORG, INFLUX_BUCKET: dt settings")


def _look(patient: Patient, version: str) -> Check:
    settings = patient.settings
    server = InfluxServer(
        settings.influx_url,
        settings.influx_token,
        settings.influx_org,
        settings.influx_bucket,
        timeout_s=_ANSWERS_WITHIN_S,
    )
    try:
        kept_s = server.retention_s()
        missing = [level.name for level in LEVELS if not server.has_bucket(f"{server.bucket}_{level.name}")]
    finally:
        server.close()
    place = f"bucket {server.bucket} of {server.url} (InfluxDB {version})"
    if kept_s:
        remedy = f"influx bucket update --name {server.bucket} --retention 0; RETENTION_RAW_DAYS thins it, with proof"
        return failed("influx", f"{place} drops points after {kept_s / 86_400:g} days by itself", remedy)
    if missing:
        remedy = "the database service makes them at its start, with a token that may write buckets and tasks"
        return warned("influx", f"{place} has no roll-ups yet: {', '.join(missing)}", remedy)
    return fine("influx", place)


def _version(url: str) -> str | None:
    try:
        headers = requests.get(f"{url}/ping", timeout=_ANSWERS_WITHIN_S).headers
    except requests.RequestException:
        return None
    return headers.get("X-Influxdb-Version", "unknown").removeprefix("v")


INFLUX_CHECKS = (check_influx,)
