"""The outage's own account: what was put, what arrived, and which slots were due, kept without the product's help."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from outage_child import CADENCE_S, JOURNAL

Key = tuple[str, str, int, float]
AskGaps = Callable[[str, float, float], dict[str, Any]]

_TAIL_BYTES = 4096
_OVERLAP = 0.1  # of a slot: an old boot's slot that begins so shortly before a new boot is that one's
_PER_WINDOW = 720  # slots: an hour


class Journal:
    """What the killed processes wrote."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL

    def last_time(self, sign: str) -> float:
        """Return the collector's own time of the last reading of a sign: > being put, < put."""
        if not self._path.exists():
            return 0.0
        with self._path.open("rb") as file:
            file.seek(max(0, self._path.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode().split("\n")
        times = [float(line.split()[4]) for line in lines if line.startswith(f"{sign} ") and len(line.split()) == 5]
        return max(times, default=0.0)

    def boots(self) -> dict[str, float]:
        """Return when each boot began."""
        return {words[1]: float(words[2]) for words in self._lines("B")}

    def keys(self, sign: str) -> set[Key]:
        """Return the readings of a sign: > being put, < put."""
        return {(words[1], words[2], int(words[3]), float(words[4])) for words in self._lines(sign)}

    def _lines(self, sign: str) -> list[list[str]]:
        return [line.split() for line in self._path.read_text().split("\n") if line.startswith(f"{sign} ")]


class Account:
    """Compares what was put with what is stored and what the log brought."""

    def __init__(self, journal: Journal, stored: Sequence[Key], arrivals: Sequence[Key]) -> None:
        self._boots = journal.boots()
        self._put = journal.keys("<")
        self._begun = journal.keys(">")
        self._stored = stored
        self._arrivals = arrivals

    def figures(self) -> dict[str, float]:
        """Return what is lost, there twice, sent twice, invented, and out of order."""
        stored = set(self._stored)
        lost = self._put - stored
        ends = sorted([*self._boots.values(), max(key[3] for key in self._put) + CADENCE_S])
        return {
            "put": len(self._put),
            "stored": len(self._stored),
            "in_hand": len(stored & (self._begun - self._put)),  # there, as it may be or not: an end cut off its note
            "lost": len(lost),
            "lost_oldest_s": max((_age(key[3], self._last_before_end(ends, key[3])) for key in lost), default=0.0),
            "twice": len(self._stored) - len({key[:3] for key in self._stored}),
            "invented": len(stored - self._begun),
            "sent_twice": sum(count - 1 for count in Counter(self._arrivals).values()),
            "out_of_order": self._out_of_order(),
        }

    def compare_gaps(self, ask: AskGaps) -> dict[str, float]:
        """Return how many readings `/gaps` is wrong by, over all sensors: as a whole and hour by hour."""
        errors = windows = missing = 0
        for sensor_id in sorted({key[0] for key in self._stored}):
            due = self._due_of(sensor_id)
            for begin, end in _windows(due):
                inside = due[begin:end]
                since = _between(due, begin) if begin else due[0][0] - 1.0
                until = _between(due, end)
                told = ask(sensor_id, since, until)
                lost = sum(not is_there for _at, is_there in inside)
                in_intervals = sum(interval["lost"] for interval in told["intervals"])
                errors += abs(told["expected"] - len(inside)) + abs(told["lost"] - lost) + abs(in_intervals - lost)
                windows += 1
            missing += sum(not is_there for _at, is_there in due)
        return {"gap_report_errors": errors, "gap_reports": windows, "missing": missing}

    def _due_of(self, sensor_id: str) -> list[tuple[float, bool]]:
        """Return every slot that was due of a sensor, and whether its reading is stored."""
        there: defaultdict[str, set[int]] = defaultdict(set)
        for sensor, boot, number, _at in self._stored:
            if sensor == sensor_id:
                there[boot].add(number)
        boots = sorted((self._boots[boot], boot) for boot in there)
        due = []
        for place, (begin, boot) in enumerate(boots):
            is_last = place + 1 == len(boots)
            number = 0
            while number <= max(there[boot]) or (
                not is_last and begin + number * CADENCE_S < boots[place + 1][0] - _OVERLAP * CADENCE_S
            ):
                due.append((begin + number * CADENCE_S, number in there[boot]))
                number += 1
        return due

    def _out_of_order(self) -> int:
        """Return how many first arrivals came after a later reading of their sensor."""
        newest: dict[str, float] = {}
        seen: set[Key] = set()
        count = 0
        for key in self._arrivals:
            if key not in seen:
                seen.add(key)
                count += key[3] < newest.get(key[0], 0.0)
                newest[key[0]] = max(newest.get(key[0], 0.0), key[3])
        return count

    def _last_before_end(self, ends: Sequence[float], at: float) -> float:
        """Return the last reading that was put before the end of the boot that a reading belongs to."""
        end = min(each for each in ends if each > at)
        return max(key[3] for key in self._put if key[3] < end)


def _age(at: float, newest: float) -> float:
    return newest - at


def _windows(due: Sequence[tuple[float, bool]]) -> list[tuple[int, int]]:
    """Return the whole, and pieces of an hour whose ends lie well between two slots."""
    cuts = [n for n in range(_PER_WINDOW, len(due), _PER_WINDOW) if due[n][0] - due[n - 1][0] > 0.9 * CADENCE_S]
    places = [0, *cuts, len(due)]
    return [(0, len(due)), *pairwise(places)]


def _between(due: Sequence[tuple[float, bool]], place: int) -> float:
    """Return an instant between two slots, after the retries of the first."""
    return due[place - 1][0] + 0.75 * CADENCE_S
