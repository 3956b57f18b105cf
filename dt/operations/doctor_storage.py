"""Checks of what readings are written on: room, file system, card; and of the clock that dates them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dt.data.database.left_behind import TO_MOVE, records_left_behind
from dt.operations.checkup import Check, Machine, Patient, failed, fine, skipped, warned
from dt.utils.kernel_clock import is_clock_synced

_LITTLE_DISK_BYTES = 1024**3
_NO_DISK_BYTES = 200 * 1024**2
_ELSEWHERE = "set DATA_DIR to a folder on another disk"
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p"})
_NO_RIGHTS = frozenset({"vfat", "exfat", "ntfs", "ntfs3", "fuseblk"})
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
_WORN_AT = 9  # JEDEC eMMC 5.0, life time estimation: 0x09 means 80 to 90 % used


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A mounted file system."""

    device: str
    place: str
    kind: str
    is_read_only: bool


def check_disk(patient: Patient) -> Check:
    """Look for room under DATA_DIR."""
    folder = _existing(patient.settings.data_dir)
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1024**3:.1f} GiB free at {folder}"
    remedy = f"free some space, or {_ELSEWHERE}"
    if free < _NO_DISK_BYTES:
        return failed("disk", detail, remedy)
    return warned("disk", detail, remedy) if free < _LITTLE_DISK_BYTES else fine("disk", detail)


def check_storage(patient: Patient) -> Check:
    """Look at the file system under DATA_DIR, and at what is known of the card's health."""
    folder = _existing(patient.settings.data_dir)
    mount = mount_of(folder, patient.machine.text("/proc/mounts") or "")
    if mount is None:
        return skipped("storage", "this machine does not tell what is mounted")
    detail = f"{mount.kind} on {mount.device}"
    wrong = _wrong_kind(mount, detail)
    if wrong is not None:
        return wrong
    hints = card_hints(mount.device, patient.machine)
    if hints:
        return warned("storage", f"{detail}: {'; '.join(hints)}", "make a backup now and change the card")
    if mount.device.startswith("/dev/mmcblk"):
        detail += ", a card: a USB SSD lasts longer; the product syncs it once in 10 s at most"
    return fine("storage", detail)


def check_clock(patient: Patient, is_synced: Callable[[], bool] = is_clock_synced) -> Check:
    """Ask the kernel whether its clock is synchronised, and look for a clock that runs on without power."""
    rtc = patient.machine.text("/sys/class/rtc/rtc0/name")
    kept = f"a clock of its own keeps it ({rtc})" if rtc else "no clock of its own keeps it while it is off"
    if is_synced():
        if patient.machine.model is None:
            return fine("clock", "synchronised")
        return fine("clock", f"synchronised; {kept}")
    remedy = "sudo timedatectl set-ntp true; without it a jump of the clock refills no water budget"
    if not rtc and patient.machine.model is not None:
        remedy += "; far from a network wire a DS3231 clock (a Pi 5: its battery)"
    return warned("clock", f"the kernel does not call its clock synchronised; {kept}", remedy)


def check_records(patient: Patient) -> Check:
    """Look for records that DATABASE_URL left behind."""
    left = records_left_behind(patient.settings)
    if left is not None:
        return warned("records", f"DATABASE_URL names another place, and {left} is still there", TO_MOVE)
    return fine("records", "all in one place")


STORAGE_CHECKS: tuple[Callable[[Patient], Check], ...] = (check_clock, check_disk, check_storage, check_records)


def mount_of(folder: Path, mounts: str) -> Mount | None:
    r"""Return the mount that a folder is on, out of /proc/mounts; the longest place that holds it.

    >>> mount_of(Path("/srv/pots/data"), "/dev/mmcblk0p2 / ext4 rw,noatime 0 0\ntmpfs /srv tmpfs rw 0 0").kind
    'tmpfs'
    """
    found: Mount | None = None
    for row in mounts.splitlines():
        device, place, kind, options = [*row.split(), "", "", "", ""][:4]
        place = re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), place)
        if place and folder.is_relative_to(place) and (found is None or len(place) >= len(found.place)):
            found = Mount(device=device, place=place, kind=kind, is_read_only="ro" in options.split(","))
    return found


def card_hints(device: str, machine: Machine) -> list[str]:
    """Return what the kernel knows of a dying card: recorded file system errors, and an eMMC's own estimate."""
    name = device.removeprefix("/dev/")
    hints: list[str] = []
    errors = machine.text(f"/sys/fs/ext4/{name}/errors_count")
    if errors and errors.isdigit() and int(errors):
        hints.append(f"{errors} errors are recorded in the file system")
    block = re.match(r"mmcblk\d+", name)
    estimates = (machine.text(f"/sys/block/{block[0]}/device/life_time") or "").split() if block else []
    used = max((int(estimate, 16) for estimate in estimates if re.fullmatch(r"0x[0-9a-fA-F]+", estimate)), default=0)
    if used >= _WORN_AT:
        hints.append(f"about {10 * min(used, 10)} % of its life is used")
    return hints


def _wrong_kind(mount: Mount, detail: str) -> Check | None:
    if mount.is_read_only:
        remedy = f"sudo mount -o remount,rw {mount.place}, and look into dmesg why; or {_ELSEWHERE}"
        return failed("storage", f"{detail} is read-only", remedy)
    if mount.kind in _NETWORK:
        return failed("storage", f"{detail}: SQLite's log needs a local disk (sqlite.org/wal.html)", _ELSEWHERE)
    if mount.kind in _NO_RIGHTS:
        return failed("storage", f"{detail} keeps no rights: tokens there could be read by all", _ELSEWHERE)
    if mount.kind in _IN_MEMORY or (mount.kind == "overlay" and mount.device == "overlayroot"):
        return warned("storage", f"{detail} is in memory: a restart loses all readings", _ELSEWHERE)
    return None


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder.resolve()
