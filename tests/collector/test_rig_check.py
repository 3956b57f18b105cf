"""A rig whose sensors cannot be what it says is refused, with the line, before anything is opened."""

from __future__ import annotations

import pytest

from dt.collector.kinds import KINDS
from dt.collector.rig_check import check_kinds
from dt.operations.doctor_chips import ADDRESSES_OF_KIND
from dt.utils.exceptions import ConfigError
from dt.utils.quantities import Quantity
from dt.utils.rig import parse_rig

HEAD = "[zones.box]\n"
AIR = 'kind = "dht22"\nquantity = "humidity"\n'
LIGHT = 'kind = "bh1750"\nquantity = "light_intensity"\n'
SHT31 = 'kind = "sht31"\nquantity = "humidity"\n'
SOIL = 'kind = "seesaw"\nquantity = "soil_moisture"\n'
CAMERA = 'kind = "camera"\nquantity = "camera_image"\n'
MQTT = 'kind = "mqtt"\nquantity = "humidity"\ntopic = "a"\n'
PROBE = f"{SOIL}address = 0x36\n"


def rig(*rows: str, every_s: float = 5.0) -> str:
    """Return a rig with these sensors."""
    return HEAD + "".join(
        f'[[sensors]]\nid = "s{number}"\nzone = "box"\nevery_s = {every_s}\n{row}' for number, row in enumerate(rows)
    )


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (AIR, "pin: is missing; a dht22 needs one"),
        (f'{AIR}pin = "banana"', "pin: must be GPIO0 to GPIO27, not 'banana'"),
        (f'{AIR}pin = ""', "pin: must be GPIO0 to GPIO27, not ''"),
        (f'{AIR}pin = "GPIO4"\npower_pin = "banana"', "power_pin must be GPIO0 to GPIO27, not 'banana'"),
        (f'{AIR}pin = "GPIO4"\npower_pin = true', "power_pin must be GPIO0 to GPIO27, not 'True'"),
        (f'{AIR}pin = "GPIO4"\naddress = 0x23', "address: is nothing that a dht22 has"),
        (LIGHT, "address: is missing; it must be 0x23 or 0x5c"),
        (f"{LIGHT}address = 0x36", "address: 0x36 is none of a bh1750; it must be 0x23 or 0x5c"),
        (f'{SHT31}pin = "GPIO4"', "pin: is nothing that a sht31 has"),
        (f"{SHT31}address = 0x46", "address: 0x46 is none of a sht31"),
        (f"{SOIL}address = 0x3a", "address: 0x3a is none of a seesaw; it must be 0x36 or 0x37 or 0x38 or 0x39"),
        (CAMERA, "pin: is missing; a camera needs one"),
        (f'{CAMERA}pin = "camera12"', "pin: must be camera0 to camera9, or usb0 to usb9, not 'camera12'"),
        (f'{CAMERA}pin = "GPIO5"', "pin: must be camera0"),
        (f'{CAMERA}pin = ""', "pin: must be camera0"),
        (f"{MQTT}scale = 0", "scale: must not be 0"),
        (f'{MQTT}pin = "GPIO4"', "pin: is nothing that a mqtt has"),
        (f'{PROBE}calibration = {{version = "a", points = [[1, 2], [2, 3]]}}', "calibration.version: "),
        (f"{PROBE}calibration = {{version = 1, points = [[1, 2]]}}", "calibration.points: must be from 2"),
        (f"{PROBE}calibration = {{points = [[2, 0.1], [1, 0.2]]}}", "calibration.points: must have ascending counts"),
    ],
)
def test_a_sensor_that_cannot_be_is_refused_with_its_line(row: str, why: str) -> None:
    """Before: it failed at every look, or was believed."""
    with pytest.raises(ConfigError) as caught:
        check_kinds(parse_rig(rig(row)))

    assert str(caught.value).startswith(f"rig.toml:2: sensor s0: {why}")


@pytest.mark.parametrize(
    ("row", "again", "why"),
    [
        (PROBE, PROBE, "address: s0 reads the soil_moisture of 0x36 already"),
        (f'{AIR}pin = "GPIO4"\n', f'{AIR}pin = "D4"\n', "pin: s0 reads the humidity of GPIO4 already"),
        (f'{CAMERA}pin = "camera0"\n', f'{CAMERA}pin = "camera0"\n', "pin: s0 reads the camera_image of camera0"),
        (f'{CAMERA}pin = "usb1"\n', f'{CAMERA}pin = "camera0"\ndevice = "/dev/video1"\n', "of /dev/video1 already"),
    ],
)
def test_one_quantity_of_a_chip_has_one_row(row: str, again: str, why: str) -> None:
    """Two sensors would fight for the chip, and count its readings twice."""
    with pytest.raises(ConfigError) as caught:
        check_kinds(parse_rig(rig(row, again)))

    assert str(caught.value).startswith(f"rig.toml:{2 + 4 + row.count(chr(10))}: sensor s1: ")
    assert why in str(caught.value)


@pytest.mark.parametrize("every_s", [0.001, 0.0, -1.0, float("nan"), 86_401.0, 1e300])
def test_no_sensor_is_read_more_than_ten_times_a_second_or_less_than_daily(every_s: float) -> None:
    """A chip converts for longer, and the log would fill."""
    with pytest.raises(ConfigError, match=r"rig.toml:2: every_s: must be from 0.1 to 86400 s"):
        parse_rig(rig(PROBE, every_s=every_s))


def test_chips_at_their_places_are_taken() -> None:
    """Every address and camera that a kind can have, and two quantities of one chip."""
    rows = [f"{SOIL}address = {address}\n" for address in range(0x36, 0x3A)]
    rows += [f"{LIGHT}address = 0x23\n", f"{LIGHT}address = 0x5C\n", f"{SHT31}address = 0x45\n"]
    rows += [
        f'{AIR}pin = "GPIO4"\npower_pin = "GPIO5"\n',
        f'{CAMERA}pin = "usb9"\n',
        f'{CAMERA}pin = "camera0"\n',
        MQTT,
    ]
    rows += [f'{AIR}pin = "GPIO4"\npower_pin = "GPIO5"\n'.replace("humidity", "temperature")]

    check_kinds(parse_rig(rig(*rows)))


def test_the_doctor_looks_for_chips_where_the_table_of_kinds_says() -> None:
    """One list of addresses."""
    assert ADDRESSES_OF_KIND["bh1750"] == {0x23, 0x5C}
    assert ADDRESSES_OF_KIND["seesaw"] == set(KINDS["seesaw", Quantity.SOIL_MOISTURE].addresses)
