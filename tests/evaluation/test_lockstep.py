"""Lockstep: the real loop against the box, twice the same, with and without leave, through every kind of trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dt.communication.topics import Topics
from dt.evaluation.scenario import LockstepScenario, parse_lockstep_scenario
from dt.evaluation.simulation import Simulation
from dt.utils.dataclasses import Outcome, SensorData
from dt.utils.rig import load_rig

ROOT = Path(__file__).resolve().parent.parent.parent
GRANTS = '[[grants]]\nactuator = "*"\nby = "ada"\n'
DRY_AFTER_DAYS = 2.9  # the lettuce of this seed in July


Begin = Callable[[str], Simulation]


def scenario(rows: str = "") -> LockstepScenario:
    """Return a July in a room, with these rows."""
    return parse_lockstep_scenario(f"seed = 3\nstart = 2027-07-01\nair_every_s = 3600\n{rows}")


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Return what begins a run; all are closed at the end."""
    runs: list[Simulation] = []

    def make(rows: str = "") -> Simulation:
        runs.append(Simulation(scenario(rows), load_rig(ROOT / "rig.toml")))
        return runs[-1]

    yield make
    for run in runs:
        run.close()


def test_the_same_scenario_gives_the_same_run_to_the_last_digit(begin: Begin) -> None:
    """Seeds and one thread decide everything: no clock of the machine, no random id."""
    reports = []
    for _ in range(2):
        simulation = begin(GRANTS)
        simulation.live(0.3)
        reports.append((simulation.report(), simulation.run.box.snapshot()))

    assert reports[0] == reports[1]


def test_dry_soil_is_watered_by_grant_and_only_recommended_without(begin: Begin) -> None:
    """The loop closes: probe, processing, rule, gate, guard, pin, water; S14 keeps it open without a grant."""
    granted, alone = begin(GRANTS), begin("")
    for simulation in (granted, alone):
        simulation.live(DRY_AFTER_DAYS)

    report = granted.report()
    [dose] = report["doses"]
    assert dose["actuator_id"] == "pump-lettuce"
    assert report["plants"]["lettuce"]["water_ml"]["pumped"] == pytest.approx(dose["delivered_ml"], rel=0.25)
    assert [alert["state"] for alert in report["alerts"]] == ["open", "resolved"]
    assert report["safety"]["violations"] == report["safety"]["floods"] == []
    assert report["safety"]["checks"]["S14"] > 0
    assert alone.report()["plants"]["lettuce"]["water_ml"]["pumped"] == 0.0
    assert alone.report()["recommended"] > 0


def test_trouble_of_the_machine_breaks_no_invariant_and_the_loop_goes_on(begin: Begin) -> None:
    """Power cut, kill, broker away, wrong clock, full disk: afterwards a person's dose still runs."""
    simulation = begin(
        GRANTS
        + '[[faults]]\nfault = "F17"\nmode = "power_cut"\ntarget = "host"\nsince = "1h"\n'
        + '[[faults]]\nfault = "F17"\ntarget = "host"\nsince = "2h"\n'
        + '[[faults]]\nfault = "F15"\ntarget = "host"\nsince = "3h"\nuntil = "4h"\n'
        + '[[faults]]\nfault = "F16"\ntarget = "host"\nsince = "5h"\nuntil = "6h"\n'
        + '[[faults]]\nfault = "F17"\nmode = "disk_full"\ntarget = "host"\nsince = "7h"\nuntil = "8h"\n'
        + '[[people]]\nat = "7.5h"\ndoes = "dose"\nactuator = "pump"\nml = 150\n'
        + '[[people]]\nat = "9h"\ndoes = "dose"\nactuator = "pump"\nml = 150\n'
    )
    simulation.live(0.5)

    report = simulation.report()
    assert simulation.run.restarts == 2
    assert [dose["delivered_ml"] for dose in report["doses"]] == [pytest.approx(150.0)]
    assert report["people"][0]["refusal"] is not None or report["people"][0]["outcome"] == "failed"
    assert report["safety"]["violations"] == []


def test_readings_of_an_outage_come_late_and_none_is_lost(begin: Begin) -> None:
    """The collector keeps what the log does not take; S4 sees that it is late."""
    simulation = begin('[[faults]]\nfault = "F15"\ntarget = "host"\nsince = "1h"\nuntil = "2h"\n')
    heard: list[SensorData] = []
    simulation.run.messaging.subscribe(
        [Topics.SOIL_MOISTURE.processed],
        "test",
        lambda records: heard.extend(SensorData.from_json(record.value or b"") for record in records),
    )

    simulation.live(3.0 / 24.0)

    own = [reading for reading in heard if reading.sensor_id == "seesaw-soil"]
    assert [reading.sequence for reading in own] == list(range(37))
    assert [reading.sequence for reading in own if reading.late] == list(range(12, 24))


