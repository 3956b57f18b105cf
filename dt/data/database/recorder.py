"""From the log into the store: every handler is idempotent and returns only when what it got is durable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dt.communication.dead_letters import letter_of
from dt.communication.frames import is_jpeg
from dt.communication.messaging import MessagingService, Record, Subscription
from dt.communication.topics import Topics, processed_topics
from dt.data.database.frame_files import FrameFiles
from dt.data.database.records import Records
from dt.data.database.storage import PartlyRefusedError, Storage
from dt.utils.clock import Clock, SystemClock
from dt.utils.codec import Message
from dt.utils.dataclasses import ActionResult, AlertEvent, CameraFrame, DeadLetter, GapNotice, Prediction, SensorData
from dt.utils.exceptions import DTError, MessageError
from dt.utils.logger import get_logger

READINGS_GROUP = "database"
RECORDS_GROUP = "database_records"
PICTURES_GROUP = "database_frames"
_PICTURES_AT_ONCE = 20
_READINGS_AT_ONCE = 5000  # one durable write for a whole backlog's batch; live batches are small anyway

_RECORD_TYPES: Mapping[str, type[Message]] = {
    Topics.ALERTS: AlertEvent,
    Topics.ACTION_RESULTS: ActionResult,
    Topics.PREDICTIONS: Prediction,
    Topics.DEAD_LETTERS: DeadLetter,
    Topics.GAPS: GapNotice,
}
_CAMERA_PROCESSED = Topics.CAMERA_IMAGE.processed

log = get_logger(__name__)


class Recorder:
    """Keeps processed readings, records and pictures; `count` hears what kind was stored and how many."""

    def __init__(
        self,
        storage: Storage,
        records: Records,
        pictures: FrameFiles,
        count: Callable[[str, int], None] = lambda _kind, _number: None,
        clock: Clock | None = None,
    ) -> None:
        self._storage = storage
        self._records = records
        self._pictures = pictures
        self._count = count
        self._clock = clock or SystemClock()
        self._messaging: MessagingService | None = None

    def subscribe(self, messaging: MessagingService) -> list[Subscription]:
        """Join the three groups: readings never wait for records or pictures."""
        self._messaging = messaging
        return [
            messaging.subscribe(processed_topics(), READINGS_GROUP, self.on_processed, max_batch=_READINGS_AT_ONCE),
            messaging.subscribe(list(_RECORD_TYPES), RECORDS_GROUP, self.on_records),
            messaging.subscribe(
                [Topics.CAMERA_IMAGE.raw], PICTURES_GROUP, self.on_pictures, max_batch=_PICTURES_AT_ONCE
            ),
        ]

    def on_processed(self, records: Sequence[Record]) -> None:
        """Keep readings, and the descriptions of pictures."""
        readings: list[SensorData] = []
        frames: list[Message] = []
        sources: list[Record] = []
        for record in records:
            if record.topic == _CAMERA_PROCESSED:
                frames.append(CameraFrame.from_json(_value(record)))
            else:
                readings.append(SensorData.from_json(_value(record)))
                sources.append(record)
        try:
            self._storage.insert(readings)
        except PartlyRefusedError as error:
            self._bury({place: sources[place] for place in error.refused}, error)
        self._records.keep(frames)
        self._count("readings", len(readings))

    def _bury(self, refused: Mapping[int, Record], error: PartlyRefusedError) -> None:
        """Make dead letters of what the store cannot hold; the batch counts as kept only once they are durable."""
        log.warning("%s; they go to dead letters", error)
        if self._messaging is None:
            raise error
        now = self._clock.wall()
        self._messaging.publish_batch(
            [letter_of(record, DTError(error.refused[place]), now) for place, record in refused.items()]
        )
        self._messaging.flush()

    def on_records(self, records: Sequence[Record]) -> None:
        """Keep alerts, results, predictions, dead letters and gap notices."""
        self._records.keep([_RECORD_TYPES[record.topic].from_json(_value(record)) for record in records])
        self._count("records", len(records))

    def on_pictures(self, records: Sequence[Record]) -> None:
        """Keep the JPEG files; what is no JPEG becomes a dead letter in processing."""
        for record in records:
            if record.value is not None and is_jpeg(record.value):
                self._pictures.put(record.value)
                self._count("pictures", 1)


def _value(record: Record) -> bytes:
    if record.value is None:
        raise MessageError("$", "is a tombstone, and a message is expected")
    return record.value
