"""The chips, register by register, and what they make of the truth."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageStat

from dt.communication.wire_calls import NoAcknowledgeError
from dt.plant.species import species_of
from dt.simulator.box import Box
from dt.simulator.chips import camera
from dt.simulator.chips.bh1750 import Bh1750Chip
from dt.simulator.chips.dht22 import Dht22Chip, encode
from dt.simulator.chips.seesaw import SeesawChip
from dt.simulator.sensing import Senses, calibration_points, counts_from_vwc, vwc_from_counts
from dt.simulator.spec import LAMP, PLANT, ZONE, BoxSpec, LampSpec, PotSpec
from dt.utils.clock import ManualClock

NOON = 1_800_014_400.0
LONG_FRAME, ONE_MS = 200, 1000


def box(vwc: float = 0.4, lamp: float = 0.0) -> Box:
    """Return a box at noon, without a timer for its lamp."""
    a_box = Box(BoxSpec(pots=(PotSpec(initial_vwc=vwc),), lamps=(LampSpec(on_h=0.0, off_h=0.0),)), NOON)
    a_box.drive(LAMP, lamp)
    a_box.advance(NOON + 60.0)
    return a_box


def senses_of(a_box: Box) -> Senses:
    """Return a chip in the box's only pot."""
    return Senses.of(a_box, ZONE, PLANT)


def bits_of(pulses: list[int]) -> bytes:
    """Decode a frame as the datasheet says: a high of 26 us is 0, one of 70 us is 1."""
    highs = pulses[-80:-1:2] if len(pulses) % 2 == 0 else pulses[-80::2]
    value = 0
    for high in highs:
        value = value << 1 | (high > 48)
    return value.to_bytes(5, "big")


def test_counts_run_from_air_to_water() -> None:
    """About 300 in air, 1015 in water, and always more with more water."""
    counts = [counts_from_vwc(i / 100) for i in range(101)]

    assert counts[0] == pytest.approx(300.0)
    assert counts[-1] == pytest.approx(1015.0)
    assert counts == sorted(counts)


@given(st.floats(0.0, 0.75))
def test_counts_lead_back_to_the_water_content(vwc: float) -> None:
    """The nominal curve has an inverse."""
    assert vwc_from_counts(counts_from_vwc(vwc)) == pytest.approx(vwc, abs=1e-6)


def test_calibration_points_ascend() -> None:
    """A rig's calibration can be made of the nominal curve."""
    points = calibration_points()

    assert points == sorted(points)
    assert len({count for count, _ in points}) == len(points)


def test_probe_noise_grows_as_soil_dries() -> None:
    """The spread of many looks is larger in dry soil."""

    def spread(vwc: float) -> float:
        senses = senses_of(box(vwc))
        looks = [senses.moisture_counts() for _ in range(400)]
        mean = sum(looks) / len(looks)
        return sum((look - mean) ** 2 for look in looks)

    assert spread(0.10) > 1.5 * spread(0.45)


def test_warm_soil_reads_wetter() -> None:
    """The probe's temperature coefficient is positive: the trap of F12."""
    a_box = box()
    cool = senses_of(a_box).expected_counts()

    a_box.pots[PLANT].soil_degc += 10.0

    assert senses_of(a_box).expected_counts() == pytest.approx(cool + 8.0)


class Light:
    """A BH1750 with a clock of its own."""

    def __init__(self, a_box: Box) -> None:
        self.clock = ManualClock()
        self._chip = Bh1750Chip(senses_of(a_box), self.clock)

    def send(self, *opcodes: int) -> None:
        """Give orders."""
        for opcode in opcodes:
            self._chip.transfer(bytes([opcode]), 0)

    def read(self) -> int:
        """Return the counts in the register."""
        return int(struct.unpack(">H", self._chip.transfer(b"", 2))[0])

    def counts(self, opcode: int, after_s: float = 0.120) -> int:
        """Order a conversion, and read after a time."""
        self.send(opcode)
        self.clock.advance(after_s)
        return self.read()


def test_seesaw_answers_ones_from_an_unknown_register() -> None:
    """What nobody drives reads as ones, as on a real bus."""
    clock = ManualClock()
    chip = SeesawChip(senses_of(box()), clock)

    chip.transfer(b"\x01\x04", 0)
    clock.advance(0.01)

    assert chip.transfer(b"", 4) == b"\xff\xff\xff\xff"


def test_seesaw_reset_forgets_the_register() -> None:
    """A software reset makes the chip deaf for a while; then a read without a register gives nothing useful."""
    clock = ManualClock()
    chip = SeesawChip(senses_of(box()), clock)
    chip.transfer(b"\x0f\x10", 0)

    chip.transfer(b"\x00\x7f\xff", 0)
    with pytest.raises(NoAcknowledgeError):
        chip.transfer(b"\x0f\x10", 0)
    clock.advance(0.5)

    assert chip.transfer(b"", 2) == b"\xff\xff"


