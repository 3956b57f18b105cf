"""From the log into the store, also when the store does not take it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Outgoing, Record, UnusableRecordsError
from dt.communication.topics import Topics
from dt.data.database.frame_files import FrameFiles
from dt.data.database.recorder import Recorder
from dt.data.database.records import PageQuery, Records
from dt.data.database.records_db import RecordsDB
from dt.data.database.sql_storage import SQLStorage
from dt.data.database.sqlite_file import SQLiteFile
from dt.utils.dataclasses import DBIdQuery, SensorData
from dt.utils.exceptions import StorageError
from tests.data.readings import NOW, make_reading

Eventually = Callable[[Callable[[], object], str], None]
JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"


@pytest.fixture
def recording(file: SQLiteFile, db: RecordsDB, messaging: MemoryMessaging, tmp_path: Path) -> Iterator[SQLStorage]:
    """Return the store that a recorder writes into."""
    storage = SQLStorage(file)
    recorder = Recorder(storage, Records(db), FrameFiles(tmp_path / "frames"))
    subscriptions = recorder.subscribe(messaging)
    yield storage
    for subscription in subscriptions:
        subscription.stop()


def stored(storage: SQLStorage) -> list[SensorData]:
    """Return the sensor's readings, oldest first."""
    return storage.latest(DBIdQuery(sensor_id="air-t", limit=1000))[::-1]


def test_full_store_gets_the_same_readings_again(
    file: SQLiteFile, messaging: MemoryMessaging, recording: SQLStorage, eventually: Eventually
) -> None:
    """Nothing is skipped while the disk is full, nothing is lost when there is room again."""
    failures = []
    with file.write() as db:
        [pages] = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages}")
    try:
        recording.insert([make_reading("filler", timestamp=NOW + i) for i in range(2000)])
    except StorageError as error:
        failures.append(error)

    for i in range(500):
        messaging.publish(Topics.TEMPERATURE.processed, make_reading(timestamp=NOW + i), key="box")
    with file.write() as db:
        db.execute("PRAGMA max_page_count = 1000000")

    assert failures
    eventually(lambda: len(stored(recording)) == 500, "all readings are stored")
    assert messaging.read_all(Topics.DEAD_LETTERS) == []


def test_unreadable_processed_record_becomes_a_dead_letter_that_is_kept(
    db: RecordsDB, file: SQLiteFile, messaging: MemoryMessaging, recording: SQLStorage, eventually: Eventually
) -> None:
    """Its neighbours are stored, and the letter can be read in the same place as they."""
    messaging.publish_batch(
        [
            Outgoing(Topics.TEMPERATURE.processed, make_reading(timestamp=NOW + i).to_json(), "box")
            if i != 3
            else Outgoing(Topics.TEMPERATURE.processed, b"garbage", "box")
            for i in range(6)
        ]
    )

    eventually(lambda: len(stored(recording)) == 5, "the readable ones are stored")
    eventually(lambda: Records(db).page("dead_letters", PageQuery(), {}).items, "the letter is kept")


def test_number_that_no_column_holds_becomes_a_dead_letter(
    messaging: MemoryMessaging, recording: SQLStorage, eventually: Eventually
) -> None:
    """A sequence beyond 64 bits: one letter, and the stream goes on."""
    for i in range(3):
        text = make_reading(timestamp=NOW + i, sequence=7 if i == 1 else i).to_json()
        text = text.replace(b'"sequence":7', b'"sequence":%d' % 2**80)
        messaging.publish(Topics.TEMPERATURE.processed, text, key="box")

    eventually(lambda: [reading.sequence for reading in stored(recording)] == [0, 2], "the others are stored")
    eventually(lambda: len(messaging.read_all(Topics.DEAD_LETTERS)) == 1, "one letter is written")


def test_reading_of_an_id_or_a_revision_that_cannot_be_becomes_a_dead_letter(
    messaging: MemoryMessaging, recording: SQLStorage, eventually: Eventually
) -> None:
    """A revision of -1 would lose against what it corrects, and NUL ends an id in half of all tools."""
    good = make_reading(timestamp=NOW).to_json()
    wrong = (good.replace(b'"revision":0', b'"revision":-1'), good.replace(b'"air-t"', rb'"air\u0000-t"'))
    for text in (*wrong, good):
        messaging.publish(Topics.TEMPERATURE.processed, text, key="box")

    eventually(lambda: len(messaging.read_all(Topics.DEAD_LETTERS)) == 2, "two letters are written")

    assert all(text != good for text in wrong)
    eventually(lambda: len(stored(recording)) == 1, "the readable one is stored")


def test_picture_is_one_file_however_often_it_comes(
    messaging: MemoryMessaging, recording: SQLStorage, tmp_path: Path, eventually: Eventually
) -> None:
    """The name is the content's hash; what is no JPEG makes no file."""
    for value in (JPEG, JPEG, b"GIF89a"):
        messaging.publish(Topics.CAMERA_IMAGE.raw, value, key="box")
    messaging.publish(Topics.CAMERA_IMAGE.raw, JPEG[:-2] + b"2\xff\xd9", key="box")

    eventually(lambda: len(list((tmp_path / "frames").glob("*.jpg"))) == 2, "both pictures are kept")

    assert FrameFiles(tmp_path / "frames").read("../frames/x") is None
    assert len(list((tmp_path / "frames").iterdir())) == 2


def test_disk_that_refuses_a_picture_is_a_retriable_error(tmp_path: Path) -> None:
    """A file stands where the folder should be: the batch comes again."""
    (tmp_path / "frames").write_text("in the way")

    with pytest.raises(StorageError) as refused:
        FrameFiles(tmp_path / "frames").put(JPEG)

    assert refused.value.retriable


def test_unreadable_records_leave_the_batch_in_one_write(file: SQLiteFile, db: RecordsDB, tmp_path: Path) -> None:
    """Of a batch with holes everything else is kept at once, and the unreadable ones are given back together."""
    stored_at: list[int] = []

    class Counting(SQLStorage):
        def insert(self, batch: Sequence[SensorData]) -> None:
            stored_at.append(len(batch))
            super().insert(batch)

    recorder = Recorder(Counting(file), Records(db), FrameFiles(tmp_path / "frames"))
    values = [b"{" if i % 3 == 0 else make_reading(timestamp=NOW + i).to_json() for i in range(30)]
    records = [Record(Topics.TEMPERATURE.processed, 0, i, None, value, {}, NOW) for i, value in enumerate(values)]

    with pytest.raises(UnusableRecordsError) as refused:
        recorder.on_processed(records)

    assert [record.offset for record, _why in refused.value.unusable] == list(range(0, 30, 3))
    assert stored_at == [20]
