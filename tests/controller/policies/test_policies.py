"""Every policy as a pure function: what it wishes, when it is silent, and which parameters it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dt.controller.live_readings import Latest
from dt.controller.policies import POLICIES, describe_policies, make_policy
from dt.controller.policies.base_policy import PolicyView, Wish
from dt.controller.situation import MoistureEstimate
from dt.utils.dataclasses import PlantLimits
from dt.utils.exceptions import MessageError
from dt.utils.quantities import Quantity
from dt.utils.rig import Zone

_NOON = 1_781_690_400.0  # 2026-06-17T12:00:00+02:00 in Rome
_ZONE = Zone(zone_id="box", timezone="Europe/Rome", latitude=45.07, longitude=7.69)


def view(kind: str = "pump", *, moisture: float | None = None, now: float = _NOON, **known: Any) -> PolicyView:
    """A view of basil's pump, or of something that is held in its zone."""
    air = {Quantity(name): Latest(value=value, age_s=10.0) for name, value in known.pop("air", {}).items()}
    soil = None if moisture is None else MoistureEstimate(median=moisture, spread=0.001, age_s=1.0, good=5)
    return PolicyView(
        actuator_id="one", kind=kind, now=now, now_s=known.pop("now_s", 1000.0), zone=_ZONE, limits=PlantLimits(),
        pot_volume_l=1.0, moisture=soil, air=air, **{"largest_dose_ml": 150.0, **known},
    )  # fmt: skip


def _wish(policy: str, parameters: dict[str, Any], seen: PolicyView) -> Wish | None:
    return make_policy(policy, parameters, seen.kind).decide(seen)


@pytest.mark.parametrize(
    ("temperature", "was_on", "level"),
    [(17.9, 0.0, 0.8), (18.5, 0.0, 0.0), (18.5, 1.0, 0.8), (20.1, 1.0, 0.0)],
)
def test_a_heater_holds_its_state_within_the_deadband(temperature: float, was_on: float, level: float) -> None:
    """On below 18, off above 20; between them as it was."""
    band = {"quantity": "temperature", "on_at": 18.0, "off_at": 20.0, "level": 0.8}

    wish = _wish("hysteresis", band, view("heater", air={"temperature": temperature}, memory={"on": was_on}))

    assert wish is not None
    assert wish.level == level


def test_a_fan_goes_on_above_and_off_below() -> None:
    """The order of the two values says which way it works."""
    band = {"quantity": "humidity", "on_at": 80.0, "off_at": 70.0}

    on = _wish("hysteresis", band, view("fan", air={"humidity": 85.0}))
    off = _wish("hysteresis", band, view("fan", air={"humidity": 69.0}, memory={"on": 1.0}))

    assert (on.level, off.level) == (1.0, 0.0)  # type: ignore[union-attr]


@pytest.mark.parametrize("policy", ["hysteresis", "pid"])
def test_s08_without_a_fresh_reading_nothing_is_held(policy: str) -> None:
    """None: and then the output goes off."""
    parameters = {"quantity": "temperature", "on_at": 18.0, "off_at": 20.0} if policy == "hysteresis" else {}
    old = view("heater", memory={"on": 1.0, "integral": 0.5, "at_s": 990.0, "value": 10.0}, level=0.5)
    stale = {Quantity.TEMPERATURE: Latest(value=10.0, age_s=301.0)}

    made = make_policy(policy, parameters, "heater")

    assert made.decide(old) is None
    assert made.decide(replace(old, air=stale)) is None


def test_a_deficit_is_served_by_halves() -> None:
    """Half of (0.35 - 0.20) x 1 l; what is above the lower limit waits until a watering has begun."""
    assert _wish("soil_water_deficit", {}, view(moisture=0.20)).dose_ml == pytest.approx(75.0)  # type: ignore[union-attr]
    assert _wish("soil_water_deficit", {}, view(moisture=0.28)).dose_ml is None  # type: ignore[union-attr]
    going_on = view(moisture=0.28, memory={"on": 1.0})
    assert _wish("soil_water_deficit", {}, going_on).dose_ml == pytest.approx(35.0)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("known", "dose_ml"),
    [
        ({"is_settling": True}, None),
        ({"largest_dose_ml": 20.0}, 20.0),
        ({"largest_dose_ml": 0.0}, None),
        ({"floor": 0.26}, pytest.approx(30.0)),
    ],
)
def test_a_deficit_waits_for_the_last_dose_and_keeps_to_the_share(known: dict[str, Any], dose_ml: Any) -> None:
    """On a vacation the target comes down to the floor, and the day's share is the most."""
    wish = _wish("soil_water_deficit", {}, view(moisture=0.20, **known))

    assert wish is not None
    assert wish.dose_ml == dose_ml


def test_one_dose_never_asks_for_more_than_the_pump_or_the_policy_allows() -> None:
    """A dry pot of 50 l is filled step by step."""
    dry = replace(view(moisture=0.05), pot_volume_l=50.0)

    assert _wish("soil_water_deficit", {"largest_ml": 120.0}, dry).dose_ml == 120.0  # type: ignore[union-attr]
    assert _wish("soil_water_deficit", {}, dry).dose_ml == 150.0  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("dli", "hour", "level", "is_lit"),
    [
        (14.5, 20.0, 0.0, False),  # the day had enough
        (10.0, 12.0, 0.0, False),  # 7.4 h of lamp for what lacks, and 10 h are left: the sun may give it
        (10.0, 15.0, 0.0, True),
        (12.0, 17.5, 1.0, True),  # once on it stays on, while it is needed
        (12.0, 17.5, 0.0, False),
        (2.0, 23.0, 1.0, False),  # the plant's night
    ],
)
def test_the_lamp_adds_what_the_day_lacks(dli: float, hour: float, level: float, is_lit: bool) -> None:
    """As late as possible, and done before the evening."""
    seen = view("light", now=_NOON + (hour - 12.0) * 3600.0, air={"dli": dli}, level=level)

    wish = _wish("daily_light", {"target_mol_m2": 14.0, "lamp_ppfd": 150.0, "until": "22:00"}, seen)

    assert wish is not None
    assert (wish.level == 1.0) is is_lit