def test_seesaw_read_too_early_gives_ones() -> None:
    """The driver waits 5 ms between register and read, and needs to."""
    clock = ManualClock()
    chip = SeesawChip(senses_of(box()), clock)

    chip.transfer(b"\x0f\x10", 0)
    early = chip.transfer(b"", 2)
    clock.advance(0.005)

    assert early == b"\xff\xff"
    assert 300 < int.from_bytes(chip.transfer(b"", 2), "big") < 1024


def test_seesaw_below_zero_is_negative_fixed_point() -> None:
    """The register is signed; the driver masks its top bits, which is why its negative temperatures wrap."""
    a_box = box()
    a_box.pots[PLANT].soil_degc = -5.0

    clock = ManualClock()
    chip = SeesawChip(senses_of(a_box), clock)
    chip.transfer(b"\x00\x04", 0)
    clock.advance(0.01)

    [value] = struct.unpack(">i", chip.transfer(b"", 4))

    assert value / 65536 == pytest.approx(-5.0, abs=1.0)


def test_bh1750_is_dark_before_it_is_switched_on() -> None:
    """A chip that lost its power answers 0 until a mode is set."""
    chip = Bh1750Chip(senses_of(box(lamp=1.0)))

    assert chip.transfer(b"", 2) == b"\x00\x00"


def test_bh1750_saturates_at_16_bits() -> None:
    """Mode HIGH doubles the counts, so that it tops out at 27,306 lux."""
    a_box = box()
    light = Light(a_box)
    a_box.zones[ZONE].light_lux = 40_000.0

    high, mid = light.counts(0x11), light.counts(0x10)

    assert high == 0xFFFF
    assert mid / 1.2 == pytest.approx(40_000.0, rel=0.09)


def test_bh1750_one_time_mode_converts_once() -> None:
    """After a one-time conversion the chip sleeps and keeps its value."""
    a_box = box(lamp=1.0)
    light = Light(a_box)
    first = light.counts(0x20)

    a_box.zones[ZONE].light_lux = 0.0
    light.clock.advance(1.0)

    assert light.read() == first > 0


def test_bh1750_low_mode_has_steps_of_four() -> None:
    """L-resolution counts are multiples of four."""
    light = Light(box(lamp=1.0))

    values = {light.counts(0x13, after_s=0.016) for _ in range(20)}

    assert all(value % 4 == 0 for value in values)


@pytest.mark.parametrize("opcode", [0x10, 0x11, 0x20, 0x21])
@pytest.mark.parametrize("time", [31, 69, 254])
def test_bh1750_read_before_the_conversion_is_done_gives_the_old_value(opcode: int, time: int) -> None:
    """120 ms in the H modes, in proportion to the measurement time, which the sensitivity follows as well."""
    a_box = box()
    light = Light(a_box)
    a_box.zones[ZONE].light_lux = 2_000.0
    light.send(0x40 | time >> 5, 0x60 | time & 0x1F)
    takes_s = 0.120 * time / 69

    early = light.counts(opcode, after_s=0.9 * takes_s)
    light.clock.advance(0.2 * takes_s)

    per_lux = 1.2 * (2 if opcode & 0x01 else 1) * time / 69
    assert early == 0
    assert light.read() / per_lux == pytest.approx(2_000.0, rel=0.09)


def test_bh1750_goes_on_converting_in_a_continuous_mode() -> None:
    """A second read without another order is a new value; power down ends that, reset clears the register."""
    a_box = box()
    light = Light(a_box)
    a_box.zones[ZONE].light_lux = 1_000.0
    first = light.counts(0x10)
    a_box.zones[ZONE].light_lux = 3_000.0
    light.clock.advance(0.130)
    second = light.read()

    light.send(0x00)
    a_box.zones[ZONE].light_lux = 9_000.0
    light.clock.advance(1.0)
    off = light.read()
    light.send(0x07)
    deaf = light.read()
    light.send(0x01, 0x07)

    assert second == pytest.approx(3 * first, rel=0.05)
    assert off == deaf == second  # reset is not accepted while the chip is powered down
    assert light.read() == 0


@given(st.floats(-40.0, 80.0), st.floats(0.0, 100.0))
def test_dht22_frame_holds_both_values(temperature: float, humidity: float) -> None:
    """Sign, tenths and checksum are where the datasheet puts them."""
    frame = encode(temperature, humidity)
    magnitude = ((frame[2] & 0x7F) << 8 | frame[3]) / 10

    assert frame[4] == sum(frame[:4]) & 0xFF
    assert (frame[0] << 8 | frame[1]) / 10 == pytest.approx(humidity, abs=0.051)
    assert (-magnitude if frame[2] & 0x80 else magnitude) == pytest.approx(temperature, abs=0.051)


