"""S7: doses that do much less than those of the same pump usually do: a leak, a line half blocked, a low can."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt.controller.effect_usual import Fall, HealthyDose, PumpPast, UsualFile, since_jump, usual_of
from dt.controller.effect_watch import SETTLES_S
from dt.utils.dataclasses import Severity
from tests.controller.garden import Garden, make_garden
from tests.controller.rooms import dose

_SETTING = PumpPast(flow_ml_s=20.0, pot_volume_l=1.0)


@pytest.fixture
def garden(tmp_path: Path) -> Garden:
    """A pot whose probe shows twice the rise of a bucket."""
    made = make_garden(tmp_path)
    made.shares["basil-pump"] = 2.0
    return made


def _give(garden: Garden, number: int, share: float = 2.0, ml: float = 25.0) -> str | None:
    """A dose in dry soil; return what it did."""
    garden.shares["basil-pump"] = share
    garden.moisture["basil"] = 0.20
    garden.run(120.0)
    assert garden.room.gate.submit(dose(garden.room.clock, f"a-{number}", ml)) is None
    garden.run(SETTLES_S + 60.0)
    return [one.effect for one in garden.results() if one.action_id == f"a-{number}"][-1]


def test_s07_a_leak_of_half_the_flow_locks_the_pump_out_though_the_bucket_is_content(garden: Garden) -> None:
    """The probe shows as much as a bucket would, and half of what it showed before."""
    healthy = [_give(garden, number) for number in range(3)]

    assert healthy == ["seen"] * 3
    assert _give(garden, 3, share=1.0) == "weak"
    lock = garden.room.core.locks.of("basil-pump")
    assert lock is not None
    assert lock.invariant == "S7"
    assert "leak" in lock.why
    assert lock.limit is not None
    assert lock.value == pytest.approx(0.028, abs=0.006)
    assert lock.value < lock.limit < 2.0 * lock.value
    said = garden.conditions()["locked_out:basil-pump"]
    assert (said.active, said.severity) == (True, Severity.CRITICAL)
    refused = garden.room.gate.submit(dose(garden.room.clock, "a-9"))
    assert refused is not None


def test_s07_a_dose_that_is_somewhat_weak_is_told_and_a_second_one_locks_out(garden: Garden) -> None:
    """A third less may be a can that is nearly empty."""
    for number in range(3):
        _give(garden, number)

    assert _give(garden, 3, share=1.3) == "weak"
    assert garden.room.core.locks.of("basil-pump") is None
    said = garden.conditions()["dose_weak:basil-pump"]
    assert (said.active, said.severity, said.plant_id) == (True, Severity.WARNING, "basil")
    assert "reservoir may be low" in said.description
    assert _give(garden, 4, share=1.3) == "weak"
    assert garden.room.core.locks.of("basil-pump") is not None


def test_a_weak_dose_is_over_with_the_next_that_does_its_usual(garden: Garden) -> None:
    """Somebody filled the can."""
    for number in range(3):
        _give(garden, number)
    _give(garden, 3, share=1.3)

    assert _give(garden, 4) == "seen"
    assert not garden.conditions()["dose_weak:basil-pump"].active


def test_a_release_begins_anew(garden: Garden) -> None:
    """A person looked, and set the probe elsewhere: what it shows now is its usual."""
    for number in range(3):
        _give(garden, number)
    _give(garden, 3, share=1.0)
    garden.room.core.release("basil-pump", "anna")
    garden.run(5.0)

    assert [_give(garden, number, share=1.0) for number in (4, 5)] == ["seen", "seen"]
    assert garden.room.core.locks.of("basil-pump") is None


def test_s07_what_was_learnt_from_a_leak_is_forgotten_once_doses_do_half_as_much_again(garden: Garden) -> None:
    """A hose that leaked from its first dose on was mended: its next leak is told."""
    leaky = [_give(garden, number, share=1.0) for number in range(3)]
    mended = [_give(garden, number, share=2.0) for number in (3, 4)]

    assert leaky + mended == ["seen"] * 5
    assert _give(garden, 5, share=1.0) == "weak"
    assert garden.room.core.locks.of("basil-pump") is not None


def test_one_dose_beside_a_persons_can_is_no_jump(garden: Garden) -> None:
    """The usual of before goes on, and its doses are no fall."""
    for number in range(3):
        _give(garden, number, share=1.0)
    _give(garden, 3, share=2.0)

    assert [_give(garden, number, share=1.0) for number in (4, 5)] == ["seen", "seen"]
    assert garden.room.core.locks.of("basil-pump") is None


@pytest.mark.parametrize("share", [0.0, 0.1, 0.24])
@pytest.mark.parametrize("ml", [25.0, 60.0, 120.0])
def test_s07_a_gross_miss_of_the_very_first_dose_is_told_by_the_bucket(garden: Garden, share: float, ml: float) -> None:
    """No usual is needed where the pot's volume asks for four times as much, wherever the probe sits."""
    assert _give(garden, 0, share=share, ml=ml) == "missing"
    lock = garden.room.core.locks.of("basil-pump")
    assert lock is not None
    assert lock.invariant == "S7"


