"""Sensors of kind mqtt without a broker: options, payloads as ESPHome and Tasmota send them, and what a look gives."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dt.collector.kinds import KINDS, load_kind
from dt.collector.kinds.base_sensor import Arrival, Stamp
from dt.collector.kinds.mqtt import Mailbox, MqttSensor, MqttTemperature
from dt.collector.kinds.mqtt_options import MqttOptions, parse_path
from dt.collector.kinds.mqtt_payload import MOST_BYTES, PayloadError, decode, epoch, find, number, plain_number
from dt.collector.main import create_service
from dt.communication.memory import MemoryMessaging
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import ConfigError, SensorError
from dt.utils.quantities import QUANTITIES, Quantity, Unit

NOW = 1_800_000_000.0
TOPIC = "shelf/sensor/air/state"
SENSOR = "tele/bench/SENSOR"
LWT = "tele/bench/LWT"
# As Tasmota's documentation shows a DHT22 (AM2301) on a device whose zone is its own.
TASMOTA = '{"Time":"2027-01-15T09:00:00","AM2301":{"Temperature":71.6,"Humidity":58.6,"DewPoint":9.3},"TempUnit":"F"}'


class Post:
    """Messages by hand, to whoever listens."""

    def __init__(self) -> None:
        self.why_not = ""
        self.counts: Counter[str] = Counter()
        self._listeners: dict[str, Callable[[Arrival], None]] = {}

    def listen(self, topic: str, hear: Callable[[Arrival], None]) -> None:
        self._listeners[topic] = hear

    def unlisten(self, topic: str, hear: Callable[[Arrival], None]) -> None:
        if self._listeners.get(topic) == hear:
            del self._listeners[topic]

    def start(self) -> None:
        """Need no connection."""

    def count(self, topic: str, what: str) -> None:
        self.counts[what] += 1

    def bring(self, topic: str, payload: str, **more: Any) -> None:
        self._listeners[topic](Arrival(payload.encode(), more.pop("at", NOW), **more))


def descriptor(quantity: Quantity = Quantity.TEMPERATURE, every_s: float = 60.0, **options: Any) -> SensorDescriptor:
    """Return a row of the rig file."""
    return SensorDescriptor(
        sensor_id="air", zone_id="box", data_type=quantity, kind="mqtt", read_interval=every_s,
        options={"topic": TOPIC, **options},
    )  # fmt: skip


def thermometer(row: SensorDescriptor, post: Post) -> MqttTemperature:
    """Return the sensor of a row."""
    return MqttTemperature(row, Mailbox(row, post))


@pytest.fixture
def post() -> Post:
    """Return where messages come from."""
    return Post()


def test_every_plain_quantity_can_come_by_mqtt() -> None:
    """One row of the table each, of one file."""
    quantities = {quantity for kind, quantity in KINDS if kind == "mqtt"}

    measured = {quantity for quantity, spec in QUANTITIES.items() if not spec.is_derived}
    assert quantities == measured - {Quantity.CAMERA_IMAGE}
    for quantity in quantities:
        kind = load_kind(descriptor(quantity))
        assert issubclass(kind, MqttSensor)
        assert kind.quantity is quantity


def test_a_number_of_esphome_is_a_reading_at_its_arrival(post: Post) -> None:
    """The state topic of a sensor carries the bare number."""
    sensor = thermometer(descriptor(), post)
    post.bring(TOPIC, "23.40", at=NOW - 3.0)

    raw = sensor.read_sensor()
    reading = sensor.process_data(raw, Stamp(timestamp=raw.taken_at or 0, correlation_id="c", boot_id="b", sequence=7))

    assert (reading.value, reading.unit, reading.timestamp) == (23.4, Unit.DEGREE_CELSIUS, NOW - 3.0)
    assert (reading.sensor_id, reading.sequence) == ("air", 7)


def test_a_value_of_tasmotas_json_keeps_its_unit_and_its_own_time(post: Post) -> None:
    """Processing converts the unit, as that of every other sensor; the time without a zone is in the device's."""
    at = epoch("2027-01-15T09:00:00", ZoneInfo("Europe/Rome"), 2e9)
    options = {"topic": SENSOR, "json": "AM2301.Temperature", "unit": "degF", "time": "Time", "timezone": "Europe/Rome"}
    sensor = thermometer(descriptor(**options), post)
    post.bring(SENSOR, TASMOTA, at=at + 2.5)

    raw = sensor.read_sensor()
    reading = sensor.process_data(raw, Stamp(timestamp=raw.taken_at or 0, correlation_id="c", boot_id="b", sequence=0))

    assert (reading.value, reading.unit, reading.timestamp) == (71.6, Unit.DEGREE_FAHRENHEIT, at)
    assert at == epoch("2027-01-15T08:00:00Z", ZoneInfo("UTC"), 2e9)


