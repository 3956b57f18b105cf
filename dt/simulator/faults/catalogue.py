"""One table of the faults: what each is, where it acts, its parameters with their limits, where it was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dt.utils.quantities import Quantity

HOST = "host"  # the target of faults of the machine that the collector runs on

Value = float | str


class Place(StrEnum):
    """Where a fault acts."""

    CHIP = "the chip's answer"
    SOIL = "the soil around the probe"
    SENSED = "what the chip senses"
    DEVICE = "the device"
    CAMERA = "the camera"
    MACHINE = "the machine that the collector runs on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A number within limits, or one word of several."""

    name: str
    default: Value
    what: str
    low: float = 0.0
    high: float = 0.0
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSpec:
    """One row of the table; `kinds` are those of the sensors or actuators that can have the fault.

    `quantity` is the one that it falsifies; None: that of its target, or all of the chip.
    """

    fault: str
    what: str
    place: Place
    kinds: frozenset[str]
    seen_in: str
    parameters: tuple[Parameter, ...] = ()
    quantity: Quantity | None = None


def _share(default: float, what: str) -> Parameter:
    return Parameter(name="share", default=default, what=what, low=0.0, high=1.0)


def _mode(*words: str, what: str = "what happens") -> Parameter:
    return Parameter(name="mode", default=words[0], what=what, words=words)


ANY_SENSOR = "any sensor but a camera"
ANY_I2C = "any sensor on I2C"
_SEESAW, _DHT22, _BH1750 = frozenset({"seesaw"}), frozenset({"dht22"}), frozenset({"bh1750"})
_PUMP, _CAMERA, _HOST = frozenset({"pump"}), frozenset({"camera"}), frozenset({HOST})
_LAMPS = frozenset({"lamp", "light"})

F13_MODES = ("welded", "never_closes", "dry", "blocked", "siphon", "leak")
F14_MODES: Mapping[str, str] = {"heater": "stuck", "fan": "blocked", "lamp": "dead", "light": "dead"}

