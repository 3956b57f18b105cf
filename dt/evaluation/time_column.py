"""Times in files: ISO 8601, epoch seconds, or the way spreadsheets and loggers write them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dt.utils.exceptions import MessageError

_EARLIEST = 86_400.0 * 365  # a smaller number is no epoch time but an hour or an index
_LATEST = 253_402_300_799.0

# Day before month and month before day: the one that reads more of the column, and keeps it ascending, is right.
_FORMATS = (
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%m/%d/%y %I:%M %p",
    "%d/%m/%y %H:%M",
    "%d.%m.%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%d.%m.%Y %H:%M:%S",
    "%Y-%m-%d %H",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
)
_SAMPLE = 2000

Reader = Callable[[str], datetime]


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone; raises MessageError (field `timezone`)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise MessageError("timezone", f"must be an IANA zone such as Europe/Rome, not {name!r}") from error


def reader_of(cells: Sequence[str], time_format: str | None = None) -> Reader:
    """Return the way of reading that fits a column best; raises MessageError (field `time`) when none reads any."""
    if time_format is not None:
        return _by_format(time_format)
    readers: list[Reader] = [_iso, _epoch, *(_by_format(text) for text in _FORMATS)]
    sample = [cell for cell in cells if cell.strip()][:_SAMPLE]
    scored = [(_score(sample, reader), -index) for index, reader in enumerate(readers)]
    (read, _ascending), index = max(scored)
    if not read:
        example = repr(sample[0]) if sample else "an empty column"
        raise MessageError("time", f"{example} is no time that can be read; say how with --time-format")
    return readers[-index]


class LocalTimes:
    """Turns a column's moments into UTC epoch seconds, in file order.

    A local time without an offset that occurs twice (the clock was set back) is the second one as soon as
    the first would run backwards.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._last = -math.inf

    def epoch(self, moment: datetime) -> float:
        """Return epoch seconds."""
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self._zone)
            if moment.timestamp() < self._last <= moment.replace(fold=1).timestamp():
                moment = moment.replace(fold=1)
        self._last = moment.timestamp()
        return self._last


def _score(cells: Sequence[str], reader: Reader) -> tuple[int, int]:
    """Return how many cells can be read, and how many steps go forward."""
    moments = []
    for cell in cells:
        try:
            moments.append(reader(cell).replace(tzinfo=None))
        except ValueError:
            continue
    return len(moments), sum(later >= earlier for earlier, later in itertools.pairwise(moments))


def _iso(cell: str) -> datetime:
    return datetime.fromisoformat(cell.strip())


def _epoch(cell: str) -> datetime:
    seconds = float(cell)
    if not _EARLIEST <= seconds <= _LATEST:
        msg = f"{cell} is no epoch time"
        raise ValueError(msg)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def _by_format(time_format: str) -> Reader:
    return lambda cell: datetime.strptime(cell.strip(), time_format)  # noqa: DTZ007 - the zone is the column's