def test_a_scale_and_an_offset_are_applied_before_the_unit(post: Post) -> None:
    """For devices that send tenths of a degree, say."""
    sensor = thermometer(descriptor(scale=0.1, offset=-1.5), post)
    post.bring(TOPIC, "234")

    assert sensor.read_sensor().value == pytest.approx(21.9)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ("nan", "is nan: the device has no value"),
        ("unavailable", "is no number but 'unavailable'"),
        ("", "is no number but ''"),
        ("1e999", "is inf"),
        ("1_000", "is no number but '1_000'"),
        ('{"value": 3}', "for JSON, set the option json"),
        ("1" * 100_000, "has 100000 bytes, more than 65536"),
    ],
)
def test_what_is_no_number_is_an_error_that_names_topic_and_why(post: Post, payload: str, why: str) -> None:
    """It is counted, and the next message is taken as ever."""
    sensor = thermometer(descriptor(), post)
    post.bring(TOPIC, payload)

    with pytest.raises(SensorError) as caught:
        sensor.read_sensor()
    post.bring(TOPIC, "20")

    assert str(caught.value).startswith(f"{TOPIC}: ")
    assert why in str(caught.value)
    assert post.counts["refused"] == 1
    assert sensor.read_sensor().value == 20.0


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ("not json", "is no JSON"),
        ('{"AM2301": 3}', "has no 'Temperature' in AM2301"),
        ('{"BME280": {}}', "has no 'AM2301' in the payload"),
        ('{"AM2301":{"Temperature":null}}', "is no number but 'None'"),
        ('{"AM2301":{"Temperature":true}}', "is no number but 'True'"),
        ("[" * 5000 + "]" * 5000, "JSON"),
    ],
)
def test_wrong_json_is_an_error_that_says_how_far_the_path_leads(post: Post, payload: str, why: str) -> None:
    """A person finds the typing error in the rig file by it."""
    sensor = thermometer(descriptor(json="AM2301.Temperature"), post)
    post.bring(TOPIC, payload)

    with pytest.raises(SensorError, match=why):
        sensor.read_sensor()


def test_retained_messages_never_pass_for_readings(post: Post) -> None:
    """They are of nobody knows when; ESPHome retains every value."""
    sensor = thermometer(descriptor(every_s=0.05), post)
    post.bring(TOPIC, "19.0", is_retained=True)

    with pytest.raises(SensorError, match=f"{TOPIC}: no message for"):
        sensor.read_sensor()
    assert post.counts["retained"] == 1


def test_of_several_messages_in_one_cadence_the_newest_counts(post: Post) -> None:
    """The others are counted."""
    sensor = thermometer(descriptor(every_s=0.05), post)
    for value in ("1", "2", "3"):
        post.bring(TOPIC, value)

    assert sensor.read_sensor().value == 3.0
    assert post.counts["thinned"] == 2
    with pytest.raises(SensorError, match="no message"):
        sensor.read_sensor()