def test_the_usual_is_on_disk_and_another_flow_or_pot_begins_anew(tmp_path: Path) -> None:
    """A restart forgets nothing; a calibration does."""
    UsualFile(tmp_path / "usual.json").learn("pump", _SETTING, HealthyDose(poured=0.1, share=2.0))
    again = UsualFile(tmp_path / "usual.json")

    usual = again.usual("pump", _SETTING, 0.1)
    assert usual is not None
    assert (usual.share, usual.doses) == (2.0, 1)
    assert again.usual("pump", PumpPast(flow_ml_s=25.0, pot_volume_l=1.0), 0.1) is None
    assert again.usual("pump", PumpPast(flow_ml_s=20.0, pot_volume_l=2.0), 0.1) is None


@pytest.mark.parametrize("text", ["{", "[]", '{"pump": {"flow_ml_s": "x"}}'])
def test_a_damaged_file_is_learnt_anew(tmp_path: Path, text: str) -> None:
    """Nothing is judged by what cannot be read."""
    (tmp_path / "usual.json").write_text(text)

    assert UsualFile(tmp_path / "usual.json").usual("pump", _SETTING, 0.1) is None


@given(seed=st.integers(0, 10_000), level=st.floats(0.4, 3.0), doses=st.integers(2, 60))
def test_s07_healthy_pumps_whose_flow_spreads_by_ten_per_cent_are_never_told(
    seed: int, level: float, doses: int
) -> None:
    """Each dose up to a tenth more or less than calibrated, on top of a probe's noise."""
    dice = random.Random(seed)
    past: list[HealthyDose] = []
    for _ in range(doses):
        share = level * dice.uniform(0.9, 1.1) * (1.0 + max(-0.06, min(0.06, dice.gauss(0.0, 0.02))))
        usual = usual_of(past[-12:], 0.1)
        assert usual is None or usual.fall_of(share) is Fall.NONE
        past.append(HealthyDose(poured=0.1, share=share))


@given(
    seed=st.integers(0, 10_000), level=st.floats(0.4, 3.0), leaky=st.integers(1, 12), healthy=st.integers(2, 12),
    left=st.floats(0.3, 0.55),
)  # fmt: skip
def test_s07_a_leak_after_a_mended_leak_is_far_however_long_the_first_one_was_learnt(
    seed: int, level: float, leaky: int, healthy: int, left: float
) -> None:
    """The usual begins anew with the second healthy dose; and healthy doses alone never make it begin anew."""
    dice = random.Random(seed)
    shares = [part * level * dice.uniform(0.97, 1.03) for part in [left] * leaky + [1.0] * healthy]
    past: tuple[HealthyDose, ...] = ()
    for share in shares:
        past = since_jump((*past[-11:], HealthyDose(poured=0.1, share=share)))
    usual = usual_of(past, 0.1)

    assert [one.share for one in past] == shares[leaky:][-12:]
    assert usual is not None
    assert usual.fall_of(left * level) is Fall.FAR


@given(seed=st.integers(0, 10_000), level=st.floats(0.4, 3.0), doses=st.integers(1, 12))
def test_s07_half_of_the_flow_missing_is_always_far(seed: int, level: float, doses: int) -> None:
    """From the second dose on, with the spread that pots show (some 3 %)."""
    dice = random.Random(seed)
    past = [HealthyDose(poured=0.1, share=level * dice.uniform(0.97, 1.03)) for _ in range(doses)]
    usual = usual_of(past, 0.1)

    assert usual is not None
    assert usual.fall_of(0.5 * level * dice.uniform(0.97, 1.03)) is Fall.FAR
