"""The doctor on I2C: a Pi's switch, and who answers, on a real box behind the wire and as the rig declares it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dt.communication.wire import WireServer
from dt.operations.checkup import Finding, Patient, fine
from dt.operations.doctor import within
from dt.operations.doctor_bus import Bus, check_bus, check_i2c, compare, declared_addresses
from dt.operations.doctor_camera import check_camera
from dt.simulator.board import BoxWire, box_spec, wiring
from dt.simulator.box import Box
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.rig import load_rig, parse_rig
from tests.operations.pi_files import CAMERAS, CONFIG, one_pot, patient_on, pi

RIG = {0x23: "bh1750", 0x36: "seesaw"}


@dataclass(frozen=True, slots=True)
class Addresses:
    """A bus on which these addresses answer."""

    answers: tuple[int, ...] = ()
    error: Exception | None = None

    def scan(self) -> list[int]:
        """Return the addresses."""
        if self.error is not None:
            raise self.error
        return list(self.answers)


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """Return settings with the one-pot rig."""
    return one_pot(settings, tmp_path)


@pytest.fixture
def box(settings: Settings) -> Iterator[BoxWire]:
    """Return the plant box of the rig, which listens at its socket."""
    rig, clock = load_rig(settings.rig_file), SystemClock()
    wire = BoxWire(Box(box_spec(rig), clock.wall() - 60.0), clock, wiring(rig))
    server = WireServer(wire, settings.wire_path)
    server.start()
    yield wire
    server.stop()


def device(folder: Path) -> None:
    """Make the bus's device file."""
    (folder / "dev").mkdir(parents=True)
    (folder / "dev" / "i2c-1").touch()


def test_the_bus_is_fine_when_it_is_on_and_may_be_used(settings: Settings, tmp_path: Path) -> None:
    """config.txt as Raspberry Pi OS has it, and the device."""
    device(tmp_path)

    assert check_i2c(patient_on(settings, pi(tmp_path))).finding is Finding.OK


def test_a_bus_that_is_off_is_told_from_one_that_waits_for_a_restart(settings: Settings, tmp_path: Path) -> None:
    """Both have no device; the remedy differs."""
    off = {"/boot/firmware/config.txt": CONFIG.replace("dtparam=i2c_arm=on", "#dtparam=i2c_arm=on")}

    never = check_i2c(patient_on(settings, pi(tmp_path / "off", off)))
    waiting = check_i2c(patient_on(settings, pi(tmp_path / "on")))

    assert never.finding is waiting.finding is Finding.FAILED
    assert "do_i2c 0" in never.remedy
    assert "I2C is off" in never.detail
    assert "reboot" in waiting.remedy
    assert "on in config.txt" in waiting.detail


def test_a_simulated_rig_has_no_switch(settings: Settings, tmp_path: Path) -> None:
    """Also on a Pi."""
    patient = patient_on(settings, pi(tmp_path), hardware="simulated")

    assert check_i2c(patient).detail == "the rig is simulated"


@pytest.mark.usefixtures("box")
def test_a_scan_over_the_wire_finds_the_boxs_chips(settings: Settings) -> None:
    """The same question that a Pi's bus is asked."""
    check = check_bus(Patient(settings=settings, origins={}))

    assert check.finding is Finding.OK
    assert check.detail == "bh1750 at 0x23, seesaw at 0x36"


def test_a_chip_that_hangs_the_bus_is_told_from_one_that_is_silent(settings: Settings, box: BoxWire) -> None:
    """Fault F9 in both of its ways."""
    order = {"fault": "F9", "target": "seesaw-soil", "mode": "no_acknowledge"}
    silence = box.desk.add(order, time.time())
    silent = check_bus(Patient(settings=settings, origins={}))
    box.desk.remove(silence.id)
    box.desk.add({**order, "mode": "hang", "hang_s": 0.1}, time.time())

    hung = check_bus(Patient(settings=settings, origins={}))

    assert silent.finding is hung.finding is Finding.FAILED
    assert "no answer from seesaw at 0x36" in silent.detail
    assert "hung" in hung.detail
    assert "held low" in hung.remedy


@pytest.mark.usefixtures("box")
def test_a_picture_is_taken_over_the_wire(settings: Settings) -> None:
    """The simulated camera is looked through, not only named."""
    check = check_camera(Patient(settings=settings, origins={}))

    assert check.finding is Finding.OK
    assert "simulated: camera0 " in check.detail


def test_a_box_that_is_away_is_said_once_by_the_wire_check(settings: Settings) -> None:
    """Bus and camera are left out with the reason."""
    for check in (check_bus, check_camera):
        found = check(Patient(settings=settings, origins={}))
        assert found.finding is Finding.SKIPPED
        assert "plant box" in found.detail


