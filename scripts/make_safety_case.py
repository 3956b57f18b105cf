#!/usr/bin/env python3
"""Write notes/safety-case.md: each invariant of the actuators, the code that keeps it, its tests, the last figures.

Code and tests are found by what they say themselves: a module of `dt/controller` or `dt/evaluation` that names the
invariant, a test whose name begins with it (`test_s03_…`). Figures are those of build/figures, where commands wrote
them on this machine; `--check` leaves them as they stand and says whether the rest is stale.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "notes" / "safety-case.md"
FIGURES = ROOT / "build" / "figures"

INVARIANTS: Mapping[int, str] = {
    1: "No output stays on longer than its maximum, by the guard's own monotonic clock.",
    2: "Between two actuations of one actuator lies its minimum pause.",
    3: "No plant gets more than its dose in any rolling 24 h, no reservoir gives more than it holds; charged on disk"
    " before the pin goes high, refunded only after a measured, clean stop.",
    4: "Automatic watering needs a moisture estimate that is fresh, good and certain; late readings cause no action.",
    5: "No watering above the upper moisture limit.",
    6: "One pump at a time per supply, loads within the supply's limit, no heater with an open-vent fan at full speed.",
    7: "A dose without the expected effect locks its pump out until a person releases it, and an alert says why.",
    8: "A heater that does not warm, whose sensor is stale or faulty, or above the cut-off, goes off and locks out.",
    9: "The emergency stop acts within 200 ms, also while a disk stalls; it latches, and only a person releases it.",
    10: "After any restart everything is off; a command runs at most once and expires 30 s after it was issued.",
    11: "Controller or guard dead, hung or paused: outputs are safe within 1 s. Broker or database gone: a dose ends as"
    " planned.",
    12: "A clock that is set grants no second budget and no shorter pause.",
    13: "Every refusal names its invariant, value, limit and margin, and is recorded.",
    14: "Until a person grants autonomy for an actuator, policies only recommend.",
}
_FIGURES: Sequence[tuple[str, str, Sequence[str]]] = (
    ("control", "make bench-control", ("kills", "off_after_kill_max_s", "planned_end_off_by_max_s", "water_share_max",
                                       "wrong", "pin_p99_ms", "pin_kafka_p99_ms", "stop_p99_ms")),
    ("soak", "make soak", ("plant_days", "floods", "violations", "below_wilting_share", "faulty_alerted_share",
                           "water_vs_timer")),
    ("mutation", "make mutate", ("mutants", "killed_share", "survived_weakening")),
)  # fmt: skip
_TEST = re.compile(r"test((?:_s\d\d)+)_")
_NAMED = re.compile(r"\bS(\d{1,2})\b")
_MADE = "<!-- Made by scripts/make_safety_case.py (make safety-case); change code and tests, then run it again. -->"
_FIGURES_HEAD = "## Last figures"


def main(arguments: Sequence[str] | None = None, page: Path = PAGE) -> int:
    """Write the page, or with `--check` return 1 when it is stale; 1 too when an invariant has no code or no test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page is stale")
    is_check = parser.parse_args(arguments).check
    code, tests = code_of(ROOT), tests_of(ROOT)
    missing = [f"S{number}" for number in INVARIANTS if not code[number] or not tests[number]]
    if missing:
        print(f"{', '.join(missing)}: no code names it, or no test", file=sys.stderr)
        return 1
    text = "\n".join(_case(code, tests))
    if is_check:
        written = page.read_text("utf-8") if page.exists() else ""
        is_stale = written.partition(_FIGURES_HEAD)[0] != f"{text}\n"
        if is_stale:
            print("notes/safety-case.md is stale: make safety-case", file=sys.stderr)
        return int(is_stale)
    page.write_text("\n".join([text, *_figures()]) + "\n", encoding="utf-8")
    print(f"{page.relative_to(ROOT)}: {sum(map(len, tests.values()))} tests of {len(INVARIANTS)} invariants")
    return 0


def code_of(root: Path) -> defaultdict[int, list[str]]:
    """Return for each invariant the modules that name it in a text: where they refuse, or say what they do."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for path in sorted((root / "dt" / "controller").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        texts = (
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )
        for number in sorted({int(match) for text in texts for match in _NAMED.findall(text)} & INVARIANTS.keys()):
            found[number].append(path.relative_to(root).as_posix())
    return found


def tests_of(root: Path) -> defaultdict[int, list[tuple[str, str]]]:
    """Return for each invariant its tests: file and name."""
    found: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for path in sorted((root / "tests").rglob("test_*.py")):
        for name in _functions(path):
            match = _TEST.match(name)
            for number in {} if match is None else {int(text) for text in re.findall(r"\d\d", match[1])}:
                found[number].append((path.relative_to(root / "tests").as_posix(), name))
    return found


def _functions(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.Assign):
            yield node.name if isinstance(node, ast.FunctionDef) else getattr(node.targets[0], "id", "")


def _case(code: Mapping[int, list[str]], tests: Mapping[int, list[tuple[str, str]]]) -> Iterator[str]:
    yield "# Safety case"
    yield ""
    yield _MADE
    yield ""
    yield (
        "What holds for every actuator, whatever policies, people, crashes and clocks do; the code that keeps it; and"
        " the tests that fail without that code. The guard ([control](control.md)) keeps S1, S2, S3, S6, S9, S10, S11"
        " and S12 by itself. A welded relay defeats all software: see [hardware](hardware.md)."
    )
    for number, words in INVARIANTS.items():
        yield ""
        yield f"## S{number}"
        yield ""
        yield words
        yield ""
        yield "Kept by " + ", ".join(f"`{path.removeprefix('dt/controller/')}`" for path in code[number]) + "."
        yield ""
        by_file: defaultdict[str, list[str]] = defaultdict(list)
        for path, name in tests[number]:
            by_file[path].append(name)
        for path, names in by_file.items():
            yield f"- `tests/{path}`: " + ", ".join(f"`{name}`" for name in names)
    yield ""


def _figures() -> Iterator[str]:
    yield _FIGURES_HEAD
    yield ""
    for name, command, keys in _FIGURES:
        try:
            found = json.loads((FIGURES / f"{name}.json").read_text("utf-8"))
        except FileNotFoundError:
            yield f"- `{command}`: not run on this machine yet"
            continue
        shown = ", ".join(f"{key} {found[key]:g}" for key in keys if key in found)
        yield f"- `{command}`: {shown}"


if __name__ == "__main__":
    raise SystemExit(main())
