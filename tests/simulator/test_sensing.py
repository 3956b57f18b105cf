"""What chips make of the truth: each with errors of its own, where it sits, and for how long."""

from __future__ import annotations

import itertools
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt.simulator.box import Box
from dt.simulator.sensing import Placement, Play, Senses, Spot, counts_from_vwc
from dt.simulator.spec import PLANT, ZONE, BoxSpec, PotSpec
from dt.utils.clock import ManualClock

HOUR_S = 3600.0


def box(vwc: float = 0.35) -> Box:
    """Return a box that has lived for a while."""
    a_box = Box(BoxSpec(pots=(PotSpec(initial_vwc=vwc),)), ManualClock().wall())
    a_box.advance(a_box.now_s + HOUR_S)
    return a_box


def probe(a_box: Box, chip: str = "0x36", **placement: float) -> Senses:
    """Return a probe in the only pot."""
    return Senses(Spot(a_box, ZONE, PLANT), 1, chip, placement=Placement(**placement))


def test_every_chip_has_errors_of_its_own() -> None:
    """Ten probes in one pot differ by some counts, and the same probe is the same again."""
    a_box = box()
    counts = [probe(a_box, f"chip {number}").expected_counts() for number in range(10)]

    assert 1.0 < statistics.pstdev(counts) < 6.0
    assert counts == [probe(a_box, f"chip {number}").expected_counts() for number in range(10)]


def test_a_probe_senses_the_layer_that_it_sits_in() -> None:
    """Just poured water is in the top layer."""
    a_box = box(0.2)
    a_box.pour(PLANT, a_box.now_s, 150.0)
    a_box.advance(a_box.now_s + 120.0)
    soil = a_box.pots[PLANT].soil

    top, middle, bottom = (probe(a_box, depth=depth).expected_counts() for depth in (0.0, 0.5, 1.0))

    assert top > middle > bottom
    assert top - bottom == pytest.approx(counts_from_vwc(soil.vwc_top) - counts_from_vwc(soil.vwc_bottom), rel=0.02)


def test_a_fresh_probe_reads_too_low_until_the_soil_has_closed() -> None:
    """The insertion effect fades within hours."""
    a_box = box()
    settled = probe(a_box).expected_counts()

    def missing(after_h: float) -> float:
        return settled - probe(a_box, inserted_s=a_box.now_s - after_h * HOUR_S).expected_counts()

    assert missing(0.0) == pytest.approx(30.0)
    assert missing(6.0) == pytest.approx(30.0 / 2.718, rel=0.01)
    assert missing(48.0) < 0.1


def test_a_probe_drifts_by_a_few_counts_in_weeks() -> None:
    """In soil that stays as it is: neither nothing nor much."""
    a_box = box()
    a_probe = probe(a_box)
    counts = []
    for _ in range(60):
        a_box.now_s += 86_400.0
        counts.append(a_probe.expected_counts())

    assert 1.0 < max(counts) - min(counts) < 12.0
    assert max(abs(later - former) for former, later in itertools.pairwise(counts)) < 1.0


def test_a_probe_without_a_pot_hangs_in_the_air() -> None:
    """About 300 counts, at the air's temperature."""
    a_box = box()
    lying = Senses.of(a_box, ZONE)

    assert lying.expected_counts() == pytest.approx(300.0, abs=12.0)
    assert lying.soil_degc() == pytest.approx(a_box.zones[ZONE].air_degc, abs=1.0)


@given(st.lists(st.floats(0.0, 100.0), min_size=1, max_size=40))
def test_hysteresis_never_strays_further_than_its_play(values: list[float]) -> None:
    """The output lags, by the play at most, and rests while the input moves within it."""
    play = Play(0.3)

    for value in values:
        before = play.follow(value)
        assert abs(before - value) <= 0.3 + 1e-9
        assert play.follow(value) == before


def test_humidity_depends_on_where_it_came_from() -> None:
    """Approached from below a hygrometer reads lower than from above: hysteresis."""
    a_box = box()
    zone = a_box.zones[ZONE]
    full = zone.vapour_g_m3

    def settled(path: tuple[float, ...]) -> float:
        senses = Senses.of(a_box, ZONE, chip="GPIO4")
        for share in path:
            zone.vapour_g_m3 = full * share
            last = [senses.humidity_pct() for _ in range(200)]
        zone.vapour_g_m3 = full
        return statistics.mean(last)

    assert settled((0.6, 0.8)) == pytest.approx(settled((1.0, 0.8)) - 0.6, abs=0.15)