def test_a_dose_that_the_killed_controller_leaves_behind_ends_within_a_second(begin: Begin) -> None:
    """S11 by the guard's own lease, S10 after the restart, as the judge sees the pins."""
    simulation = begin("")
    run = simulation.run
    run.advance_to(run.now_s + 600.0)
    simulation.judge.person_commands("pump")
    core = run.control.core
    assert core is not None
    core.gate.submit(_dose(simulation, 300.0))
    run.pass_time(2.0)
    assert simulation.judge.outputs["pump"].on_since_s is not None

    run.kill_controller()

    assert simulation.judge.outputs["pump"].on_since_s is None
    run.pass_time(5.0)
    assert [result.outcome for _at, result in simulation.diary.results] == [Outcome.STOPPED]
    assert simulation.judge.violations == []


def test_quick_chips_say_what_the_genuine_drivers_say(begin: Begin) -> None:
    """Only the drivers' waiting is left out: the same box gives the same values, but for noise of another draw."""
    rig = load_rig(ROOT / "rig.toml")
    values = []
    for drivers in (False, True):
        heard: dict[str, float] = {}
        with Simulation(scenario(), rig, drivers=drivers) as simulation:
            simulation.run.messaging.subscribe(
                [topic.raw for topic in _MEASURED],
                "test",
                lambda records, heard=heard: heard.update(  # type: ignore[misc]
                    (reading.sensor_id, reading.value)
                    for reading in (SensorData.from_json(record.value or b"") for record in records)
                ),
            )
            simulation.live(60.0 / 86_400.0)
        values.append(heard)

    quick, driven = values
    assert set(quick) == set(driven) == {sensor.sensor_id for sensor in rig.sensors if sensor.kind != "camera"}
    for name, value in quick.items():
        assert value == pytest.approx(driven[name], rel=0.03, abs=1.0), name


_MEASURED = (
    Topics.SOIL_MOISTURE, Topics.SOIL_TEMPERATURE, Topics.TEMPERATURE, Topics.HUMIDITY, Topics.LIGHT_INTENSITY,
)  # fmt: skip


def _dose(simulation: Simulation, ml: float) -> object:
    from dt.utils.dataclasses import ActionCommand, Command

    now = simulation.run.clock.wall()
    return ActionCommand(
        action_id="a-1", actuator_id="pump", command=Command.DOSE, dose_ml=ml, issuer="ada", timestamp=now,
        correlation_id="c-1",
    )  # fmt: skip


def test_s12_a_clock_that_jumps_by_decades_grants_no_second_budget_and_no_shorter_pause(begin: Begin) -> None:
    """Both are refused, each with its invariant, while the machine believes that it is 2049."""
    dose = '[[people]]\nat = "{at}"\ndoes = "dose"\nactuator = "pump"\nml = {ml}\n'
    simulation = begin(
        '[[faults]]\nfault = "F16"\nyear = 2049\ntarget = "host"\nsince = "61min"\nuntil = "2h"\n'
        + dose.format(at="60min", ml=150)
        + dose.format(at="66min", ml=100)
        + dose.format(at="90min", ml=300)
    )
    simulation.live(0.1)

    report = simulation.report()
    assert len(report["doses"]) == 1
    assert report["refusals"] == {"S2": 1, "S3": 1}
    assert report["safety"]["violations"] == []


def test_what_a_full_disk_keeps_a_person_from_is_done_an_hour_later(begin: Begin) -> None:
    """A can that was filled up counts as full once the ledger says so, and the water is in it no earlier."""
    simulation = begin(
        '[[people]]\nat = "10min"\ndoes = "dose"\nactuator = "pump"\nml = 300\n'
        + '[[faults]]\nfault = "F17"\nmode = "disk_full"\ntarget = "host"\nsince = "50min"\nuntil = "90min"\n'
        + '[[people]]\nat = "1h"\ndoes = "refill"\nreservoir = "can"\n'
    )
    can = simulation.run.box.reservoirs["can"]
    simulation.live(1.5 / 24.0)
    assert can.content_ml < can.spec.content_ml - 200.0

    simulation.live(1.0 / 24.0)

    assert can.content_ml == can.spec.content_ml
    assert [answer.why != "" for answer in simulation.people.answers] == [False, True]
