"""Whether the kernel believes its own clock."""

from __future__ import annotations

import ctypes
from functools import cache

_STA_UNSYNC = 0x0040  # linux/timex.h
_STATUS_OFFSET = 40 if ctypes.sizeof(ctypes.c_long) == 8 else 20  # of `status` in struct timex
_TIMEX_BYTES = 256  # more than the struct has


def is_clock_synced() -> bool:
    """Return whether the kernel's clock is synchronised (adjtimex without a change); False where nobody can say."""
    try:
        buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
        if _libc().adjtimex(buffer) < 0:
            return False
    except (OSError, AttributeError):
        return False
    status = int.from_bytes(buffer.raw[_STATUS_OFFSET : _STATUS_OFFSET + 4], "little")
    return not status & _STA_UNSYNC


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)  # the process's own; looking for the library starts programs
