"""The outage's own account agrees with `/gaps` wherever in its slot a reading was taken."""

from __future__ import annotations

import importlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from dt.data.database.gaps import GapQuery, Known, gap_report
from dt.data.database.storage import Run

BENCH = Path(__file__).resolve().parents[2] / "scripts" / "bench"
BEGIN, EVERY_S = 1_000_000.0, 5.0


@pytest.mark.parametrize("late_s", [0.0, 0.5, 1.5, 3.5])
def test_the_last_reading_counts_though_a_retry_gave_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late_s: float
) -> None:
    """A look that fails is made again 0.5, 1.5 and 3.5 s after its slot's begin; the reading is that slot's."""
    monkeypatch.syspath_prepend(str(BENCH))
    bench = importlib.import_module("outage_account")
    times = [BEGIN + EVERY_S * number for number in range(10)]
    times[-1] += late_s
    keys = [("t0", "boot", number, at) for number, at in enumerate(times)]
    runs = [Run(boot_id="boot", first_sequence=n, last_sequence=n, first_at=at, last_at=at) for _, _, n, at in keys]
    lines = [f"{sign} t0 boot {n} {at:.3f}\n" for _, _, n, at in keys for sign in "><"]
    (tmp_path / "journal").write_text(f"B boot {BEGIN:.3f}\n" + "".join(lines))

    def ask(sensor_id: str, since: float, until: float) -> dict[str, Any]:
        query = GapQuery(sensor_id=sensor_id, since=since, until=until)
        return asdict(gap_report(runs, Known(cadences_s=[EVERY_S]), query, times[-1] + EVERY_S))

    account = bench.Account(bench.Journal(tmp_path), keys, keys)

    assert account.compare_gaps(ask) == {"gap_report_errors": 0, "gap_reports": 2, "missing": 0}
