"""The doctor: each thing that usually goes wrong is found, with its remedy."""

from __future__ import annotations

import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from dt.operations.checkup import Check, Finding, Patient
from dt.operations.doctor import examine, is_healthy
from dt.operations.doctor_machine import (
    check_folders,
    check_hardware,
    check_java,
    check_packages,
    check_python,
    check_rig,
    java_version,
)
from dt.operations.doctor_stack import check_database, check_kafka, check_ports, check_wire
from dt.operations.plan import SERVICES, free_port
from dt.utils.config import Settings, load_settings


def patient_of(settings: Settings, **changes: object) -> Patient:
    """Return a patient whose services listen nowhere."""
    urls = {spec.url_setting: f"http://127.0.0.1:{free_port('127.0.0.1')}" for spec in SERVICES}
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    return Patient(settings=load_settings(env_file=None, **{**given, **urls, **changes}), origins={})


def program(folder: Path, name: str, text: str) -> str:
    """Write a program that prints a text to stderr, as java does."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{text}' >&2\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_this_python_and_its_packages_are_fine() -> None:
    """The tests themselves run in a complete environment."""
    assert check_python().finding is Finding.OK
    assert check_packages().finding is Finding.OK


def test_a_folder_that_cannot_be_made_fails_with_the_settings_name(settings: Settings, tmp_path: Path) -> None:
    """A file in the way of DATA_DIR."""
    (tmp_path / "file").touch()

    check = check_folders(patient_of(settings, data_dir=tmp_path / "file" / "data"))

    assert check.finding is Finding.FAILED
    assert "DATA_DIR" in check.detail
    assert "DATA_DIR" in check.remedy


@pytest.mark.parametrize(
    ("text", "version"),
    [('openjdk version "17.0.15" 2025-04-15', 17), ('java version "1.8.0_392"', 8), ('openjdk version "21" 2023', 21)],
)
def test_javas_version_is_read_in_old_and_new_spelling(tmp_path: Path, text: str, version: int) -> None:
    """1.8 is 8."""
    assert java_version(program(tmp_path, "java", text)) == version


def test_an_old_java_fails_and_a_missing_one_too(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka 4 needs Java 17."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path, "old-java", 'openjdk version "11.0.2"')
    patient = patient_of(settings, messaging="kafka")

    assert "Java 11" in check_java(patient, "old-java").detail
    assert check_java(patient, "no-java").detail == "no Java found"
    assert "openjdk-17" in check_java(patient, "no-java").remedy


def test_java_is_no_concern_of_a_broker_elsewhere(settings: Settings) -> None:
    """A cluster brings its own."""
    assert check_java(patient_of(settings, messaging="kafka", kafka_url="kafka1:9092")).finding is Finding.SKIPPED


def test_the_rig_file_is_read_and_its_kinds_are_known(settings: Settings, tmp_path: Path) -> None:
    """A wrong line is named."""
    assert check_rig(patient_of(settings)).finding is Finding.OK
    rig = tmp_path / "rig.toml"
    rig.write_text(
        '[zones.box]\n\n[[sensors]]\nid = "x"\nkind = "thermometer"\nquantity = "wet"\nzone = "box"\nevery_s = 1\n'
    )

    check = check_rig(patient_of(settings, rig_file=rig))

    assert check.finding is Finding.FAILED
    assert "rig.toml:3" in check.detail


def test_simulated_hardware_is_fine(settings: Settings) -> None:
    """Off a Pi nothing has to be chosen."""
    assert check_hardware(patient_of(settings)).finding is Finding.OK


def test_a_stranger_on_a_services_port_is_found(settings: Settings) -> None:
    """The service, its port, and the setting that moves it."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        check = check_ports(patient_of(settings, flask_ai_url=f"http://127.0.0.1:{port}"))

    assert check.finding is Finding.FAILED
    assert check.detail == f"taken by other programs: {port} (ai)"
    assert "FLASK_AI_URL" in check.remedy


def test_free_ports_are_fine(settings: Settings) -> None:
    """Nothing listens, nothing is in the way."""
    assert check_ports(patient_of(settings)).finding is Finding.OK


@pytest.mark.parametrize("check", [check_kafka, check_database, check_wire])
def test_a_stack_that_does_not_run_fails_with_the_way_to_start_it(
    settings: Settings, check: Callable[[Patient], Check]
) -> None:
    """Broker, database service and plant box."""
    found = check(patient_of(settings, messaging="kafka", kafka_url=f"127.0.0.1:{free_port('127.0.0.1')}"))

    assert found.finding is Finding.FAILED
    assert "make up" in found.remedy


def test_messaging_in_memory_needs_no_broker(settings: Settings) -> None:
    """The demo runs without one."""
    assert check_kafka(patient_of(settings)).finding is Finding.SKIPPED


def test_wrong_settings_end_the_examination(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything else rests on them."""
    monkeypatch.setenv("KAFKA_URL", "nowhere")

    found = list(examine(env_file=None))

    assert found[-1].name == "settings"
    assert "KAFKA_URL" in found[-1].detail
    assert not is_healthy(found)


def test_everything_that_is_not_fine_has_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A doctor who only frowns helps nobody."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAFKA_URL", f"127.0.0.1:{free_port('127.0.0.1')}")

    found = list(examine(env_file=None))

    assert {"python", "packages", "clock", "settings", "folders", "kafka", "database"} <= {
        check.name for check in found
    }
    assert all(check.remedy for check in found if check.finding in {Finding.WARNING, Finding.FAILED})