_ROWS = (
    FaultSpec(
        fault="F1",
        what="seesaw moisture 65535 now and then",
        place=Place.CHIP,
        kinds=_SEESAW,
        quantity=Quantity.SOIL_MOISTURE,
        seen_in="Adafruit_Blinka #84",
        parameters=(_share(0.2, "part of the answers that are 65535"),),
    ),
    FaultSpec(
        fault="F2",
        what="seesaw temperature stuck near 16383",
        place=Place.CHIP,
        kinds=_SEESAW,
        quantity=Quantity.SOIL_TEMPERATURE,
        seen_in="Adafruit_CircuitPython_seesaw #33",
    ),
    FaultSpec(
        fault="F3",
        what="seesaw answers about 20 instead of 600",
        place=Place.CHIP,
        kinds=_SEESAW,
        quantity=Quantity.SOIL_MOISTURE,
        seen_in="Adafruit_Seesaw #37",
        parameters=(
            Parameter(name="counts", default=20.0, what="counts that it answers", low=0.0, high=199.0),
            _share(1.0, "part of the answers that are so"),
        ),
    ),
    FaultSpec(
        fault="F4",
        what="DHT22 checksum fails on a part of the reads",
        place=Place.CHIP,
        kinds=_DHT22,
        seen_in="Adafruit_Python_DHT #14, Adafruit_CircuitPython_DHT #15",
        parameters=(_share(0.3, "part of the frames with a wrong bit"),),
    ),
    FaultSpec(
        fault="F5",
        what="DHT22 halved or doubled value with a valid checksum",
        place=Place.CHIP,
        kinds=_DHT22,
        seen_in="Adafruit_Python_DHT #14",
        parameters=(_mode("halved", "doubled"), _share(0.2, "part of the frames that are so")),
    ),
    FaultSpec(
        fault="F6",
        what='DHT22 "a full buffer was not returned", dead until powered off and on',
        place=Place.CHIP,
        kinds=_DHT22,
        seen_in="Adafruit_CircuitPython_DHT #33, Mycodo #501",
    ),
    FaultSpec(
        fault="F7",
        what="DHT22 all-zero frame, whose checksum is valid",
        place=Place.CHIP,
        kinds=_DHT22,
        seen_in="the protocol itself",
        parameters=(_share(0.3, "part of the frames that are all zero"),),
    ),
    FaultSpec(
        fault="F8",
        what="BH1750 saturated",
        place=Place.SENSED,
        kinds=_BH1750,
        quantity=Quantity.LIGHT_INTENSITY,
        seen_in="adafruit_bh1750 arithmetic: the default mode tops out at 27,306 lux",
        parameters=(
            Parameter(name="lux", default=150_000.0, what="light on the sensor, lux", low=27_306.0, high=500_000.0),
        ),
    ),
    FaultSpec(
        fault="F9",
        what="I2C device does not acknowledge, bus hangs, address clash",
        place=Place.CHIP,
        kinds=frozenset({ANY_I2C}),
        seen_in="Linux i2c (OSError 121, 110)",
        parameters=(
            _mode("no_acknowledge", "hang", "clash"),
            _share(1.0, "part of the transactions that suffer"),
            Parameter(name="hang_s", default=0.5, what="how long a hung bus blocks, s", low=0.0, high=2.0),
        ),
    ),
    FaultSpec(
        fault="F10",
        what="probe pulled out, air gap, moved, drifting after insertion",
        place=Place.SOIL,
        kinds=_SEESAW,
        quantity=Quantity.SOIL_MOISTURE,
        seen_in="b-parasite, NeverDry #126",
        parameters=(
            _mode("pulled_out", "air_gap", "moved", "drift"),
            Parameter(name="gap", default=0.4, what="part of the field that is in air", low=0.0, high=1.0),
            Parameter(name="depth", default=1.0, what="where to: 0 top layer, 1 bottom layer", low=0.0, high=1.0),
            Parameter(name="counts_per_day", default=40.0, what="drift, counts a day", low=-500.0, high=500.0),
        ),
    ),
    FaultSpec(
        fault="F11",
        what="stuck value, spike, offset jump, noise growing as soil dries",
        place=Place.SENSED,
        kinds=frozenset({ANY_SENSOR}),
        seen_in="ISMN flags (Dorigo 2013)",
        parameters=(
            _mode("stuck", "spike", "jump", "noise"),
            Parameter(name="size", default=0.3, what="of spike, jump, noise: part of the range", low=-1.0, high=1.0),
            _share(0.05, "part of the looks with a spike"),
        ),
    ),
    FaultSpec(
        fault="F12",
        what="temperature swing read as watering by a capacitive probe",
        place=Place.SOIL,
        kinds=_SEESAW,
        quantity=Quantity.SOIL_MOISTURE,
        seen_in="real garden logs",
        parameters=(
            Parameter(name="counts_per_k", default=8.0, what="temperature coefficient", low=-40.0, high=40.0),
            Parameter(
                name="swing_k", default=8.0, what="how much the sun warms the probe in a day", low=0.0, high=30.0
            ),
        ),
    ),
    FaultSpec(
        fault="F13",
        what="relay welded on, relay never closes, pump dry, line blocked, siphon, leak",
        place=Place.DEVICE,
        kinds=_PUMP,
        seen_in="TerrariumPI #142 and #776, IrrigationPi #11",
        parameters=(_mode(*F13_MODES),),
    ),
    FaultSpec(
        fault="F14",
        what="heater stuck, fan blocked, lamp dead",
        place=Place.DEVICE,
        kinds=frozenset({"heater", "fan"}) | _LAMPS,
        seen_in="TerrariumPI #776",
        parameters=(_mode("own", "stuck", "blocked", "dead", what="own: what its kind of device does"),),
    ),
    FaultSpec(
        fault="F15",
        what="broker, database, or network away for hours; slow; half-open",
        place=Place.MACHINE,
        kinds=_HOST,
        seen_in="telegraf #802, ESPHome feature request #733",
        parameters=(
            _mode("away", "slow", "half_open"),
            Parameter(name="what", default="network", what="what is so", words=("network", "broker", "database")),
            Parameter(name="delay_s", default=2.0, what="of slow and half_open, s", low=0.0, high=60.0),
        ),
    ),
    FaultSpec(
        fault="F16",
        what="clock jumps to 2000 or 2049, daylight saving, duplicates, out-of-order",
        place=Place.MACHINE,
        kinds=_HOST,
        seen_in="field loggers",
        parameters=(
            _mode("jump", "daylight_saving", "duplicates", "out_of_order"),
            Parameter(name="year", default=2000.0, what="where the clock jumps to", low=1970.0, high=2100.0),
            Parameter(name="hours", default=1.0, what="of daylight saving", low=-2.0, high=2.0),
            _share(0.3, "part of the records that come twice, or late"),
        ),
    ),
    FaultSpec(
        fault="F17",
        what="process killed at any instruction, power cut, disk full, file system read-only",
        place=Place.MACHINE,
        kinds=_HOST,
        seen_in="Mycodo #709, influxdb #23138",
        parameters=(
            _mode("kill", "power_cut", "disk_full", "read_only"),
            Parameter(name="within_s", default=1.0, what="of kill and power_cut: the instant is random", high=60.0),
        ),
    ),
    FaultSpec(
        fault="F18",
        what="camera dark, blurred, blocked, gone",
        place=Place.CAMERA,
        kinds=_CAMERA,
        seen_in="cameras in the field",
        parameters=(_mode("dark", "blurred", "blocked", "gone"),),
    ),
)

CATALOGUE: Mapping[str, FaultSpec] = {row.fault: row for row in _ROWS}
