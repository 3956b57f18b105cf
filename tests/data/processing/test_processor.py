"""What becomes of a raw record: a judged reading, a derived one, a picture's description or a dead letter."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt.communication.frames import frame_headers
from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Outgoing, Record
from dt.communication.topics import Topics
from dt.data.processing.checks import judge
from dt.data.processing.checks.sample import Sample
from dt.data.processing.processor import Processor
from dt.data.processing.sensor_book import SensorBook
from dt.plant.air import vapour_pressure_deficit_kpa
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import CameraFrame, DeadLetter, Origin, Quality, SensorData, Verdict
from dt.utils.quantities import Quantity, Unit
from tests.data.readings import NOW, make_descriptor, make_reading, raw_bytes, raw_record, readings_in, register

JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"
SOIL = {"version": 4, "points": [[320, 0.02], [600, 0.25], [1000, 0.60]]}
Make = Callable[[], Processor]


@pytest.fixture
def make(messaging: MemoryMessaging, clock: ManualClock) -> Make:
    """Return a maker of processors that know an air sensor pair, a lamp's sensor and a calibrated soil probe."""
    register(
        messaging,
        make_descriptor("air-t"),
        make_descriptor("air-h", "humidity"),
        make_descriptor("lux", "light_intensity", kind="bh1750"),
        make_descriptor("soil", "soil_moisture", kind="seesaw", plant_id="basil", calibration=SOIL),
    )

    def make_one() -> Processor:
        processor = Processor(SensorBook(messaging, clock), clock)
        processor.restore([])
        return processor

    return make_one


@pytest.fixture
def processor(make: Make) -> Processor:
    """Return one processor."""
    return make()


def processed(processor: Processor, *raw: SensorData) -> list[SensorData]:
    """Return the readings that come out."""
    return readings_in(processor.transform([raw_record(reading) for reading in raw]))


def letters_in(outputs: list[Outgoing]) -> list[DeadLetter]:
    """Return the dead letters among outputs."""
    return [DeadLetter.from_json(o.value or b"") for o in outputs if o.topic == Topics.DEAD_LETTERS]


def quality_of(processor: Processor, **raw: object) -> Quality:
    """Return what the gates say of one reading."""
    [reading] = processed(processor, make_reading(**raw))  # type: ignore[arg-type]
    assert reading.quality is not None
    return reading.quality


def test_ordinary_reading_is_good_and_keeps_what_it_was(processor: Processor) -> None:
    """Everything but the judgement travels on unchanged."""
    raw = make_reading(boot_id="b7", sequence=9, clock_synced=False, origin="simulated")

    [reading] = processed(processor, raw)

    expected = {**raw.to_dict(), "raw_value": 21.5, "quality": {"verdict": "good", "check": None, "why": None}}
    assert reading.to_dict() == expected


def test_outputs_are_keyed_by_zone_and_mirror_the_correlation_id(processor: Processor) -> None:
    """Readers find a zone in one partition, and a trace without decoding."""
    outputs = processor.transform([raw_record(make_reading())])

    assert outputs[0].topic == Topics.TEMPERATURE.processed
    assert outputs[0].key == "box"
    assert outputs[0].headers["correlation_id"] == f"air-t@{NOW}".encode()


def test_counts_become_water_content_by_the_sensors_calibration(processor: Processor) -> None:
    """The raw count stays beside the value, with the calibration's version."""
    [reading] = processed(processor, make_reading("soil", "soil_moisture", 460, unit="count", plant_id="basil"))

    assert reading.value == pytest.approx(0.135)
    assert (reading.unit, reading.raw_value, reading.calibration) == ("m3/m3", 460.0, 4)


def test_fahrenheit_becomes_celsius(processor: Processor) -> None:
    """Units are made one, the value as it came is kept."""
    [reading] = processed(processor, make_reading(value=77.0, unit="degF"))

    assert reading.value == pytest.approx(25.0)
    assert (reading.unit, reading.raw_value) == ("degC", 77.0)


