"""The doctor on pins: conflicts in the rig, strangers on them, and what outlives a killed process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dt.cli.main import main
from dt.communication.wire import WireServer
from dt.operations.checkup import Check, Finding, Patient
from dt.operations.doctor import within
from dt.operations.doctor_bus import check_bus
from dt.operations.doctor_camera import check_camera
from dt.operations.doctor_machine import check_rig
from dt.operations.doctor_pins import check_outputs, check_pins, header_lines
from dt.operations.doctor_try_pin import Level, judge, try_pin
from dt.operations.plan import SERVICES, free_port
from dt.simulator.board import BoxWire, box_spec, wiring
from dt.simulator.box import Box
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.exceptions import MessageError
from dt.utils.rig import load_rig
from tests.operations.pi_files import CONFIG, GPIOINFO_1, GPIOINFO_2, one_pot, patient_on, pi

_SECOND_PROBE = """id = "other"
kind = "seesaw"
quantity = "soil_moisture"
zone = "box"
address = 0x36
every_s = 1

[[sensors]]
"""
UNUSED = GPIOINFO_1.format(consumer="unused", used="")


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """Return settings with the one-pot rig."""
    return one_pot(settings, tmp_path)


@pytest.fixture
def board(settings: Settings) -> Iterator[BoxWire]:
    """Return the box of the rig, which also listens at its socket."""
    rig, clock = load_rig(settings.rig_file), SystemClock()
    wire = BoxWire(Box(box_spec(rig), clock.wall() - 60.0), clock, wiring(rig))
    server = WireServer(wire, settings.wire_path)
    server.start()
    yield wire
    server.stop()


def changed_rig(settings: Settings, tmp_path: Path, old: str, new: str) -> Path:
    """Return the rig with one line changed."""
    path = tmp_path / "rig.toml"
    text = settings.rig_file.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def test_a_sound_rig_names_its_pins_once(settings: Settings) -> None:
    """Two sensors of one DHT22 share its pin."""
    check = check_pins(Patient(settings=settings, origins={}))

    assert check.finding is Finding.OK
    assert check.detail.startswith("GPIO4 dht22, GPIO17 pump;")


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('id = "seesaw-soil"', _SECOND_PROBE + 'id = "seesaw-soil"', "0x36 is wanted by other and seesaw-soil"),
        ("address = 0x36", "address = 0x23", "0x23 is wanted by bh1750-light and seesaw-soil"),
    ],
)
def test_two_parts_on_one_place_fail(settings: Settings, tmp_path: Path, old: str, new: str, word: str) -> None:
    """Also where nothing is real: the rig itself is wrong."""
    rig = changed_rig(settings, tmp_path, old, new)

    check = check_pins(patient_on(settings, pi(tmp_path), hardware="simulated", rig_file=rig))

    assert check.finding is Finding.FAILED
    assert word in check.detail
    assert "rig.toml" in check.remedy


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("dtoverlay=w1-gpio", "GPIO4 (dht22) belongs to 1-wire"),
        ("dtoverlay=w1-gpio,gpiopin=17", "GPIO17 (pump) belongs to 1-wire"),
    ],
)
def test_a_bus_of_config_txt_that_needs_a_rigs_pin_fails(
    settings: Settings, tmp_path: Path, line: str, word: str
) -> None:
    """The kernel would hold the pin."""
    machine = pi(tmp_path, {"/boot/firmware/config.txt": f"{CONFIG}{line}\n"}, {"gpioinfo": UNUSED})

    check = check_pins(patient_on(settings, machine))

    assert check.finding is Finding.FAILED
    assert word in check.detail


@pytest.mark.parametrize("power_pin", ["banana", "GPIO99", "GPIO17", "GPIO2"])
def test_a_wrong_pin_is_the_rigs_failure_and_breaks_no_other_check(
    settings: Settings, tmp_path: Path, power_pin: str
) -> None:
    """The line of the rig is named once; what rests on the rig goes on, or says that it cannot."""
    rig = changed_rig(settings, tmp_path, 'pin = "GPIO4"\n', f'pin = "GPIO4"\npower_pin = "{power_pin}"\n')
    patient = patient_on(settings, pi(tmp_path), hardware="simulated", rig_file=rig)

    found = {
        check.name: check for check in (each(patient) for each in (check_rig, check_pins, check_bus, check_camera))
    }

    assert found["rig"].finding is Finding.FAILED
    assert "rig.toml:8: " in found["rig"].detail
    assert power_pin in found["rig"].detail
    assert not [check for name, check in found.items() if name != "rig" and check.finding is Finding.FAILED]


def test_an_error_of_rig_or_settings_in_any_check_is_told_as_such() -> None:
    """No check asks for a report of a rig that is wrong."""

    def broken() -> Check:
        raise MessageError("pin", "must be GPIO0 to GPIO27, not 'banana'")

    check = within(5.0, "pins", broken)

    assert check.finding is Finding.FAILED
    assert check.detail == "pin: must be GPIO0 to GPIO27, not 'banana'"


@pytest.mark.parametrize("pin", ["banana", "GPIO99", "-1", ""])
def test_a_pin_that_is_none_is_wrong_use_at_once(pin: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No check has run."""
    with pytest.raises(SystemExit) as caught:
        main(["doctor", "--try-pin", pin])

    assert caught.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "GPIO0 to GPIO27" in said.err


