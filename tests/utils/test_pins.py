"""S1 begins at the rig: an output has one owner, so that nobody but the guard can hold it on."""

from __future__ import annotations

import doctest
import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt.utils import pins
from dt.utils.exceptions import ConfigError
from dt.utils.rig import parse_rig, pin_number

HEAD = '[zones.box]\n[plants.basil]\nzone = "box"\n'


@dataclass(frozen=True, slots=True)
class Air:
    """A DHT22: one row for temperature and perhaps one for humidity, perhaps with a power switch."""

    pin: int
    power_pin: int | None
    is_pair: bool
    letter: str

    def rows(self, number: int) -> str:
        """Return the rows of the rig file."""
        quantities = ("temperature", "humidity") if self.is_pair else ("humidity",)
        power = "" if self.power_pin is None else f'power_pin = "{self.letter}{self.power_pin}"\n'
        return "".join(
            f'[[sensors]]\nid = "air-{number}-{quantity}"\nkind = "dht22"\nquantity = "{quantity}"\nzone = "box"\n'
            f'pin = "{self.letter}{self.pin}"\nevery_s = 5\n{power}'
            for quantity in quantities
        )


PIN = st.sampled_from([2, 3, 4, 5, 6, 17, 22, 27])
AIR = st.builds(Air, pin=PIN, power_pin=st.none() | PIN, is_pair=st.booleans(), letter=st.sampled_from(["GPIO", "D"]))


def pump(number: int, pin: int) -> str:
    """Return an actuator's row."""
    return f'[[actuators]]\nid = "pump-{number}"\nkind = "pump"\nplant = "basil"\npin = "GPIO{pin}"\n'


PROBE = """[[sensors]]
id = "soil"
kind = "seesaw"
quantity = "soil_moisture"
plant = "basil"
address = 0x36
every_s = 1
"""


@given(
    chips=st.lists(AIR, max_size=2, unique_by=lambda chip: chip.pin),
    pumps=st.lists(PIN, max_size=3),
    has_bus=st.booleans(),
)
def test_s01_no_sensor_may_own_an_actuators_pin(chips: list[Air], pumps: list[int], has_bus: bool) -> None:
    """Any rig: it is taken exactly when no pin has two uses, and refused with file, line, field and pin."""
    text = HEAD + "".join(chip.rows(number) for number, chip in enumerate(chips))
    text += "".join(pump(number, pin) for number, pin in enumerate(pumps)) + (PROBE if has_bus else "")
    powered = [chip.power_pin for chip in chips if chip.power_pin is not None]
    uses = [*pumps, *(chip.pin for chip in chips), *powered, *((2, 3) if has_bus else ())]
    doubles = {f"GPIO{pin}" for pin in uses if uses.count(pin) > 1}

    try:
        rig = parse_rig(text)
    except ConfigError as error:
        found = re.fullmatch(
            r"rig.toml:(\d+): (pin|power_pin): (GPIO\d+) is wanted by .+, and belongs to .+", str(error)
        )
        assert found is not None, error
        assert found[3] in doubles
        assert text.splitlines()[int(found[1]) - 1] in ("[[sensors]]", "[[actuators]]")
    else:
        assert not doubles
        assert [pin_number(actuator.pin) for actuator in rig.actuators] == pumps


@pytest.mark.parametrize("kind", ["dht22", "somebodys"])
@pytest.mark.parametrize("name", ["power_pin", "reset_pin"])
@pytest.mark.parametrize("value", ['"GPIO17"', '"D17"', "17", '"17"', '"gpio17"', '"BCM17"', '"BOARD11"', '"GPIO017"'])
def test_s01_no_spelling_of_a_pin_escapes(kind: str, name: str, value: str) -> None:
    """Also in the options of a kind that another package brings."""
    row = f'[[sensors]]\nid = "air"\nkind = "{kind}"\nquantity = "humidity"\nzone = "box"\nevery_s = 5\npin = "GPIO4"\n'

    with pytest.raises(ConfigError, match=rf"rig.toml:4: {name}: "):
        parse_rig(f"{HEAD}{row}{name} = {value}\n{pump(0, 17)}")


def test_two_kinds_of_chip_do_not_share_a_pin() -> None:
    """Temperature and humidity of one DHT22 do; a chip of another kind is another chip."""
    row = '[[sensors]]\nid = "{0}"\nkind = "{0}"\nquantity = "humidity"\nzone = "box"\nevery_s = 5\npin = "GPIO4"\n'

    with pytest.raises(ConfigError, match=r"rig.toml:11: pin: GPIO4 is wanted by am2320, and belongs to dht22"):
        parse_rig(HEAD + row.format("dht22") + row.format("am2320"))


def test_examples_are_true() -> None:
    """Each function gives what its docstring shows."""
    found = doctest.testmod(pins)

    assert found.attempted > 0
    assert found.failed == 0