def test_dht22_answers_a_proper_start_signal_alone() -> None:
    """A trigger of less than 0.8 ms is no start signal."""
    chip = Dht22Chip(senses_of(box()))

    assert chip.pulses(500, LONG_FRAME) == []
    assert len(chip.pulses(ONE_MS, LONG_FRAME)) == 84


def test_dht22_gives_the_last_pulses_that_fit() -> None:
    """A short buffer keeps the end of the frame, as a pulse input does."""
    chip = Dht22Chip(senses_of(box()))

    assert len(chip.pulses(ONE_MS, 81)) == 81


def test_dht22_repeats_its_conversion_within_two_seconds() -> None:
    """The chip converts at most every 2 s."""
    a_box, clock = box(), ManualClock()
    chip = Dht22Chip(senses_of(a_box), clock)
    first = bits_of(chip.pulses(ONE_MS, 81))

    a_box.zones[ZONE].air_degc += 10.0
    again = bits_of(chip.pulses(ONE_MS, 81))
    clock.advance(2.0)
    later = bits_of(chip.pulses(ONE_MS, 81))

    assert again == first
    assert later != first


def picture_of(a_box: Box) -> Image.Image:
    """Return what the camera sees."""
    return Image.open(io.BytesIO(camera.draw(a_box, ZONE, PLANT))).convert("RGB")


def brightness(picture: Image.Image, part: tuple[int, int, int, int] | None = None) -> float:
    """Return the mean grey of a picture, or of a part of it."""
    return float(ImageStat.Stat((picture.crop(part) if part else picture).convert("L")).mean[0])


def green_of(picture: Image.Image) -> int:
    """Return how many pixels are green."""
    bands = (band.tobytes() for band in picture.split())
    return sum(g > 1.15 * r and g > 1.25 * b for r, g, b in zip(*bands, strict=True))


def test_picture_is_a_jpeg_of_fitting_size() -> None:
    """640 by 480, tens of kilobytes, far below the 700 kB that a record may have."""
    jpeg = camera.draw(box(lamp=1.0), ZONE, PLANT)

    assert Image.open(io.BytesIO(jpeg)).size == (640, 480)
    assert 20_000 < len(jpeg) < 120_000


def test_night_is_dark() -> None:
    """Without sun and lamp hardly anything is seen."""
    night, lit = box(), box(lamp=1.0)
    night.advance(NOON + 12 * 3600)

    assert brightness(picture_of(night)) < 20.0
    assert brightness(picture_of(lit)) > 80.0


def test_wet_soil_is_darker() -> None:
    """Where bare soil shows, water darkens it."""
    bare = (340, 385, 380, 410)

    wet = brightness(picture_of(box(vwc=0.5, lamp=1.0)), bare)
    dry = brightness(picture_of(box(vwc=0.15, lamp=1.0)), bare)

    assert wet < 0.75 * dry


def test_thirsty_plant_covers_less() -> None:
    """Leaves hang under water stress, so fewer pixels are green."""

    def green(vwc: float) -> int:
        a_box = box(vwc, lamp=1.0)
        a_box.advance(NOON + 8 * 3600)
        return green_of(picture_of(a_box))

    assert green(0.13) < 0.7 * green(0.45)


def test_camera_of_a_zone_shows_all_its_pots() -> None:
    """Three pots side by side show three times; a camera above one plant shows that one alone."""
    names = ("Ocimum basilicum", "Solanum lycopersicum", "Lactuca sativa")
    pots = tuple(PotSpec(plant_id=name, species=species_of(name)) for name in names)
    a_box = Box(BoxSpec(pots=pots, pumps=()), NOON)

    pictures = [
        Image.open(io.BytesIO(camera.draw(a_box, ZONE, plant))).convert("RGB") for plant in (None, names[0], names[2])
    ]

    cells = [(0, 0, 320, 240), (320, 0, 640, 240), (160, 240, 480, 480)]
    greens = [green_of(pictures[0].crop(cell)) for cell in cells]
    assert all(green > 1500 for green in greens)
    assert green_of(pictures[0].crop((0, 240, 150, 480))) == 0
    assert brightness(pictures[2]) > brightness(pictures[1])  # lettuce is lighter than basil
    assert all(green_of(picture) > 2.0 * max(greens) for picture in pictures[1:])


def test_dead_plant_is_no_longer_green() -> None:
    """What died of thirst is brown."""
    a_box = box(vwc=0.4, lamp=1.0)
    alive = green_of(picture_of(a_box))
    a_box.pots[PLANT].growth.damage = 1.0
    a_box.pots[PLANT].growth.turgor = 0.0

    assert alive > 5000
    assert green_of(picture_of(a_box)) < 0.02 * alive
