"""How much memory a process keeps beside what it uses."""

from __future__ import annotations

import contextlib
import ctypes

_M_ARENA_MAX = -8  # malloc.h of glibc


def keep_heap_small() -> None:
    """Let all threads share one heap, before there are any: a dozen that hardly allocate need none of their own."""
    with contextlib.suppress(OSError, AttributeError):  # another C library has no such heaps
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
