"""Roll-ups are what a recomputation from raw gives, whatever came in which order."""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dt.data.database.rollups import verify_rollups
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.utils.dataclasses import DBTimestampQuery, SensorData
from tests.data.readings import NOW, make_reading

_VERDICTS = (
    None,
    {"verdict": "good", "check": None, "why": None},
    {"verdict": "suspect", "check": "spike", "why": "a peak"},
    {"verdict": "bad", "check": "value_range", "why": "no"},
)
_reading = st.builds(
    lambda minute, second, value, verdict, revision, zone, sensor: make_reading(
        sensor,
        timestamp=NOW + 60.0 * minute + second,
        value=value,
        quality=verdict,
        revision=revision,
        zone_id=zone,
    ),
    minute=st.sampled_from([-130, -61, -60, -1, 0, 0, 1, 4, 5, 61]),
    second=st.sampled_from([0.0, 0.001, 59.999]),
    value=st.floats(-1e9, 1e9) | st.sampled_from([1e-20, -1e-20, 0.1, 1e9, -1e9]),
    verdict=st.sampled_from(_VERDICTS),
    revision=st.integers(0, 2),
    zone=st.sampled_from(["box", "box", "shelf"]),
    sensor=st.sampled_from(["a", "a", "b"]),
)
_batches = st.lists(st.lists(_reading, min_size=1, max_size=30), min_size=1, max_size=6)


def recomputed(readings: list[SensorData], width_s: int) -> dict[tuple[str, str, int], list[SensorData]]:
    """Return the counted readings of each bucket, as a person would do it."""
    found: dict[tuple[str, str, int], list[SensorData]] = defaultdict(list)
    for reading in readings:
        if reading.quality is None or reading.quality.verdict != "bad":
            begin_s = math.floor(round(reading.timestamp * 1000) / (width_s * 1000)) * width_s
            found[reading.sensor_id, reading.zone_id, begin_s].append(reading)
    return found


@hypothesis_settings(max_examples=80)
@given(_batches)
def test_rollups_are_a_recomputation_from_raw(batches: list[list[SensorData]]) -> None:
    """Duplicates, revisions, late ones, changed verdicts and zones: count, min and max exactly, the mean to 1e-12."""
    with TemporaryDirectory() as folder:
        storage = SQLStorage(SQLiteFile(Path(folder) / "store.db"))
        for batch in batches:
            storage.insert(batch)
        kept = storage.between(DBTimestampQuery.from_dict({"data_type": "temperature", "since": 0, "until": 3e9}))
        storage.close()
        with closing(sqlite3.connect(Path(folder) / "store.db")) as db:
            rows = db.execute(
                "SELECT width_s, sensor_id, zone_id, begin_s, count, min, max, (total + residue) / count, suspects"
                " FROM rollups JOIN lines USING (line_id) JOIN series USING (series_id)"
            ).fetchall()
        assert verify_rollups(Path(folder) / "store.db") == []

    expected = {
        (width_s, *place): mine for width_s in (60, 300, 3600) for place, mine in recomputed(kept, width_s).items()
    }
    assert {row[:4] for row in rows} == expected.keys()
    for width_s, sensor_id, zone_id, begin_s, count, lowest, highest, mean, suspects in rows:
        mine = expected[width_s, sensor_id, zone_id, begin_s]
        values = [reading.value for reading in mine]
        assert (count, lowest, highest) == (len(values), min(values), max(values))
        assert math.isclose(mean, math.fsum(values) / len(values), rel_tol=1e-12, abs_tol=1e-300)
        assert suspects == sum(r.quality is not None and r.quality.verdict == "suspect" for r in mine)


def test_wrong_roll_ups_are_found(tmp_path: Path) -> None:
    """A changed minute, a missing one and one without readings are told apart."""
    storage = SQLStorage(SQLiteFile(tmp_path / "store.db"))
    storage.insert([make_reading(timestamp=NOW + 60 * i) for i in range(3)])
    storage.close()
    minute = int(NOW // 60 * 60)
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as db:
        db.execute("UPDATE rollups SET max = 99 WHERE width_s = 60 AND begin_s = ?", (minute,))
        db.execute("DELETE FROM rollups WHERE width_s = 60 AND begin_s = ?", (minute + 60,))
        db.execute("UPDATE rollups SET begin_s = begin_s + 36000 WHERE width_s = 60 AND begin_s = ?", (minute + 120,))

    found = verify_rollups(tmp_path / "store.db")

    assert [(m.begin_s - minute, m.kept is None, m.expected is None) for m in found] == [
        (0, False, False),
        (60, True, False),
        (120, True, False),
        (36_120, False, True),
    ]


def test_failed_batch_leaves_the_roll_ups_as_they_were(tmp_path: Path) -> None:
    """They stand or fall with their readings."""
    storage = SQLStorage(SQLiteFile(tmp_path / "store.db"))
    storage.insert([make_reading(timestamp=NOW)])

    with pytest.raises(OverflowError):
        storage.insert([make_reading(timestamp=NOW + 1), make_reading(timestamp=NOW + 2, sequence=2**70)])

    storage.insert([make_reading(timestamp=NOW + 3)])
    storage.close()
    assert verify_rollups(tmp_path / "store.db") == []


def test_sum_beyond_the_largest_number_is_kept_as_that(tmp_path: Path) -> None:
    """Nothing an outsider sends makes a batch fail for ever."""
    storage = SQLStorage(SQLiteFile(tmp_path / "store.db"))

    storage.insert([make_reading(timestamp=NOW + i, value=1.7e308) for i in range(3)])

    storage.close()
    assert verify_rollups(tmp_path / "store.db") == []