def test_a_declared_chip_that_is_silent_fails_and_a_moved_one_is_guessed() -> None:
    """The soil probe's solder jumper is closed: it answers at 0x37."""
    check = compare(RIG, [0x23, 0x37, 0x3C])

    assert check.finding is Finding.FAILED
    assert "no answer from seesaw at 0x36" in check.detail
    assert "0x37 (seesaw soil probe)" in check.detail
    assert "0x37 may be it" in check.remedy
    assert "SDA" in check.remedy


def test_a_chip_that_could_be_read_but_is_not_declared_is_warned() -> None:
    """A second probe that was forgotten in the rig."""
    check = compare(RIG, [0x23, 0x36, 0x38])

    assert check.finding is Finding.WARNING
    assert "seesaw" in check.remedy


def test_a_stranger_on_the_bus_is_named_and_nothing_more() -> None:
    """A clock or a display is nobody's fault."""
    check = compare(RIG, [0x23, 0x36, 0x68])

    assert check.finding is Finding.OK
    assert "0x68 (DS3231/DS1307/PCF8523 clock)" in check.detail


def test_a_bus_that_cannot_be_opened_fails_with_what_it_said(settings: Settings) -> None:
    """Blinka's own words."""
    error = ValueError("No Hardware I2C on (scl,sda)=(3, 2)")

    @contextmanager
    def broken(_settings: Settings) -> Iterator[Bus]:
        yield Addresses(error=error)

    check = check_bus(Patient(settings=settings, origins={}), broken)

    assert check.finding is Finding.FAILED
    assert "No Hardware I2C" in check.detail


def test_a_chip_without_an_address_in_the_rig_is_where_its_kind_expects_it(settings: Settings) -> None:
    """The default of the kind's own module; a pin chip has no address."""
    text = settings.rig_file.read_text()
    rig = parse_rig(text.replace("address = 0x36\n", ""))

    assert declared_addresses(rig) == RIG


def test_a_hung_bus_ends_the_check_and_not_the_doctor() -> None:
    """SDA held low: every address takes a second or for ever."""
    never = threading.Event()
    began = time.monotonic()

    check = within(0.2, "bus", lambda: fine("bus", str(never.wait(20.0))))

    never.set()
    assert time.monotonic() - began < 5.0
    assert check.finding is Finding.FAILED
    assert "0.2 s" in check.detail
    assert "SDA" in check.remedy


def test_a_check_that_breaks_does_not_hide_the_others() -> None:
    """Its error is its finding."""

    def broken() -> object:
        return {}["nothing"]

    check = within(5.0, "rig", broken)  # type: ignore[arg-type]

    assert check.finding is Finding.FAILED
    assert "KeyError" in check.detail


def test_a_camera_module_is_found_by_its_name(settings: Settings, tmp_path: Path) -> None:
    """What rpicam-hello lists."""
    check = check_camera(patient_on(settings, pi(tmp_path, programs={"rpicam-hello --list-cameras": CAMERAS})))

    assert check.finding is Finding.OK
    assert check.detail == "imx708 4608x2592, by rpicam-still"


@pytest.mark.parametrize(
    ("programs", "word"),
    [({"rpicam-hello --list-cameras": "No cameras available!\n"}, "ribbon"), ({}, "rpicam-apps")],
)
def test_a_missing_camera_fails_with_what_to_look_at(
    settings: Settings, tmp_path: Path, programs: dict[str, str], word: str
) -> None:
    """The ribbon, or the tool."""
    check = check_camera(patient_on(settings, pi(tmp_path, programs=programs)))

    assert check.finding is Finding.FAILED
    assert word in check.remedy


def test_a_usb_camera_is_told_from_the_pis_own_devices(settings: Settings, tmp_path: Path) -> None:
    """Codecs and image processors are video devices too; the rig only has to name the camera."""
    names = ("bcm2835-codec-decode", "unicam-image", "UVC Camera (046d:0825)", "rpi-hevc-dec", "pispbe-input")
    files = {f"/sys/class/video4linux/video{number}/name": f"{name}\n" for number, name in enumerate(names)}
    none = {"rpicam-hello --list-cameras": "No cameras available!\n"}

    check = check_camera(patient_on(settings, pi(tmp_path, files, none)))

    assert check.finding is Finding.FAILED
    assert check.remedy.endswith('pin = "usb0" in rig.toml for UVC Camera (046d:0825)')


def test_a_declared_usb_camera_is_looked_for_by_its_device(settings: Settings, tmp_path: Path) -> None:
    """Its tool is not asked, for it is no module."""
    rig = tmp_path / "rig.toml"
    rig.write_text(settings.rig_file.read_text().replace('pin = "camera0"', 'pin = "usb2"'))
    plugged = pi(tmp_path / "plugged", {"/dev/video2": ""})

    out = check_camera(patient_on(settings, pi(tmp_path / "out"), rig_file=rig))
    there = check_camera(patient_on(settings, plugged, rig_file=rig))

    assert out.finding is Finding.FAILED
    assert "not found: /dev/video2" in out.detail
    assert there.finding is Finding.OK