@pytest.mark.parametrize(
    ("raw", "verdict", "check"),
    [
        ({"value": 200.0}, "bad", "value_range"),
        ({"value": -41.0}, "bad", "value_range"),
        ({"sensor_id": "air-h", "data_type": "humidity", "value": 100.5}, "bad", "value_range"),
        ({"sensor_id": "soil", "data_type": "soil_moisture", "value": 65535, "unit": "count"}, "bad", "value_range"),
        ({"sensor_id": "soil", "data_type": "soil_moisture", "value": 20, "unit": "count"}, "bad", "value_range"),
        ({"sensor_id": "soil", "data_type": "soil_moisture", "value": 1010, "unit": "count"}, "suspect", "calibrated"),
        ({"sensor_id": "new", "data_type": "soil_moisture", "value": 600, "unit": "count"}, "bad", "calibrated"),
        ({"timestamp": "2049-01-01T00:00:00Z"}, "bad", "clock_time"),
        ({"timestamp": NOW + 301}, "bad", "clock_time"),
        ({"timestamp": "2000-01-01T00:00:00Z"}, "bad", "clock_time"),
        ({"sensor_id": "stranger"}, "suspect", "known_sensor"),
    ],
)
def test_impossible_readings_are_kept_with_a_verdict(
    processor: Processor, raw: dict[str, object], verdict: str, check: str
) -> None:
    """Decodable and impossible: judged, with the gate's name and a reason, never dropped."""
    quality = quality_of(processor, **raw)

    assert (quality.verdict, quality.check) == (verdict, check)
    assert quality.why


def test_uncalibrated_count_keeps_its_raw_value(processor: Processor) -> None:
    """A count that nobody can read yet stays a count."""
    [reading] = processed(processor, make_reading("new", "soil_moisture", 600, unit="count"))

    assert (reading.value, reading.unit, reading.raw_value, reading.calibration) == (600.0, "count", 600.0, None)


@pytest.mark.parametrize(("origin", "is_late"), [("live", True), ("backfill", False), ("replay", False)])
def test_only_a_live_reading_can_be_late(processor: Processor, origin: str, is_late: bool) -> None:
    """History is old by nature; a live reading that comes an hour later is late."""
    [reading] = processed(processor, make_reading(timestamp=NOW - 3600, origin=origin))

    assert reading.late is is_late


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"\x00\xff garbage", "is not JSON"),
        (b"", "is not JSON"),
        (b"[1, 2]", "must be an object"),
        (b'{"sensor_id": "air-t"}', "data_type: is missing"),
        (make_reading().to_json().replace(b"21.5", b"NaN"), "value: must be a finite number"),
        (make_reading().to_json().replace(b"21.5", b"true"), "value: must be a number"),
        (make_reading().to_json().replace(b"21.5", b'"warm"'), "value: must be a number"),
        (make_reading().to_json().replace(b'"degC"', b'"parsec"'), "unit: must be one of"),
        (make_reading().to_json().replace(b'"degC"', b'"lux"'), "unit: lux is no unit of temperature"),
        (make_reading("air-h", "humidity", 50).to_json(), "data_type: is humidity"),
        (None, "tombstone"),
    ],
)
def test_unreadable_record_becomes_a_dead_letter_and_the_batch_goes_on(
    processor: Processor, value: bytes | None, words: str
) -> None:
    """One bad record costs its neighbours nothing, and its reason names the field."""
    outputs = list(processor.transform([raw_record(make_reading()), raw_bytes(value), raw_record(make_reading())]))

    [letter] = letters_in(outputs)
    assert words in letter.why
    assert letter.reason == "undecodable"
    assert len(readings_in(outputs)) == 2


def test_vapour_pressure_deficit_joins_temperature_and_humidity(processor: Processor) -> None:
    """The derived reading names both parents and has an id of its own, the same at every run."""
    *_measured, vpd = processed(
        processor, make_reading(value=25.0), make_reading("air-h", "humidity", 50.0, timestamp=NOW)
    )

    assert (vpd.sensor_id, vpd.data_type, vpd.unit, vpd.timestamp) == ("box/vpd", Quantity.VPD, "kPa", NOW)
    assert vpd.value == pytest.approx(vapour_pressure_deficit_kpa(25.0, 50.0))
    assert vpd.caused_by == (f"air-t@{NOW}", f"air-h@{NOW}")


