"""`dt simulate`: figures on stdout, and exit codes that a script can go by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dt.cli.main import main

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """Return a scenario in which somebody waters once."""
    path = tmp_path / "day.toml"
    path.write_text(
        f'rig = "{ROOT / "rig.toml"}"\nseed = 3\nair_every_s = 3600\n'
        '[[people]]\nat = "1h"\ndoes = "dose"\nactuator = "pump"\nml = 200\n'
        '[[people]]\nat = "61min"\ndoes = "dose"\nactuator = "pump"\nml = 200\n'
    )
    return path


def test_json_has_plants_water_alerts_and_safety(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object; the second dose comes before the pause is over."""
    code = main(["simulate", "--days", "0.1", "--scenario", str(scenario), "--json"])

    report = json.loads(capsys.readouterr().out)
    assert code == 0
    assert report["plants"]["basil"]["water_ml"]["pumped"] == pytest.approx(200.0, rel=0.3)
    assert [dose["delivered_ml"] for dose in report["doses"]] == [pytest.approx(200.0)]
    assert report["refusals"] == {"S2": 1}
    assert report["people"][1]["refusal"]["margin"] < 0
    assert report["safety"]["violations"] == []


def test_a_flood_is_a_failure(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 where water stood where it should not, 2 for wrong use."""
    scenario.write_text(scenario.read_text() + '[[people]]\nat = "65min"\ndoes = "pour"\nplant = "basil"\nml = 4000\n')

    assert main(["simulate", "--days", "0.1", "--scenario", str(scenario)]) == 1
    assert "1 floods" in capsys.readouterr().out
    assert main(["simulate", "--days", "0", "--scenario", str(scenario)]) == 2
    assert "days: must be more than 0" in capsys.readouterr().err
    assert main(["simulate", "--days", "1", "--scenario", str(scenario.with_name("none.toml"))]) == 2
