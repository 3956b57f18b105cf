"""Processing and the database together, on the log in memory at its worst."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from dt.communication.database_api import DatabaseApiClient
from dt.communication.memory import Chaos, MemoryMessaging
from dt.communication.messaging import Outgoing, outgoing
from dt.communication.topics import Topics
from dt.data.database.app import DatabaseService
from dt.data.database.app import create_service as create_database
from dt.data.processing.main import create_service as create_processing
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import DBTimestampQuery, SensorData
from tests.data.readings import NOW, make_descriptor, make_reading

Eventually = Callable[[Callable[[], object], str], None]
SPAN = {"since": 0, "until": 4e9}
COUNT = 60


@pytest.fixture(params=[None, 11, 12, 13], ids=["calm", "chaos11", "chaos12", "chaos13"])
def log(request: pytest.FixtureRequest) -> Iterator[MemoryMessaging]:
    """Return a log that duplicates, redelivers, aborts and reorders, and one that does not."""
    messaging = MemoryMessaging(chaos=None if request.param is None else Chaos(request.param))
    yield messaging
    messaging.close()


@pytest.fixture
def stack(log: MemoryMessaging, on_free_ports: Settings) -> Iterator[tuple[DatabaseService, DatabaseApiClient]]:
    """Return the running pair of services, with its sensors bound."""
    with ExitStack() as closing:
        for create in (create_database, create_processing):
            service = create(on_free_ports, log, SystemClock())
            service.start()
            closing.callback(service.stop)
            if isinstance(service, DatabaseService):
                database = service
        api = closing.enter_context(DatabaseApiClient(f"http://127.0.0.1:{database.port}", "test-token"))
        for descriptor in (make_descriptor("air-t"), make_descriptor("air-h", "humidity")):
            api.bind_sensor(descriptor)
        yield database, api


def history() -> list[Outgoing]:
    """Return temperatures and humidities of an hour, as the demo's box would have published them."""
    start = NOW - 86_400 * 400
    raw = [make_reading(value=20 + i / 10, timestamp=start + 60 * i, origin="backfill") for i in range(COUNT)]
    raw += [make_reading("air-h", "humidity", 50, timestamp=start + 60 * i, origin="backfill") for i in range(COUNT)]
    return [outgoing(Topics.of(reading.data_type).raw, reading, "box") for reading in raw]


def stored(api: DatabaseApiClient, data_type: str) -> list[SensorData]:
    """Return everything of a quantity."""
    return api.query_timestamp(DBTimestampQuery.from_dict({"data_type": data_type, **SPAN}))


def test_each_reading_is_stored_once_whatever_the_log_does(
    log: MemoryMessaging, stack: tuple[DatabaseService, DatabaseApiClient], eventually: Eventually
) -> None:
    """Duplicates, redelivery, aborted transactions and reordering leave one row per reading, and every deficit."""
    _database, api = stack
    for record in history():
        log.publish_batch([record])

    eventually(lambda: all(len(stored(api, q)) == COUNT for q in ("temperature", "humidity", "vpd")), "all are there")

    temperatures, deficits = stored(api, "temperature"), stored(api, "vpd")
    assert [reading.raw_value for reading in temperatures] == [20 + i / 10 for i in range(COUNT)]
    assert {reading.quality.verdict for reading in temperatures if reading.quality} == {"good"}
    assert [deficit.caused_by[0] for deficit in deficits] == [reading.correlation_id for reading in temperatures]


def test_bad_input_ends_as_dead_letter_or_verdict_and_the_stream_goes_on(
    log: MemoryMessaging, stack: tuple[DatabaseService, DatabaseApiClient], eventually: Eventually
) -> None:
    """Garbage, wrong types, NaN, the year 2049 and a stranger between good readings: none of them is lost."""
    _database, api = stack
    good = make_reading().to_json()
    garbage = [b"\x00\xff", b"{", good.replace(b"21.5", b"NaN"), good.replace(b"21.5", b"[]")]
    for value in garbage:
        log.publish_batch([Outgoing(Topics.TEMPERATURE.raw, value, "box")])
    odd_ones: list[dict[str, object]] = [{"timestamp": 2.5e9}, {"sensor_id": "stranger"}, {"value": 200.0}, {}]
    for number, odd in enumerate(odd_ones):
        ordinary = {"timestamp": NOW - 86_400 * 400 + number, "origin": "replay"}
        reading = make_reading(**{**ordinary, **odd})  # type: ignore[arg-type]
        log.publish_batch([outgoing(Topics.TEMPERATURE.raw, reading, "box")])

    eventually(lambda: len(stored(api, "temperature")) == 4, "decodable readings are stored")
    eventually(lambda: len({item.sha256 for item in api.dead_letters()}) == 4, "the others are dead letters")

    judged = [(reading.sensor_id, reading.quality) for reading in stored(api, "temperature")]
    verdicts = {(sensor_id, quality.verdict) for sensor_id, quality in judged if quality is not None}
    assert verdicts == {("air-t", "bad"), ("air-t", "good"), ("stranger", "suspect")}
    assert all(item.why for item in api.dead_letters())


def test_services_answer_for_their_health(
    stack: tuple[DatabaseService, DatabaseApiClient], log: MemoryMessaging, eventually: Eventually
) -> None:
    """Both say on dt.health that they are well."""
    database, _api = stack
    eventually(lambda: database.ready() is None, "the database is ready")

    def well() -> set[str | None]:
        return {record.key for record in log.read_all(Topics.HEALTH) if b'"ok"' in (record.value or b"")}

    eventually(lambda: {"database", "processing"} <= well(), "both services are well")
