"""Messages as `fuzz.py` throws them: valid, mutated and hostile ones of every kind, by a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dt.communication.frames import frame_headers
from dt.communication.messaging import Outgoing
from dt.communication.topics import Topics
from dt.utils.dataclasses import CameraFrame
from dt.utils.ids import new_correlation_id
from dt.utils.quantities import QUANTITIES, Quantity
from dt.utils.secrets import sign

_GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden"
_JPEG = b"\xff\xd8\xff\xe0" + bytes(64) + b"\xff\xd9"
_KNOWN = 40  # sensors that come again and again; a hostile id is always a new one
_YEAR_2049, _YEAR_1970 = 2_500_000_000.0, 1.0
_RAW_TEXTS = (
    *(b"", b"null", b"[]", b"{}", b"1e999", b'"text"', b"\x00", b"\xff\xfe{}", b"{not json", b"true", b"[" * 50_000),
    *(b'{"a":' * 2_000, b'{"value": NaN}', b'{"sensor_id": "a", "sensor_id": "b"}', b"\xef\xbb\xbf{}"),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 10**30, -(10**400), 2**63, 2**64, -(2**63), 1e308, -1e308, 5e-324, -0.0),
    *(
        "",
        " ",
        "x" * 8_192,
        "x" * 8_193,
        "\x00",
        "a\x00b",
        "\u202e",
        "\ud800",
        "|",
        "a|b|c",
        "../../etc/passwd",
        "%s%n",
    ),
    *("'; DROP TABLE readings; --", "<script>", "NaN", "Infinity", "1e999", "12", "2049-01-01T00:00:00Z", "٣"),
    *([], {}, [[]], [None], ["x"] * 200, {"a": {"b": {}}}, [1, "2", None], {"": ""}, [1e308, -1e308]),
    *(float("nan"), float("inf"), -float("inf"), _YEAR_2049, _YEAR_1970, 253_402_300_799.0, 1e15, -5.0),
)
_DERIVED = tuple(quantity for quantity, spec in QUANTITIES.items() if spec.is_derived)
_MEASURED = tuple(q for q, spec in QUANTITIES.items() if not spec.is_derived and q is not Quantity.CAMERA_IMAGE)


class Messages:
    """Gives one record after the other; `now` is what the house's clock shows."""

    def __init__(self, seed: int, token: str, now: Callable[[], float]) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - a fuzz must be repeatable
        self._token = token
        self._now = now
        self._golden: Mapping[str, dict[str, Any]] = {
            path.name.split(".")[0]: json.loads(path.read_text("utf-8")) for path in sorted(_GOLDEN.glob("*.json"))
        }
        self._number = 0
        self._makers, self._weights = zip(
            *(
                (self._raw, 40),
                (self._processed, 22),
                (self._picture, 1),
                (self._of("AlertCondition", Topics.ALERT_CONDITIONS), 8),
                (self._of("AlertEvent", Topics.ALERTS), 4),
                (self._of("ActionCommand", Topics.ACTIONS), 5),
                (self._of("ActionResult", Topics.ACTION_RESULTS), 4),
                (self._of("Prediction", Topics.PREDICTIONS), 3),
                (self._of("HealthReport", Topics.HEALTH), 4),
                (self._of("GapNotice", Topics.GAPS), 3),
                (self._of("DeadLetter", Topics.DEAD_LETTERS), 2),
                (self._of("RegistryRecord", Topics.REGISTRY), 2),
                (self._state, 1),
            ),
            strict=True,
        )
        self._ways: tuple[tuple[Callable[[dict[str, Any]], bytes | None], int], ...] = (
            (_plain, 45),
            (self._one_field, 25),
            (self._flipped, 10),
            (self._cut, 8),
            (self._fields_out, 4),
            (self._foreign, 4),
            (lambda _data: None, 2),
            (self._twice_a_key, 1),
            (self._noise, 1),
        )
        self._way_list = [way for way, _weight in self._ways]
        self._way_weights = [weight for _way, weight in self._ways]

    def next(self) -> Outgoing:
        """Return one more record."""
        self._number += 1
        [make] = self._chance.choices(self._makers, self._weights)
        made: Outgoing = make()
        if self._chance.random() < 0.03:
            made = Outgoing(made.topic, made.value, made.key, self._headers(made.headers))
        if self._chance.random() < 0.00005:
            made = Outgoing(made.topic, b'{"sensor_id":"' + b"x" * 1_000_000 + b'"}', made.key, made.headers)
        return made

    def _raw(self) -> Outgoing:
        quantity = self._chance.choice(_MEASURED)
        data = self._reading(quantity)
        for name in ("quality", "raw_value", "calibration", "caused_by"):
            data.pop(name)
        return Outgoing(Topics.of(quantity).raw, self._spoilt(data), self._key(data), {"origin": b"live"})

    def _processed(self) -> Outgoing:
        quantity = self._chance.choice((*_MEASURED, *_DERIVED))
        data = self._reading(quantity)
        return Outgoing(Topics.of(quantity).processed, self._spoilt(data), self._key(data), {"origin": b"live"})

    def _reading(self, quantity: Quantity) -> dict[str, Any]:
        spec, whim = QUANTITIES[quantity], self._chance.random()
        number = self._chance.randrange(_KNOWN)
        at = self._time()
        zone = f"zone{number % 4}" if whim > 0.06 else self._hostile("zone")
        return {
            **self._golden["SensorData"],
            "sensor_id": f"fuzz{number}" if 0.03 < whim < 0.9 else self._hostile("sensor"),
            "data_type": quantity.value,
            "unit": spec.unit.value,
            "value": round(self._chance.uniform(spec.low, spec.high), 3),
            "timestamp": at,
            "correlation_id": new_correlation_id(at),
            "zone_id": zone,
            "plant_id": self._chance.choice((None, "basil", f"plant{number}", self._hostile("plant"))),
            "boot_id": self._chance.choice(("b1", "b2", "", self._hostile("boot"))),
            "sequence": self._chance.choice((self._number, 0, 2**62, self._chance.randrange(1000))),
            "origin": self._chance.choice(("live", "live", "live", "backfill", "replay", "simulated")),
        }

    def _of(self, kind: str, topic: str) -> Callable[[], Outgoing]:
        def make() -> Outgoing:
            data = {**self._golden[kind], "timestamp": self._time()}
            for name in ("alert_id", "key", "action_id", "prediction_id", "correlation_id", "service", "record_id"):
                if name in data and self._chance.random() < 0.6:
                    data[name] = self._hostile(name)
            value = self._spoilt(data)
            headers = {}
            if topic == Topics.ACTIONS and value is not None and self._chance.random() < 0.5:
                headers["hmac"] = sign(value, self._token)
            return Outgoing(topic, value, self._key(data), headers)

        return make

    def _picture(self) -> Outgoing:
        frame = CameraFrame.from_dict({**self._golden["CameraFrame"], "url": None, "sha256": None})
        headers = dict(frame_headers(frame))
        value = self._chance.choice((_JPEG, _JPEG, b"no picture", None, b"\xff\xd8\xff" + self._chance.randbytes(50)))
        return Outgoing(Topics.CAMERA_IMAGE.raw, value, frame.zone_id, headers)

    def _state(self) -> Outgoing:
        topic = self._chance.choice((Topics.STATE_PROCESSING, Topics.STATE_AI))
        value = self._chance.choice(
            (*_RAW_TEXTS, None, self._chance.randbytes(80), b'{"airs": {"a": 1}}', b'{"plants": 5}')
        )
        return Outgoing(topic, value, f"zone{self._chance.randrange(8)}", {})

    def _spoilt(self, data: dict[str, Any]) -> bytes | None:
        [way] = self._chance.choices(self._way_list, self._way_weights)
        return way(data)

    def _one_field(self, data: dict[str, Any]) -> bytes:
        name = self._chance.choice(list(data))
        return _plain({**data, name: self._chance.choice(_VALUES)})

    def _fields_out(self, data: dict[str, Any]) -> bytes:
        return _plain({name: value for name, value in data.items() if self._chance.random() < 0.9})

    def _flipped(self, data: dict[str, Any]) -> bytes:
        text = bytearray(_plain(data))
        for _ in range(self._chance.randint(1, 8)):
            text[self._chance.randrange(len(text))] ^= 1 << self._chance.randrange(8)
        return bytes(text)

    def _cut(self, data: dict[str, Any]) -> bytes:
        text = _plain(data)
        return text[: self._chance.randrange(len(text))]

    def _foreign(self, _data: dict[str, Any]) -> bytes:
        """Another kind's message, or none at all."""
        if self._chance.random() < 0.5:
            return _plain(self._golden[self._chance.choice(list(self._golden))])
        return self._chance.choice(_RAW_TEXTS)

    def _twice_a_key(self, data: dict[str, Any]) -> bytes:
        name = self._chance.choice(list(data))
        return _plain(data)[:-1] + b"," + _plain({name: self._chance.choice(_VALUES)})[1:]

    def _noise(self, _data: dict[str, Any]) -> bytes:
        return self._chance.randbytes(self._chance.randrange(200))

    def _headers(self, headers: Mapping[str, bytes]) -> dict[str, bytes]:
        name = self._chance.choice(("origin", "schema", "traceparent", "correlation_id", "hmac", "x" * 300))
        return {**headers, name: self._chance.choice((b"", b"\xff\xfe", b"replay", b"9" * 300, b"live"))}

    def _key(self, data: Mapping[str, Any]) -> str | None:
        return self._chance.choice((str(data.get("zone_id") or "zone0"),) * 8 + (None, "\x00", "k" * 500))

    def _time(self) -> float:
        whim = self._chance.random()
        if whim < 0.85:
            return round(self._now() - self._chance.random() * 30.0, 3)
        if whim < 0.95:
            return round(self._now() - self._chance.random() * 86_400.0 * 30, 3)
        return self._chance.choice((_YEAR_2049, _YEAR_1970, 0.0, 946_684_800.0, 253_402_300_799.0, self._now() + 3e3))

    def _hostile(self, what: str) -> str:
        """Return an id that never came before."""
        tail = self._chance.choice(("", "|live", "/vpd", "\x00", "ä", "x" * 200, "x" * 4_000))
        return f"{what}-{self._number}{tail if self._chance.random() < 0.05 else ''}"


def _plain(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, default=str).encode("utf-8", "surrogatepass")