def test_a_message_without_a_time_that_may_have_waited_too_long_is_left_out(post: Post) -> None:
    """The broker kept it while we were away, and nobody can say since when."""
    sensor = thermometer(descriptor(every_s=0.05, stale_after_s=60), post)
    post.bring(TOPIC, "1", may_have_waited_s=61.0)
    with pytest.raises(SensorError, match="no message"):
        sensor.read_sensor()
    post.bring(TOPIC, "2", may_have_waited_s=59.0)

    assert sensor.read_sensor().value == 2.0
    assert post.counts["undated"] == 1


def test_what_the_broker_kept_is_handed_out_whole_with_each_ones_time(post: Post) -> None:
    """The newest is the look's; those within one cadence are thinned all the same."""
    sensor = thermometer(descriptor(every_s=60, json="t", time="at"), post)
    for value, age_s in ((1, 300.0), (2, 240.0), (3, 238.0), (4, 180.0)):
        post.bring(TOPIC, f'{{"t": {value}, "at": {NOW - age_s}}}', may_have_waited_s=float("inf"))

    newest = sensor.read_sensor()

    assert (newest.value, newest.taken_at) == (4.0, NOW - 180.0)
    assert [(raw.value, raw.taken_at) for raw in sensor.earlier()] == [(1.0, NOW - 300.0), (3.0, NOW - 238.0)]
    assert not sensor.earlier()
    assert post.counts["thinned"] == 1


@pytest.mark.parametrize(
    ("sent_at", "why"),
    [
        (NOW - 200.0, "200 s old"),
        (NOW + 60.0, "60 s ahead"),
        (0.0, "old: more than 180 s"),
        (-5.0, "is no epoch second"),
    ],
)
def test_a_payloads_time_has_to_be_possible(post: Post, sent_at: float, why: str) -> None:
    """A device whose clock is wrong would put its values where they do not belong."""
    sensor = thermometer(descriptor(json="t", time="at"), post)
    post.bring(TOPIC, f'{{"t": 20, "at": {sent_at}}}')

    with pytest.raises(SensorError, match=why):
        sensor.read_sensor()


@pytest.mark.parametrize(
    "sent_at",
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59"],
)
def test_a_time_at_the_calendars_end_is_refused_as_every_other(post: Post, sent_at: str) -> None:
    """What cannot be told in UTC is counted, and the next message is taken."""
    sensor = thermometer(descriptor(json="t", time="at", timezone="Pacific/Kiritimati"), post)
    post.bring(TOPIC, f'{{"t": 20, "at": "{sent_at}"}}')
    with pytest.raises(SensorError, match=r"0001-01-01|9999-12-31"):
        sensor.read_sensor()
    assert post.counts["refused"] == 1

    post.bring(TOPIC, f'{{"t": 21, "at": {NOW}}}')
    assert sensor.read_sensor().value == 21.0


def test_a_value_that_its_scale_makes_infinite_does_not_replace_a_good_one(post: Post) -> None:
    """It is refused, and what waits goes on waiting."""
    sensor = thermometer(descriptor(scale=10), post)
    post.bring(TOPIC, "2.1")
    post.bring(TOPIC, "1e308")

    assert sensor.read_sensor().value == 21.0
    assert post.counts["refused"] == 1


def test_a_kept_message_with_a_time_of_its_own_is_taken_at_that_time(post: Post) -> None:
    """However long the collector was away."""
    sensor = thermometer(descriptor(json="t", time="at"), post)
    post.bring(TOPIC, f'{{"t": 20, "at": {NOW - 7200.0}}}', may_have_waited_s=float("inf"))

    assert sensor.read_sensor().taken_at == NOW - 7200.0


def test_an_hour_that_exists_twice_is_the_later_one_unless_that_is_still_to_come() -> None:
    """On 2026-10-25 the clocks of Rome go from 3:00 back to 2:00."""
    rome = ZoneInfo("Europe/Rome")
    earlier = epoch("2026-10-25T02:30:00+02:00", rome, 2e9)

    assert epoch("2026-10-25T02:30:00", rome, earlier + 5.0) == earlier
    assert epoch("2026-10-25T02:30:00", rome, earlier + 3605.0) == earlier + 3600.0


