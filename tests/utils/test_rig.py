"""The rig file: what it declares, and errors with their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dt.utils.exceptions import ConfigError
from dt.utils.quantities import Quantity
from dt.utils.rig import load_rig, parse_rig

START = """
[zones.shelf]
latitude = 56.0

[plants.fern]
zone = "shelf"
"""


def test_the_repositorys_rig_is_the_three_pot_rig() -> None:
    """Every quantity, three plants with a probe and a pump each, and the plants' zone carried over."""
    rig = load_rig(Path(__file__).parents[2] / "rig.toml")

    assert {sensor.data_type for sensor in rig.sensors} >= {
        Quantity.TEMPERATURE,
        Quantity.HUMIDITY,
        Quantity.LIGHT_INTENSITY,
        Quantity.SOIL_MOISTURE,
        Quantity.CAMERA_IMAGE,
    }
    assert [(pump.plant_id, pump.zone_id) for pump in rig.actuators] == [(name, "box") for name in rig.plants]
    assert [s.plant_id for s in rig.sensors if s.data_type is Quantity.SOIL_MOISTURE] == list(rig.plants)
    assert len(rig.plants) == 3
    assert all(pump.options["flow_ml_s"] > 0 for pump in rig.actuators)


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ('[[sensors]]\nid = "a"\nkind = "x"\nquantity = "mood"\nzone = "shelf"\nevery_s = 1', 8, "data_type"),
        ('[[sensors]]\nid = "a"\nkind = "x"\nquantity = "humidity"\nzone = "moon"\nevery_s = 1', 8, "moon"),
        ('[[sensors]]\nid = "a"\nkind = "x"\nquantity = "humidity"\nzone = "shelf"', 8, "read_interval"),
        ('[[sensors]]\nid = "a"\nkind = "x"\nquantity = "humidity"\nplant = "oak"\nevery_s = 1', 8, "oak"),
        ('[[actuators]]\nid = "p"\nkind = "pump"\nplant = "fern"\npin = "GPIO99"', 8, "GPIO0 to GPIO27"),
        ('[zones.attic]\ntimezone = "Mars/Olympus"', 8, "IANA"),
        ('[plants.moss]\nzone = "shelf"\npot_volume_l = 0', 8, "pot_volume_l"),
    ],
)
def test_a_bad_entry_is_refused_with_its_line_and_field(text: str, line: int, word: str) -> None:
    """A person finds it at once."""
    with pytest.raises(ConfigError) as caught:
        parse_rig(f"{START}\n{text}\n")

    assert f":{line}: " in str(caught.value)
    assert word in str(caught.value)


def test_what_a_kind_alone_knows_is_kept_as_options() -> None:
    """The reader knows the keys of every sensor; `dt.collector.kinds` judges the rest, with the row's line."""
    row = '[[sensors]]\nid = "a"\nkind = "x"\nquantity = "humidity"\nzone = "shelf"\nevery_s = 1\ntopic = "t"\n'

    rig = parse_rig(f"{START}\n{row}", Path("shelf.toml"))

    assert rig.sensors[0].options == {"topic": "t"}
    assert rig.place_of("a") == "shelf.toml:8"


def test_a_second_sensor_of_the_same_name_is_refused() -> None:
    """Its readings could not be told apart."""
    row = '[[sensors]]\nid = "a"\nkind = "x"\nquantity = "humidity"\nzone = "shelf"\nevery_s = 1\n'

    with pytest.raises(ConfigError, match=r":14: .*twice"):
        parse_rig(f"{START}\n{row}{row}")


@pytest.mark.parametrize("text", ["[[zones]]\n", "sensors = 3\n", "[zones\n", "zones = 1\n"])
def test_another_shape_is_refused(text: str) -> None:
    """Whatever is no rig ends as ConfigError."""
    with pytest.raises(ConfigError):
        parse_rig(text)


def test_a_missing_file_is_named() -> None:
    """The setting and the path."""
    with pytest.raises(ConfigError, match=r"RIG_FILE: nowhere\.toml"):
        load_rig(Path("nowhere.toml"))


@pytest.mark.parametrize("name", ["a\\u0000b", "../../etc", "a b", "", "x" * 101, "..", "a\\nb"])
def test_names_that_no_path_or_log_bears_are_refused(name: str) -> None:
    """Of sensors, plants, zones and actuators alike, with the line."""
    row = f'id = "{name}"\nkind = "bh1750"\nquantity = "light_intensity"\nzone = "shelf"\naddress = 0x23\nevery_s = 2\n'
    pump = f'id = "{name}"\nkind = "pump"\nplant = "fern"\npin = "GPIO17"\n'
    for text in (
        f"{START}[[sensors]]\n{row}",
        f"{START}[[actuators]]\n{pump}",
        f'{START}[zones."{name}"]\n',
        f'{START}[plants."{name}"]\nzone = "shelf"\n',
    ):
        with pytest.raises(ConfigError, match=r"rig.toml:\d+: (id|name): must be 1 to 100 letters"):
            parse_rig(text)
