"""The doctor on a Raspberry Pi's own files: model, system, power, warmth, clock, storage."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from dt.operations.checkup import Check, Finding, Machine
from dt.operations.doctor_pi import check_model, check_power, check_system, check_temperature
from dt.operations.doctor_storage import check_clock, check_disk, check_storage
from dt.utils.config import Settings
from tests.operations.pi_files import PI5, ZERO_W, patient_on, pi

FOLDERS = itertools.count()


def storage(settings: Settings, tmp_path: Path, mounts: str, files: dict[str, str] | None = None) -> Check:
    """Return what the storage check says of mounts; `{data}` in them is DATA_DIR."""
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    root = tmp_path / f"machine{next(FOLDERS)}"
    machine = pi(root, {"/proc/mounts": mounts.format(data=data), **(files or {})})
    return check_storage(patient_on(settings, machine, data_dir=data))


def test_model_and_memory_are_told(settings: Settings, tmp_path: Path) -> None:
    """The firmware ends the model with a zero."""
    check = check_model(patient_on(settings, pi(tmp_path)))

    assert check.finding is Finding.OK
    assert check.detail == "Raspberry Pi 4 Model B Rev 1.5, 3794 MiB of memory"


def test_a_pi_with_little_memory_is_warned(settings: Settings, tmp_path: Path) -> None:
    """A Zero 2 W runs collector and controller, not the whole stack."""
    little = {"/proc/device-tree/model": "Raspberry Pi Zero 2 W Rev 1.0\0", "/proc/meminfo": "MemTotal: 437904 kB\n"}

    check = check_model(patient_on(settings, pi(tmp_path, little)))

    assert check.finding is Finding.WARNING
    assert "run-collector" in check.remedy


@pytest.mark.parametrize("model", [ZERO_W, "Raspberry Pi 2 Model B Rev 1.1\0", "Raspberry Pi Model B Plus Rev 1.2\0"])
def test_a_pi_without_64_bits_fails(settings: Settings, tmp_path: Path, model: str) -> None:
    """No operating system helps there."""
    check = check_model(patient_on(settings, pi(tmp_path, {"/proc/device-tree/model": model})))

    assert check.finding is Finding.FAILED
    assert "64" in check.detail


def test_64_bit_bookworm_is_fine(settings: Settings, tmp_path: Path) -> None:
    """The release is named."""
    check = check_system(patient_on(settings, pi(tmp_path)))

    assert check.finding is Finding.OK
    assert "bookworm" in check.detail


@pytest.mark.parametrize(
    ("kernel", "userland", "word"), [("armv7l", "armhf", "32-bit"), ("aarch64", "armhf", "programs are 32-bit")]
)
def test_32_bits_fail_also_below_a_64_bit_kernel(
    settings: Settings, tmp_path: Path, kernel: str, userland: str, word: str
) -> None:
    """A 32-bit Raspberry Pi OS starts a 64-bit kernel on a Pi 4."""
    programs = {"uname -m": f"{kernel}\n", "dpkg --print-architecture": f"{userland}\n"}

    check = check_system(patient_on(settings, pi(tmp_path, programs=programs)))

    assert check.finding is Finding.FAILED
    assert word in check.detail
    assert "64-bit Raspberry Pi OS" in check.remedy


def test_a_release_with_an_old_python_fails(settings: Settings, tmp_path: Path) -> None:
    """Bullseye has Python 3.9."""
    bullseye = 'PRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\nVERSION_ID="11"\n'

    check = check_system(patient_on(settings, pi(tmp_path, {"/etc/os-release": bullseye})))

    assert check.finding is Finding.FAILED
    assert "too old" in check.detail


@pytest.mark.parametrize(
    ("answer", "finding", "word"),
    [
        ("throttled=0x0", Finding.OK, "no low voltage"),
        ("throttled=0x50005", Finding.FAILED, "too little voltage now"),
        ("throttled=0x50000", Finding.WARNING, "too little voltage at some time"),
        ("throttled=0x80008", Finding.WARNING, "soft temperature limit now"),
        ("throttled=0x20000", Finding.WARNING, "frequency capped at some time"),
        ("VCHI initialization failed", Finding.WARNING, "does not tell"),
    ],
)
def test_the_firmwares_bits_become_words(
    settings: Settings, tmp_path: Path, answer: str, finding: Finding, word: str
) -> None:
    """What vcgencmd get_throttled answers, with a remedy when something is wrong."""
    check = check_power(patient_on(settings, pi(tmp_path, programs={"vcgencmd get_throttled": answer})))

    assert check.finding is finding
    assert word in check.detail
    assert bool(check.remedy) == (finding is not Finding.OK)


def test_the_kernel_tells_the_same_bits_where_vcgencmd_is_missing(settings: Settings, tmp_path: Path) -> None:
    """Sysfs has them without 0x."""
    files = {"/sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n"}
    programs = {"vcgencmd get_throttled": "not to be had"}

    assert check_power(patient_on(settings, pi(tmp_path, files, programs))).finding is Finding.FAILED


@pytest.mark.parametrize(
    ("text", "finding"), [("48312\n", Finding.OK), ("79800\n", Finding.WARNING), ("85912\n", Finding.FAILED)]
)
def test_a_hot_processor_is_told(settings: Settings, tmp_path: Path, text: str, finding: Finding) -> None:
    """Millidegrees; from 85 degC on the Pi slows down."""
    files = {"/sys/class/thermal/thermal_zone0/temp": text}

    assert check_temperature(patient_on(settings, pi(tmp_path, files))).finding is finding


def test_nothing_of_a_pi_is_asked_of_another_machine(settings: Settings, tmp_path: Path) -> None:
    """Each check says why it is left out."""
    patient = patient_on(settings, Machine(root=tmp_path), hardware="simulated")

    for check in (check_model, check_system, check_power, check_temperature):
        assert check(patient).finding is Finding.SKIPPED
        assert "machine" in check(patient).detail


def test_a_clock_that_is_not_synchronised_is_warned_and_its_battery_is_looked_for(
    settings: Settings, tmp_path: Path
) -> None:
    """Without a clock of its own a Pi starts in the past after a power cut."""
    bare = patient_on(settings, pi(tmp_path / "bare"))
    kept = patient_on(settings, pi(tmp_path / "kept", {"/sys/class/rtc/rtc0/name": "rtc-ds1307 1-0068\n"}))

    late, right = check_clock(bare, lambda: False), check_clock(kept, lambda: True)

    assert late.finding is Finding.WARNING
    assert "DS3231" in late.remedy
    assert right.finding is Finding.OK
    assert "rtc-ds1307" in right.detail


def test_room_is_looked_for_where_the_folder_will_be(settings: Settings, tmp_path: Path) -> None:
    """Also before DATA_DIR exists."""
    check = check_disk(patient_on(settings, pi(tmp_path), data_dir=tmp_path / "not" / "yet"))

    assert f"GiB free at {tmp_path}" in check.detail


def test_a_card_is_fine_and_a_disk_is_recommended(settings: Settings, tmp_path: Path) -> None:
    """What every Pi starts with."""
    check = storage(settings, tmp_path, "/dev/mmcblk0p2 / ext4 rw,noatime 0 0\n")

    assert check.finding is Finding.OK
    assert "SSD" in check.detail


@pytest.mark.parametrize(
    ("mounts", "finding", "word"),
    [
        ("/dev/mmcblk0p2 / ext4 ro,noatime 0 0\n", Finding.FAILED, "read-only"),
        ("/dev/sda1 / ext4 rw 0 0\nnas:/pi {data} nfs4 rw 0 0\n", Finding.FAILED, "local disk"),
        ("/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 {data} exfat rw 0 0\n", Finding.FAILED, "rights"),
        ("overlayroot / overlay rw,upperdir=/media/root-rw/overlay 0 0\n", Finding.WARNING, "in memory"),
        ("/dev/sda1 / ext4 rw 0 0\ntmpfs {data} tmpfs rw 0 0\n", Finding.WARNING, "in memory"),
    ],
)
def test_file_systems_that_lose_readings_are_found(
    settings: Settings, tmp_path: Path, mounts: str, finding: Finding, word: str
) -> None:
    """The mount that holds DATA_DIR counts."""
    check = storage(settings, tmp_path, mounts)

    assert check.finding is finding
    assert word in check.detail
    assert "DATA_DIR" in check.remedy


def test_a_dying_card_is_found(settings: Settings, tmp_path: Path) -> None:
    """Errors that the file system has recorded, and an eMMC's own estimate of its life."""
    card = "/dev/mmcblk0p2 / ext4 rw 0 0\n"

    errors = storage(settings, tmp_path, card, {"/sys/fs/ext4/mmcblk0p2/errors_count": "3\n"})
    worn = storage(settings, tmp_path, card, {"/sys/block/mmcblk0/device/life_time": "0x02 0x0a\n"})
    young = storage(settings, tmp_path, card, {"/sys/block/mmcblk0/device/life_time": "0x01 0x02\n"})

    assert "3 errors" in errors.detail
    assert "100 %" in worn.detail
    assert errors.finding is worn.finding is Finding.WARNING
    assert young.finding is Finding.OK


def test_a_pi_5_is_a_pi(settings: Settings, tmp_path: Path) -> None:
    """Its model string has another shape."""
    assert "Pi 5" in check_model(patient_on(settings, pi(tmp_path, {"/proc/device-tree/model": PI5}))).detail
