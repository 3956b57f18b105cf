"""What `fuzz.py` throws its messages at: every real service of the product, in one process, on the log in memory."""

from __future__ import annotations

import base64
import json
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import requests
from gpiozero.pins.mock import MockFactory
from stage import Stage

from dt.ai.app import create_service as create_ai
from dt.alerts.app import create_service as create_alerts
from dt.communication.frames import frame_from_headers, is_jpeg
from dt.communication.kafka_subscription import KafkaSubscription
from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import MessagingService, Outgoing, Record
from dt.communication.opening import kafka_class
from dt.communication.topics import TOPIC_TABLE, Topics, processed_topics, raw_topics
from dt.controller.app import create_service as create_controller
from dt.controller.opening import open_guard_here
from dt.data.database.app import create_service as create_database
from dt.data.processing.main import create_service as create_processing
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import (
    ActionCommand,
    ActionResult,
    AlertCondition,
    AlertEvent,
    CameraFrame,
    DeadLetter,
    GapNotice,
    Message,
    Prediction,
    SensorData,
)
from dt.utils.exceptions import MessageError
from dt.utils.rig import load_rig
from dt.utils.service import Service
from dt.webapp.app import create_service as create_webapp

TOKEN = "fuzz"  # noqa: S105 - of a house that stands for some minutes
_GIVEN: Mapping[str, object] = {"dt_token": TOKEN}
_KEPT_RECORDS, _KEPT_BYTES = 2_000, 4 * 1024 * 1024  # of a partition, as `dt solo` has it
_MOST_EXAMPLES = 20
_ANSWERS_WITHIN_S = 5.0
_CHATTER = 10  # records that living services add while others read: beats, health

# Whoever cannot read a record of these topics has to make a dead letter of it.
_MUST_BE: Mapping[str, type[Message]] = {
    **dict.fromkeys(raw_topics(), SensorData),
    **dict.fromkeys(processed_topics(), SensorData),
    Topics.CAMERA_IMAGE.processed: CameraFrame,
    Topics.ALERT_CONDITIONS: AlertCondition,
    Topics.ALERTS: AlertEvent,
    Topics.ACTIONS: ActionCommand,
    Topics.ACTION_RESULTS: ActionResult,
    Topics.PREDICTIONS: Prediction,
    Topics.GAPS: GapNotice,
    Topics.DEAD_LETTERS: DeadLetter,
}


class Witness:
    """Reads every topic by itself, and notes which records nobody can read and which became dead letters."""

    def __init__(self, messaging: MessagingService) -> None:
        self._unreadable: dict[tuple[str, int], bytearray] = defaultdict(bytearray)
        self._buried: dict[tuple[str, int], bytearray] = defaultdict(bytearray)
        self.reasons: Counter[str] = Counter()
        self.failures: list[str] = []
        self._lock = threading.Lock()
        self._subscription = messaging.subscribe(list(TOPIC_TABLE), "witness", self._see)

    @property
    def lag(self) -> int:
        """Return how much is not read yet."""
        return self._subscription.lag()

    def unreadable(self) -> int:
        """Return how many records nobody can read."""
        with self._lock:
            return sum(sum(places) for places in self._unreadable.values())

    def unburied(self) -> list[tuple[str, int, int]]:
        """Return the unreadable records of which nobody made a dead letter."""
        found = []
        with self._lock:
            for place, marks in self._unreadable.items():
                buried = self._buried[place]
                found += [(*place, n) for n, mark in enumerate(marks) if mark and not (n < len(buried) and buried[n])]
        return found

    def stop(self) -> None:
        """Read no more."""
        self._subscription.stop()

    def _see(self, records: Sequence[Record]) -> None:
        with self._lock:
            for record in records:
                if record.topic in _MUST_BE and not _is_readable(record):
                    _mark(self._unreadable[record.topic, record.partition], record.offset)
                if record.topic == Topics.DEAD_LETTERS:
                    self._note(record)

    def _note(self, record: Record) -> None:
        try:
            letter = DeadLetter.from_json(record.value or b"")
        except MessageError:
            return
        if letter.topic not in TOPIC_TABLE or record.key != letter.topic:
            return  # a made up one
        if not 0 <= letter.offset < 1 << 24 or not 0 <= letter.partition < TOPIC_TABLE[letter.topic].partitions:
            return
        self.reasons[letter.reason] += 1
        _mark(self._buried[letter.topic, letter.partition], letter.offset)
        if letter.reason == "failed" and len(self.failures) < _MOST_EXAMPLES:
            self.failures.append(f"{letter.topic}: {letter.why}: {base64.b64decode(letter.head_base64)[:600]!r}")


