"""How good the quality gates are: on the box's faults, on its clean past, and on files that nobody made for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from dt.evaluation import quality_files as files
from dt.evaluation.quality_box import EVERY_S, PlannedFault, box_readings, plan
from dt.evaluation.quality_files import MONTH_S, Score
from dt.evaluation.quality_run import Judgement, Key, doubted_spans, judgements
from dt.utils.rig import Rig

START = 1_790_000_000.0  # any time: 2026-09-21
_AFTER_S = 2 * 86_400.0  # of quiet that the plan leaves after a fault
_SAME = 0.005  # of a value: differences below are no distortion
_SAME_AT_LEAST = 0.15

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultScore:
    """One fault of one quantity: faults found, distorted readings doubted, and how much of the doubt was right.

    Doubt is right while the fault lasts: what a sensor says in between is not to be believed either.
    """

    name: str
    faults: Score
    readings: Score


def box_scores(rig: Rig, seed: int, days: float) -> tuple[list[FaultScore], float]:
    """Return a score for each fault of the plan, and false alarms per sensor and month without any fault."""
    faults = plan(rig, START, days)
    clean = {(r.sensor_id, r.timestamp): r for r in box_readings(rig, seed, START, days)}
    calm = judgements(clean.values(), rig.sensors)
    sensors = {sensor_id for sensor_id, _ in calm}
    alarms = len(doubted_spans(calm.values())) / (len(sensors) * days * 86_400.0 / MONTH_S)
    raw = {key: reading.value for key, reading in clean.items()}
    found = judgements(box_readings(rig, seed, START, days, faults), rig.sensors)
    by_name = sorted(faults, key=lambda fault: fault.name)
    scores = [_score(name, list(group), found, raw) for name, group in groupby(by_name, key=lambda fault: fault.name)]
    return scores, alarms


def _score(name: str, faults: Sequence[PlannedFault], found: dict[Key, Judgement], raw: dict[Key, float]) -> FaultScore:
    seen = distorted = caught = inside = doubted = 0
    for fault in faults:
        during = _within(found, fault.sensor_id, fault.since, fault.until)
        after = _within(found, fault.sensor_id, fault.until, fault.until + _AFTER_S)
        wrong = [one for one in during if _is_distorted(one, raw.get((one.sensor_id, one.timestamp)))]
        seen += any(one.is_doubted for one in during)
        distorted += len(wrong)
        caught += sum(one.is_doubted for one in wrong)
        inside += sum(one.is_doubted for one in during)
        doubted += sum(one.is_doubted for one in (*during, *after))
    return FaultScore(
        name=name,
        faults=Score(wrong=len(faults), caught=seen, doubted=doubted, right=inside),
        readings=Score(wrong=distorted, caught=caught, doubted=doubted, right=inside),
    )


def _within(found: dict[Key, Judgement], sensor_id: str, since: float, until: float) -> list[Judgement]:
    steps = range(round((until - since) / EVERY_S))
    keys = ((sensor_id, since + step * EVERY_S) for step in steps)
    return [found[key] for key in keys if key in found]


def _is_distorted(one: Judgement, true: float | None) -> bool:
    return true is not None and abs(one.raw_value - true) > max(_SAME_AT_LEAST, _SAME * abs(true))


def box_figures(scores: Iterable[FaultScore], alarms: float, say: Say) -> dict[str, float]:
    """Say the table of the box's faults and return its figures."""
    figures: dict[str, float] = {}
    scores = list(scores)
    say(f"{'fault and quantity':34} {'faults':>6} {'found':>6} {'of its readings':>16} {'precision':>10}")
    for score in scores:
        recall, readings, precision = score.faults.recall, score.readings.recall, score.faults.precision
        say(f"{score.name:34} {score.faults.wrong:6} {recall:6.2f} {readings:16.2f} {precision:10.2f}")
        figures |= {
            f"box_{score.name}_recall": recall,
            f"box_{score.name}_reading_recall": readings,
            f"box_{score.name}_precision": precision,
        }
    figures["box_recall"] = sum(s.faults.caught for s in scores) / sum(s.faults.wrong for s in scores)
    figures["box_reading_recall"] = sum(s.readings.caught for s in scores) / sum(s.readings.wrong for s in scores)
    figures["box_precision"] = sum(s.faults.right for s in scores) / max(1, sum(s.faults.doubted for s in scores))
    figures["false_alarms_per_month"] = alarms
    say(f"all: faults found {figures['box_recall']:.2f}, precision {figures['box_precision']:.2f}")
    say(f"clean box: {alarms:.2f} false alarms per sensor and month")
    return figures


def file_figures(data: Path, say: Say) -> dict[str, float]:
    """Say what came of the files and return the figures."""
    figures: dict[str, float] = {}
    for name, score in {**files.logger_score(data), "labelled": files.labelled_score(data)}.items():
        key = name if name == "labelled" else f"logger_{name}"
        figures |= {f"{key}_recall": score.recall, f"{key}_precision": score.precision}
        say(f"{key:34} {score.wrong:6} wrong, {score.caught} caught, precision {score.precision:.2f}")
    for name, read in (
        ("park", files.park),
        ("greenhouse", files.greenhouse),
        ("office", files.office),
        ("pot", files.pot),
    ):
        judged = read(data)
        spans, months = judged.spans, judged.sensor_months
        figures[f"{name}_alarms_per_month"] = len(spans) / months
        checks = ", ".join(sorted({check for *_, check in spans})) or "none"
        say(f"{name:34} {len(spans):6} stretches of doubt in {months:.1f} sensor-months ({checks})")
    figures["humidity_rmse_g_m3"] = files.humidity_rmse_g_m3(data)
    figures["humidity_ratio_rmse"] = files.humidity_ratio_rmse(data)
    figures["eto_rmse_mm_d"] = files.eto_rmse_mm_d(data)
    say(
        f"humidity {figures['humidity_rmse_g_m3']:.4f} g/m3, ratio {figures['humidity_ratio_rmse']:.1e}, "
        f"reference ET {figures['eto_rmse_mm_d']:.3f} mm/d (RMSE)"
    )
    return figures