def test_deficit_is_as_good_as_the_worse_of_its_parents(processor: Processor) -> None:
    """Doubt is inherited, with its reason."""
    *_measured, vpd = processed(processor, make_reading("stranger"), make_reading("air-h", "humidity", 50.0))

    assert vpd.quality is not None
    assert (vpd.quality.verdict, vpd.quality.check) == ("suspect", "known_sensor")


@pytest.mark.parametrize(
    "humidity",
    [
        {"value": 150.0},
        {"value": 50.0, "origin": "replay"},
        {"value": 50.0, "zone_id": "shelf"},
        {"value": 50.0, "plant_id": "basil"},
        {"value": 50.0, "timestamp": NOW - 31},
    ],
)
def test_what_does_not_belong_together_gives_no_deficit(processor: Processor, humidity: dict[str, object]) -> None:
    """A bad parent, another origin, zone, plant or instant: nothing is derived."""
    found = processed(processor, make_reading(), make_reading("air-h", "humidity", **humidity))  # type: ignore[arg-type]

    assert [reading.data_type for reading in found] == ["temperature", "humidity"]


def test_half_a_pair_survives_a_restart(make: Make) -> None:
    """What waits for its counterpart lies in the state topic."""
    outputs = make().transform([raw_record(make_reading(value=25.0))])
    state = [Record(o.topic, 0, i, o.key, o.value, {}, NOW) for i, o in enumerate(outputs) if "state" in o.topic]
    heir = make()

    heir.restore(state)
    *_measured, vpd = processed(heir, make_reading("air-h", "humidity", 50.0))

    assert vpd.data_type is Quantity.VPD


def test_state_is_written_only_when_it_changed(processor: Processor) -> None:
    """What nobody can read says nothing of a zone; its batch carries no state."""
    outputs = processor.transform([raw_bytes(b"garbage")])

    assert [output.topic for output in outputs] == [Topics.DEAD_LETTERS]


def test_unreadable_state_begins_anew(processor: Processor) -> None:
    """A state of garbage must not stop the stream."""
    processor.restore([Record(Topics.STATE_PROCESSING, 0, 0, "box", b"garbage", {}, NOW)])

    assert len(processed(processor, make_reading(), make_reading("air-h", "humidity", 50.0))) == 4


@given(st.data())
def test_order_repetition_and_batches_change_no_result(data: st.DataObject) -> None:
    """However the two topics interleave, repeat and are cut into batches, the same readings come out."""
    messaging, clock = MemoryMessaging(), ManualClock()
    register(messaging, make_descriptor("air-t"), make_descriptor("air-h", "humidity"))
    times = [NOW - 100 * i for i in range(12, 0, -1)]
    sides = [
        [make_reading(value=20 + i, timestamp=at, origin="backfill") for i, at in enumerate(times)],
        [
            make_reading("air-h", "humidity", 50 + i, timestamp=at + i % 3, origin="backfill")
            for i, at in enumerate(times)
        ],
    ]
    in_turn = [raw_record(reading) for side in sides for reading in side]
    mixed: list[Record] = []
    queues = [list(in_turn[:12]), list(in_turn[12:])]
    while any(queues):
        mixed.append(data.draw(st.sampled_from([queue for queue in queues if queue])).pop(0))
        if data.draw(st.integers(0, 4)) == 0:
            mixed.append(mixed[-1])
    cut = data.draw(st.integers(0, len(mixed)))

    def run(*batches: list[Record]) -> set[bytes]:
        processor = Processor(SensorBook(messaging, clock), clock)
        processor.restore([])
        return {msgspec.json.encode(r) for batch in batches for r in readings_in(processor.transform(batch))}

    assert run(mixed[:cut], mixed[cut:]) == run(in_turn)