class House:
    """The services and what asks them."""

    def __init__(
        self,
        settings: Settings,
        messaging: MessagingService,
        lags: Callable[[], dict[str, int]],
        passing: Callable[[Outgoing], Outgoing] = lambda record: record,
    ) -> None:
        self.settings = settings
        self.messaging = messaging
        self.passing = passing  # what the log takes at all
        self._lags = lags
        self._clock = SystemClock()
        self._rig = load_rig(settings.rig_file)
        self.witness = Witness(messaging)
        self.services: list[Service] = []

    def start(self) -> None:
        """Start every service."""
        for create in (create_webapp, create_database, create_alerts, create_ai, create_processing):
            self._run(create(self.settings, self.messaging, self._clock))
        guard = open_guard_here(self.settings, self._rig, self._clock, MockFactory())
        self._run(create_controller(self.settings, self.messaging, self._clock, guard))

    def stop(self) -> None:
        """Stop them, the latest first."""
        for service in reversed(self.services):
            service.stop()
        self.services.clear()

    def lags(self) -> dict[str, int]:
        """Return how many records each group has still to read."""
        return {name: lag for name, lag in self._lags().items() if lag}

    def troubles(self) -> list[str]:
        """Return what every service says of itself, where that is not well."""
        return [f"{service.name}: {why}" for service in self.services if (why := service.ready())]

    def ask(self, paths: Mapping[str, Sequence[str]]) -> tuple[int, list[str]]:
        """Ask services by GET; return how many answers there were, and those that a server should not give."""
        bad, count = [], 0
        for setting, own in paths.items():
            for path in own:
                url = f"{getattr(self.settings, setting)}{path}"
                answer = requests.get(url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60.0)
                count += 1
                if answer.status_code >= 500 or not _is_whole(answer):
                    bad.append(f"{answer.status_code} {path}: {answer.text[:300]}")
        return count, bad

    def post(self, path: str, body: Mapping[str, Any]) -> list[str]:
        """Ask the database by POST; return what is wrong with the answer."""
        answer = requests.post(f"{self.settings.flask_db_url}{path}", json=body, timeout=60.0)
        return [] if answer.status_code < 500 and _is_whole(answer) else [f"{answer.status_code} {path} {body}"]

    def _run(self, service: Service) -> None:
        self.services.append(service)
        service.start()


@contextmanager
def house() -> Iterator[House]:
    """Give a house in a folder of its own, started, on the log in memory."""
    messaging = MemoryMessaging(SystemClock(), kept_records=_KEPT_RECORDS, kept_bytes=_KEPT_BYTES)

    def lags() -> dict[str, int]:
        with messaging._changed:
            log = messaging._log
            return {
                name: sum(log.end(place) - offset for place, offset in group.offsets.items())
                for name, group in log.groups.items()
            }

    with tempfile.TemporaryDirectory(prefix="plant-twin-fuzz-") as folder:
        yield from _living(House(Stage(Path(folder), **_GIVEN).settings, messaging, lags))


@contextmanager
def house_on_broker(client: str) -> Iterator[House]:
    """Give one whose log is a genuine broker."""
    with tempfile.TemporaryDirectory(prefix="plant-twin-fuzz-") as folder:
        stage = Stage(Path(folder), kafka_client=client, **_GIVEN)
        with stage.broker():
            messaging = kafka_class(client)(stage.settings, "fuzz", SystemClock())

            def lags() -> dict[str, int]:
                found = {"": messaging._sender.pending - _CHATTER}
                for member in messaging._subscriptions:
                    if member.is_running:
                        found[member.group] = _fresh_lag(member) - _CHATTER
                return {name: max(0, lag) for name, lag in found.items()}

            yield from _living(House(stage.settings, messaging, lags, _with_key))


def _fresh_lag(member: KafkaSubscription) -> int:
    """Return how far a member is behind once it has dealt with what it holds; many where that takes long."""
    question = member._lag
    lag = question.ask(_ANSWERS_WITHIN_S)
    return lag if member.is_assigned and question._answered.is_set() else _CHATTER + max(1, lag)


def _with_key(record: Outgoing) -> Outgoing:
    """Return a record with a key where the broker takes none without: a refusal costs the producer a new beginning."""
    spec = TOPIC_TABLE.get(record.topic)
    is_refused = spec is not None and spec.is_compacted and record.key is None
    return msgspec.structs.replace(record, key="fuzz") if is_refused else record


def _living(built: House) -> Iterator[House]:
    try:
        built.start()
        yield built
    finally:
        built.stop()
        built.witness.stop()
        built.messaging.close()


def _is_readable(record: Record) -> bool:
    if record.topic == Topics.CAMERA_IMAGE.raw:
        try:
            frame_from_headers(record.headers)
        except MessageError:
            return False
        return record.value is not None and is_jpeg(record.value)
    if record.value is None:
        return record.topic == Topics.ALERT_CONDITIONS and record.headers.get("origin", b"live") != b"live"  # history
    try:
        _MUST_BE[record.topic].from_json(record.value)
    except MessageError:
        return False
    return True


def _is_whole(answer: requests.Response) -> bool:
    """Return whether what calls itself JSON is."""
    if "json" in answer.headers.get("Content-Type", ""):
        try:
            json.loads(answer.content)
        except ValueError:
            return False
    return True


def _mark(marks: bytearray, offset: int) -> None:
    if offset >= len(marks):
        marks.extend(bytes(offset + 1024 - len(marks)))
    marks[offset] = 1