def test_the_lamp_stays_off_while_nobody_knows_the_days_light() -> None:
    """No light integral, no lamp."""
    assert _wish("daily_light", {}, view("light")) is None


@pytest.mark.parametrize(
    ("policy", "kind", "parameters", "field"),
    [
        ("hysteresis", "fan", {"quantity": "humidity", "on_at": 80.0, "off_at": 79.0}, "parameters.off_at"),
        ("hysteresis", "pump", {"on_at": 3.0, "off_at": 5.0}, "parameters.on_at"),
        ("hysteresis", "pump", {"dose_ml": 0.0}, "parameters.dose_ml"),
        ("hysteresis", "pump", {"dose_ml": "much"}, "parameters.dose_ml"),
        ("hysteresis", "pump", {"dose_ml": True}, "parameters.dose_ml"),
        ("hysteresis", "pump", {"dose_ml": float("nan")}, "parameters.dose_ml"),
        ("hysteresis", "pump", {"quantity": "pressure"}, "parameters.quantity"),
        ("hysteresis", "pump", {"dose": 3.0}, "parameters.dose"),
        ("soil_water_deficit", "pump", {"part": 0.6}, "parameters.part"),
        ("soil_water_deficit", "pump", {"start": 0.3, "target": 0.3}, "parameters.target"),
        ("soil_water_deficit", "heater", {}, "policy"),
        ("schedule", "pump", {"times": ["25:00"]}, "parameters.times"),
        ("schedule", "pump", {"times": "07:00"}, "parameters.times"),
        ("schedule", "pump", {}, "parameters.times"),
        ("hysteresis", "pump", {"on_at": 0.5, "off_at": 0.1}, "parameters.on_at"),
        ("hysteresis", "pump", {"quantity": "humidity", "on_at": 80.0, "off_at": 60.0}, "parameters.on_at"),
        ("schedule", "pump", {"times": ["07:00", "07:00"]}, "parameters.times"),
        ("schedule", "light", {"since": "sunset+13:00"}, "parameters.since"),
        ("schedule", "light", {"since": "07:00", "until": "07:00"}, "parameters.until"),
        ("daily_light", "light", {"since": "noon"}, "parameters.since"),
        ("pid", "heater", {"setpoint": 99.0}, "parameters.setpoint"),
        ("pid", "fan", {"least": 0.5, "most": 0.4}, "parameters.least"),
        ("pid", "pump", {}, "policy"),
        ("watering", "pump", {}, "policy"),
        ("recommendation", "pump", {"dose_ml": 3.0}, "parameters.dose_ml"),
    ],
)
def test_wrong_parameters_are_refused_by_name(policy: str, kind: str, parameters: dict[str, Any], field: str) -> None:
    """With the limit, so that a page can say it beside the field."""
    with pytest.raises(MessageError) as error:
        make_policy(policy, parameters, kind)

    assert error.value.field == field


def test_every_policy_describes_itself_for_a_page() -> None:
    """Each number with its limits and unit, each default within them."""
    described = describe_policies()

    assert [one["policy"] for one in described] == list(POLICIES)
    for one in described:
        for name, row in one["parameters"]["properties"].items():
            assert row["description"], name
            if row.get("type") == "number":
                assert row["minimum"] <= row["default"] <= row["maximum"], name


@pytest.mark.parametrize(
    ("policy", "parameters", "field", "says"),
    [
        ("soil_water_deficit", {"target": 0.9}, "parameters.target", "at most 0.45 m3/m3, the plant's upper limit"),
        ("soil_water_deficit", {"start": 0.4}, "parameters.start", "at least 0.01 m3/m3 below target (0.35), not 0.4"),
        ("soil_water_deficit", {"target": 0.2}, "parameters.target", "at least 0.01 m3/m3 above start (0.25), not 0.2"),
        ("hysteresis", {"on_at": 0.3, "off_at": 0.6}, "parameters.off_at", "at most 0.45 m3/m3, the plant's upper"),
    ],
)
def test_what_makes_no_sense_for_the_plant_is_refused_with_its_limit(
    policy: str, parameters: dict[str, Any], field: str, says: str
) -> None:
    """By the plant's own limits: from 0.25 to 0.45, with 0.35 as target."""
    with pytest.raises(MessageError) as error:
        make_policy(policy, parameters, "pump", PlantLimits())

    assert error.value.field == field
    assert says in error.value.why


def test_what_makes_sense_is_taken() -> None:
    """Misting may begin above; thresholds up to the plant's limit, and those that follow it, are good."""
    for policy, parameters in [
        ("hysteresis", {"quantity": "vpd", "on_at": 1.5, "off_at": 1.0}),
        ("hysteresis", {"on_at": 0.3, "off_at": 0.45}),
        ("soil_water_deficit", {"target": 0.45}),
        ("soil_water_deficit", {}),
        ("schedule", {"times": ["07:00"]}),
    ]:
        make_policy(policy, parameters, "pump", PlantLimits())