def test_a_device_that_is_offline_fails_at_once_and_says_so(post: Post) -> None:
    """Its last will is retained, and counts although it is."""
    sensor = thermometer(descriptor(topic=SENSOR, json="AM2301.Temperature", availability=LWT), post)
    post.bring(LWT, "Offline", is_retained=True)

    with pytest.raises(SensorError, match=f"{SENSOR}: the device is offline, says {LWT}"):
        sensor.read_sensor()
    post.bring(LWT, "Online")
    post.bring(SENSOR, TASMOTA)

    assert sensor.read_sensor().value == 71.6


def test_a_look_waits_for_the_message_and_can_be_ended(post: Post) -> None:
    """So a slow device has one reading per message, and a stop does not wait for it."""
    sensor = thermometer(descriptor(every_s=3600.0), post)
    values: list[float] = []
    look = threading.Thread(target=lambda: values.append(sensor.read_sensor().value))
    look.start()
    post.bring(TOPIC, "21")
    look.join(5.0)
    assert values == [21.0]
    ended: list[str] = []

    def wait() -> None:
        with pytest.raises(SensorError) as caught:
            sensor.read_sensor()
        ended.append(str(caught.value))

    look = threading.Thread(target=wait)
    look.start()
    sensor.interrupt()
    look.join(5.0)

    assert len(ended) == 1


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"topic": ""}, "topic: must be a text"),
        ({"topic": "tele/+/SENSOR"}, "topic: must be one topic"),
        ({"json": "a..b"}, "json: cannot be read from '..b' on"),
        ({"unit": "furlong"}, "unit: must be one of"),
        ({"unit": "lux"}, "unit: lux is no unit of temperature"),
        ({"scale": "ten"}, "scale: must be a number"),
        ({"stale_after_s": 0}, "stale_after_s: must be more than 0 s"),
        ({"timezone": "Mars/Olympus"}, "timezone: must be an IANA zone"),
    ],
)
def test_options_that_cannot_be_are_refused_by_sensor_and_name(options: dict[str, Any], why: str) -> None:
    """Before the collector starts."""
    with pytest.raises(ConfigError, match=f"sensor air: {why}"):
        MqttOptions.of(descriptor(**options))


def test_a_rig_with_a_wrong_row_or_no_broker_is_refused_with_its_line(
    settings: Settings, messaging: MemoryMessaging
) -> None:
    """Wrong use, told before anything is opened."""
    rig = settings.data_dir.parent / "rig.toml"
    row = '[zones.box]\n[[sensors]]\nid = "air"\nkind = "mqtt"\nquantity = "humidity"\nzone = "box"\nevery_s = 60\n'
    rig.write_text(row)
    own = settings.model_copy(update={"rig_file": rig})
    with pytest.raises(ConfigError, match=r"rig.toml:2: sensor air: topic: is missing"):
        create_service(own, messaging, SystemClock())
    rig.write_text(row + 'topic = "a/b"\n')

    with pytest.raises(ConfigError, match="MQTT_URL: is not set"):
        create_service(own, messaging, SystemClock())


def test_paths_and_numbers_are_read_strictly() -> None:
    """Brackets for what has dots or is a list."""
    content = decode(b'{"a.b": [{"c": "4.5"}], "d": 1}')

    assert number(find(content, parse_path('["a.b"][0].c'))) == 4.5
    for wrong in ('["a.b"][1].c', '["a.b"].c', "d.e", "d[0]"):
        with pytest.raises(PayloadError, match="has no"):
            find(content, parse_path(wrong))
    for text in ("", ".a", "a.", "a[x]", "a[1"):
        with pytest.raises(ValueError, match=r"cannot be read|is empty"):
            parse_path(text)
    with pytest.raises(PayloadError, match=f"more than {MOST_BYTES}"):
        plain_number(b"1" * (MOST_BYTES + 1))