def test_free_pins_are_fine(settings: Settings, tmp_path: Path) -> None:
    """Gpioinfo of Bookworm."""
    check = check_pins(patient_on(settings, pi(tmp_path, programs={"gpioinfo": UNUSED})))

    assert check.finding is Finding.OK
    assert check.detail.endswith("free")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (GPIOINFO_1.format(consumer='"gpio-fan"', used="[used]"), "GPIO17 by gpio-fan"),
        (GPIOINFO_2, "GPIO4 by onewire@0"),
    ],
)
def test_a_stranger_on_a_pin_fails_with_its_name(settings: Settings, tmp_path: Path, text: str, word: str) -> None:
    """Both prints of gpioinfo; the Pi 5's header is not its first chip."""
    check = check_pins(patient_on(settings, pi(tmp_path, programs={"gpioinfo": text})))

    assert check.finding is Finding.FAILED
    assert word in check.detail
    assert "dtoverlay" in check.remedy


def test_without_gpioinfo_the_remedy_is_its_package(settings: Settings, tmp_path: Path) -> None:
    """Not every image has it."""
    check = check_pins(patient_on(settings, pi(tmp_path)))

    assert check.finding is Finding.WARNING
    assert check.remedy == "sudo apt install gpiod"


def test_a_user_who_may_not_see_the_pins_is_told_so(settings: Settings, tmp_path: Path) -> None:
    """No line is not the same as no stranger."""
    said = "gpioinfo: unable to open gpiochip0: Permission denied\n"

    check = check_pins(patient_on(settings, pi(tmp_path, programs={"gpioinfo": said})))

    assert check.finding is Finding.WARNING
    assert "Permission denied" in check.detail
    assert "gpio" in check.remedy


def test_gpioinfos_lines_are_read_with_direction_and_holder() -> None:
    """LEDs and regulators of the Pi itself are not on the header."""
    lines = {line.offset: line for line in header_lines(GPIOINFO_2)}

    assert set(lines) == {0, 4, 17}
    assert lines[17].is_output
    assert lines[17].consumer is None
    assert not lines[4].is_output
    assert lines[4].consumer == "onewire@0"


@pytest.mark.parametrize(
    ("driver", "value", "finding", "word"),
    [
        ("pinctrl_bcm2835", "Y", Finding.WARNING, "stay as they were"),
        ("pinctrl_rp1", "Y", Finding.WARNING, "stay as they were"),
        ("pinctrl_rp1", "N", Finding.OK, "inputs"),
        ("another", "Y", Finding.WARNING, "does not tell"),
    ],
)
def test_the_kernel_tells_what_becomes_of_a_dead_processs_outputs(
    settings: Settings, tmp_path: Path, driver: str, value: str, finding: Finding, word: str
) -> None:
    """The parameter of the pin driver, of a Pi 4 and of a Pi 5."""
    files = {f"/sys/module/{driver}/parameters/persist_gpio_outputs": f"{value}\n"}

    check = check_outputs(patient_on(settings, pi(tmp_path, files)))

    assert check.finding is finding
    assert word in check.detail


def test_a_pin_that_becomes_an_input_is_fine() -> None:
    """dtparam=strict_gpiod."""
    check = judge("GPIO26", Level(is_output=False, is_high=False))

    assert check.finding is Finding.OK
    assert "became an input (low)" in check.detail


@pytest.mark.parametrize(
    ("pin", "word"), [("GPIO17", "pump"), ("GPIO2", "I2C"), ("GPIO40", "GPIO0 to GPIO27"), ("GPIO0", "EEPROM")]
)
def test_a_pin_that_is_used_is_never_tried(settings: Settings, board: BoxWire, pin: str, word: str) -> None:
    """The pump does not start to find out what happens."""
    check = try_pin(Patient(settings=settings, origins={}), pin)

    assert check.finding is Finding.FAILED
    assert word in check.detail
    assert "17" not in board.state()["pins"]  # type: ignore[operator]


@pytest.mark.slow
def test_a_process_that_cannot_drive_the_pin_is_heard(settings: Settings, tmp_path: Path) -> None:
    """Here no library of a Pi's pins finds any."""
    check = try_pin(patient_on(settings, pi(tmp_path)), "GPIO26")

    assert check.finding is Finding.FAILED
    assert "GPIO26 cannot be tried" in check.detail
    assert "BadPinFactory" in check.detail


def test_the_command_tries_a_pin_and_prints_one_object_per_check(
    settings: Settings, board: BoxWire, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`dt doctor --json --try-pin`: a real process, killed by SIGKILL; afterwards the pin is an input again."""
    monkeypatch.setenv("WIRE_SOCKET", str(settings.wire_path))
    monkeypatch.setenv("RIG_FILE", str(settings.rig_file))
    monkeypatch.setenv("DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("LOG_DIR", str(settings.log_dir))
    monkeypatch.setenv("MESSAGING", "memory")
    for spec in SERVICES:
        monkeypatch.setenv(spec.url_setting.upper(), f"http://127.0.0.1:{free_port('127.0.0.1')}")

    code = main(["doctor", "--json", "--try-pin", "GPIO26"])

    report = json.loads(capsys.readouterr().out)
    found = {check["name"]: check for check in report["checks"]}
    assert code == 1  # no database service runs
    assert found["database"]["finding"] == "failed"
    assert found["bus"]["finding"] == "ok"
    assert found["try-pin"]["finding"] == "warning"
    assert "GPIO26 still drives high" in found["try-pin"]["detail"]
    assert board.state()["pins"]["26"] == {"direction": "in", "duty": 0.0}  # type: ignore[index]
    assert all(set(check) == {"name", "finding", "detail", "remedy"} for check in report["checks"])
