"""notes/faults.md says what the tests of this folder saw; this file runs last of them."""

from __future__ import annotations

import os

import pytest

from dt.simulator.faults.catalogue import CATALOGUE
from tests.faults.fault_rows import FaultRows, committed_lines, did, injected, same, sees, write
from tests.faults.field import Past
from tests.faults.sensor_faults import LATER, ORDERS

WRITES = os.environ.get("DT_FAULT_TABLE") == "write"
BESIDE = {"air": "air-temperature", "light": "light", "camera": "camera"}


def healthy_beside(target: str) -> str:
    """Return the healthy sensor of the same kind."""
    if target == "soil-f10-moved":
        return "soil-mint"
    return BESIDE.get(target.partition("-")[0], "soil")


@pytest.fixture(scope="module")
def rows(sensor_field: Past, fault_rows: FaultRows) -> FaultRows:
    """Return what other tests noted, and what came of every sensor with a fault."""
    by_target: dict[str, list[tuple[str, dict[str, object]]]] = {}
    for fault, target, parameters in ORDERS + LATER:
        by_target.setdefault(target, []).append((fault, parameters))
    for target, faults in by_target.items():
        seen, beside = sensor_field.seen(target), sensor_field.seen(healthy_beside(target))
        how = " with ".join(f"{fault} {injected(parameters)}" for fault, parameters in faults)
        how = injected(faults[0][1]) if len(faults) == 1 else how
        fault_rows.add(faults[0][0], how, did(seen, beside), sees(seen, beside))
    return fault_rows


@pytest.mark.skipif(not WRITES, reason="scripts/make_fault_table.py writes the table")
def test_the_table_is_written(rows: FaultRows) -> None:
    """Every fault is in it."""
    assert {row.fault for row in rows.rows} == set(CATALOGUE)

    write(rows.lines())


def test_the_committed_table_says_what_was_seen(rows: FaultRows) -> None:
    """Numbers that depend on the moment aside; when this fails, run `make fault-table` and look at the difference."""
    committed = {same(line) for line in committed_lines()}

    assert [line for line in rows.lines() if same(line) not in committed] == []


def test_the_committed_table_has_every_fault() -> None:
    """At least one row each."""
    assert {line.split()[1] for line in committed_lines()} == set(CATALOGUE)