def test_picture_is_described_by_its_content(processor: Processor) -> None:
    """The JPEG stays in the raw record; what goes on is its hash, size and address."""
    frame = CameraFrame(
        sensor_id="cam", zone_id="box", timestamp=NOW, correlation_id="c1", width=640, height=480, flags=("dark",)
    )

    [output] = processor.transform([raw_bytes(JPEG, Topics.CAMERA_IMAGE.raw, **frame_headers(frame))])

    described = CameraFrame.from_json(output.value or b"")
    assert described.url == f"/frames/{described.sha256}.jpg"
    assert (described.size_bytes, described.flags, described.width) == (len(JPEG), ("dark",), 640)


@pytest.mark.parametrize(
    ("value", "spoilt", "words"),
    [
        (b"GIF89a", {}, "is no JPEG"),
        (JPEG[:-2], {}, "is no JPEG"),
        (None, {}, "is no JPEG"),
        (JPEG, {"width": b"wide"}, "width"),
        (JPEG, {"sensor_id": b"\xff"}, "sensor_id"),
        (JPEG, {"flags": b"{"}, "flags"),
    ],
)
def test_what_is_no_picture_becomes_a_dead_letter(
    processor: Processor, value: bytes | None, spoilt: dict[str, bytes], words: str
) -> None:
    """Cut, foreign or badly described pictures are kept aside with a reason."""
    frame = CameraFrame(sensor_id="cam", zone_id="box", timestamp=NOW, correlation_id="c1", width=640, height=480)

    outputs = list(
        processor.transform([raw_bytes(value, Topics.CAMERA_IMAGE.raw, **{**frame_headers(frame), **spoilt})])
    )

    [letter] = letters_in(outputs)
    assert words in letter.why


@pytest.mark.parametrize(
    ("moment", "origin", "verdict"),
    [
        (1_388_534_400.0, Origin.REPLAY, Verdict.GOOD),  # an archive of 2014
        (1_388_534_400.0, Origin.LIVE, Verdict.BAD),
        (946_684_800.0, Origin.REPLAY, Verdict.BAD),  # a logger that began anew at 2000
    ],
)
def test_old_times_are_believed_of_archives_alone(moment: float, origin: Origin, verdict: Verdict) -> None:
    """A replayed file may be older than the product; a live clock may not."""
    sample = Sample(Quantity.TEMPERATURE, 20.0, Unit.DEGREE_CELSIUS, 20.0, moment, 1_800_000_000.0, True, None, origin)

    assert judge(sample).verdict is verdict


def test_a_raw_value_that_is_given_stays(processor: Processor) -> None:
    """An inverted replay brings the file's own number along."""
    [reading] = processed(processor, make_reading("air-t", raw_value=79.0))

    assert reading.raw_value == 79.0


def test_a_doubt_of_the_sensor_itself_stays(processor: Processor) -> None:
    """A saturated light sensor knows best; a `good` from outside proves nothing."""
    doubt = Quality(verdict=Verdict.SUSPECT, check="saturation", why="the sensor is at the end of its range")
    praise = Quality(verdict=Verdict.GOOD)

    [saturated] = processed(processor, make_reading("lux", "light_intensity", 54_612.5, quality=doubt))
    [impossible] = processed(processor, make_reading("air-t", value=200.0, quality=praise))

    assert saturated.quality == doubt
    assert impossible.quality is not None
    assert impossible.quality.verdict is Verdict.BAD


@pytest.mark.parametrize("garbage", [b"{}", b"[" * 200_000, b"\xff"])
def test_garbage_in_the_registry_or_the_state_stops_no_reading(
    messaging: MemoryMessaging, clock: ManualClock, garbage: bytes
) -> None:
    """Both are kept for ever: one bad record must not be met again at every start."""
    register(messaging, make_descriptor("air-t"))
    messaging.publish(Topics.REGISTRY, garbage, key="sensor:air-t")
    processor = Processor(SensorBook(messaging, clock), clock)
    processor.restore([Record(Topics.STATE_PROCESSING, 0, 0, "box", garbage, {}, NOW)])

    [reading] = processed(processor, make_reading("air-t"))

    assert reading.quality == Quality(verdict=Verdict.GOOD)
