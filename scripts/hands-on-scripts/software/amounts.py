"""How many and how long: what the options of these scripts may be."""

from __future__ import annotations

import argparse

MOST = 1_000_000_000
LONGEST_S = 31_536_000.0  # a year


def whole(text: str) -> int:
    """Read a number of records."""
    number = int(text)
    if not 1 <= number <= MOST:
        raise argparse.ArgumentTypeError(f"must be from 1 to {MOST}, not {number}")
    return number


def seconds(text: str) -> float:
    """Read a duration; zero is none."""
    number = float(text)
    if not 0.0 <= number <= LONGEST_S:
        raise argparse.ArgumentTypeError(f"must be from 0 to {LONGEST_S:.0f} s, not {text}")
    return number
