#!/usr/bin/env python3
"""Change guard, ledger and interlocks one place at a time (mutmut), and look whether a test of theirs fails.

Works in a temporary copy. Prints a table; writes build/figures/mutation.json and notes/mutation.md, where every mutant
that no test noticed stands with the reason why it weakens no invariant (scripts/mutation_reasons.toml, by function and
changed line). Returns 1 when one has no reason, or when less than 95 % were noticed. In every file two changes that
change nothing are made too: where a test fails by these, tests fail for another reason than the change, and nothing is
told.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REASONS = Path(__file__).with_name("mutation_reasons.toml")
PAGE = ROOT / "notes" / "mutation.md"
FIGURES = ROOT / "build" / "figures" / "mutation.json"
LEAST_KILLED = 0.95

MUTATED = (
    "dt/controller/guard.py",
    "dt/controller/guard_load.py",
    "dt/controller/guard_on_time.py",
    "dt/controller/guard_run.py",
    "dt/controller/ledger.py",
    "dt/controller/interlocks/*.py",
)
# Each takes milliseconds: the state machine of hypothesis would cost minutes for every mutant that survives.
TESTS = ("test_interlocks", "test_guard_rules", "test_guard_state", "test_ledger_books", "test_ledger")
_COPIED = ("dt", "tests/conftest.py", "tests/controller", "pyproject.toml", "rig.toml")
# mutmut runs a mutant's tests in a fork of a process that has run all of them before: what pytest tells about threads
# and objects of that earlier run says nothing of the mutant.
_PYTEST = (
    "-p", "no:cacheprovider", "-p", "no:unraisableexception", "-p", "no:threadexception", "-W", "default", "-n", "0",
    "-m", "not slow and not integration",
)  # fmt: skip
_CONTROL = "changes_nothing = 1"
_CONTROLS_EACH = 2  # of an assignment mutmut makes two: its number one higher, and None
_NOTICED = frozenset({"killed", "timeout", "segfault"})
_MADE = "<!-- Made by scripts/mutate.py (make mutate) with the reasons of scripts/mutation_reasons.toml. -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change: in which function, the lines before and after, and what mutmut says of the tests."""

    function: str
    before: str = ""
    after: str = ""
    status: str = "killed"

    @property
    def module(self) -> str:
        """Return the file that it is in."""
        return self.function.split(":")[0]

    @property
    def is_noticed(self) -> bool:
        """Return whether a test failed, or never ended."""
        return self.status in _NOTICED


Reasons = Mapping[tuple[str, str, str], str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, write; 1 when a mutant survived without a reason, or too many survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--children", type=int, default=os.cpu_count() or 1, help="tests at the same time")
    parser.add_argument("only", nargs="*", help="mutants by name, '*' allowed; then nothing is written")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="plant-twin-mutate-", dir=_memory()) as name:
        _copy(Path(name))
        print(f"{', '.join(MUTATED)}: some minutes, log in {name}/mutmut.log", file=sys.stderr)
        mutants = _run(Path(name), chosen.children, chosen.only)
    reasons = reasons_of(REASONS.read_text("utf-8"))
    for line in table(mutants):
        print(line)
    if not chosen.only:
        _write(mutants, reasons)
    return _judge(mutants, reasons)


def reasons_of(text: str) -> Reasons:
    """Return the reasons by function, line before and line after."""
    return {
        (one["function"], one["before"], one["after"]): one["reason"] for one in tomllib.loads(text).get("survivor", [])
    }


def changed(diff: str) -> tuple[str, str]:
    """Return the lines that a diff takes away and those that it adds, each as one text."""
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    before, after = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return before, after


def function_of(name: str) -> str:
    """Return where a mutant is, by its name in mutmut: file and function, `guard.py:Guard._why_busy`."""
    module, _, mangled = name.partition("__mutmut_")[0].rpartition(".")
    path = module.removeprefix("dt.controller.").replace(".", "/")
    function = mangled.removeprefix("xǁ").replace("ǁ", ".") if "ǁ" in mangled else mangled.removeprefix("x_")
    return f"{'interlocks/__init__' if path == 'interlocks' else path}.py:{function}"


def with_control(text: str) -> str:
    """Return a module whose first function begins with an assignment that nothing needs."""
    functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))
    first = min((one for one in functions if not one.decorator_list), key=lambda one: one.lineno)
    start = first.body[1 if ast.get_docstring(first) and len(first.body) > 1 else 0]
    lines = text.splitlines(keepends=True)
    lines.insert(start.lineno - 1, " " * start.col_offset + _CONTROL + "\n")
    return "".join(lines)


def unexplained(mutants: Sequence[Mutant], reasons: Reasons) -> list[Mutant]:
    """Return the mutants that no test noticed and that have no reason."""
    return [one for one in mutants if not one.is_noticed and (one.function, one.before, one.after) not in reasons]


def figures(mutants: Sequence[Mutant], reasons: Reasons) -> dict[str, float]:
    """Return what is kept of a run."""
    return {
        "mutants": float(len(mutants)),
        "killed_share": sum(one.is_noticed for one in mutants) / max(1, len(mutants)),
        "survived": float(sum(not one.is_noticed for one in mutants)),
        "survived_weakening": float(len(unexplained(mutants, reasons))),
    }


def table(mutants: Sequence[Mutant]) -> Iterator[str]:
    """Yield a row for each file: mutants, noticed, noticed by a test that never ended, survived."""
    yield "| file | mutants | noticed | of them never ended | survived |"
    yield "| --- | --- | --- | --- | --- |"
    for module in [*sorted({one.module for one in mutants}), "all"]:
        here = [one for one in mutants if module in {one.module, "all"}]
        noticed, ended = sum(one.is_noticed for one in here), Counter(one.status for one in here)["timeout"]
        yield f"| {module} | {len(here)} | {noticed} | {ended} | {len(here) - noticed} |"


def page(mutants: Sequence[Mutant], reasons: Reasons) -> Iterator[str]:
    """Yield the lines of notes/mutation.md."""
    share = figures(mutants, reasons)["killed_share"]
    survivors = sorted({(m.function, m.before, m.after) for m in mutants if not m.is_noticed})
    yield "# Mutation testing"
    yield ""
    yield _MADE
    yield ""
    yield (
        "`make mutate` changes guard, ledger and interlocks one place at a time (mutmut) and runs the tests that reach"
        f" the place: {', '.join(f'`{name}.py`' for name in TESTS)} of `tests/controller`. Of {len(mutants)} mutants"
        f" {share:.1%} made a test fail; the others stand below, each with the reason why it weakens no invariant."
    )
    yield ""
    yield from table(mutants)
    yield ""
    yield "## Survivors"
    function = ""
    for survivor in survivors:
        if survivor[0] != function:
            function = survivor[0]
            yield ""
            yield f"### {function}"
            yield ""
        yield f"- `{survivor[1] or '(nothing)'}` -> `{survivor[2] or '(nothing)'}`"
        yield f"  {reasons.get(survivor, '**No reason is known.**')}"


def _memory() -> Path | None:
    """Return where files are kept in memory, if anywhere: on a disk every commit of a ledger waits for it."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own within
    return memory if os.access(memory, os.W_OK) else None


def _copy(folder: Path) -> None:
    """Copy what is mutated and what the tests need, with mutmut's settings."""
    no_caches = shutil.ignore_patterns("__pycache__", "static")
    for name in _COPIED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=no_caches)
        else:
            shutil.copy(source, target)
    settings = {
        "source_paths": ["dt"],
        "only_mutate": list(MUTATED),
        "also_copy": ["tests", "rig.toml"],
        "pytest_add_cli_args": list(_PYTEST),
        "pytest_add_cli_args_test_selection": [f"tests/controller/{name}.py" for name in TESTS],
        "timeout_constant": 6.0,
        "timeout_multiplier": 5.0,
        "use_git_change_detection": False,
    }
    for path in _mutated_in(folder):
        path.write_text(with_control(path.read_text("utf-8")), encoding="utf-8")
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n[tool.mutmut]\n")
        file.writelines(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())


def _mutated_in(folder: Path) -> Iterator[Path]:
    return (path for pattern in MUTATED for path in folder.glob(pattern))


def _run(folder: Path, children: int, only: Sequence[str]) -> list[Mutant]:
    """Run mutmut, and return what became of every mutant."""
    command = [sys.executable, "-c", "from mutmut.__main__ import cli; cli()", "run", "--max-children", str(children)]
    log, temporary = folder / "mutmut.log", folder / "tmp"
    temporary.mkdir()
    with log.open("wb") as output:
        done = subprocess.run(
            [*command, *only],
            cwd=folder,
            env=os.environ | {"TMPDIR": str(temporary)},
            stdout=output,
            stderr=output,
            check=False,
        )
    if done.returncode != 0:
        print(log.read_text("utf-8", "replace")[-5000:], file=sys.stderr)
        raise SystemExit(f"mutmut ended with {done.returncode}")
    with contextlib.chdir(folder):
        found = [one for one in _mutants() if one.status != "not checked" or not only]
    controls = [one for one in found if one.before == _CONTROL]
    wanted = 0 if only else _CONTROLS_EACH * len(list(_mutated_in(folder)))
    if len(controls) < wanted:
        raise SystemExit(f"only {len(controls)} of {wanted} changes that change nothing let the tests pass")
    return [one for one in found if one.before != _CONTROL]


def _mutants() -> Iterator[Mutant]:
    """Yield every mutant of the folder that mutmut ran in, with its lines where no test noticed it."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.stats import status_by_exit_code

    for meta in sorted(Path("mutants").rglob("*.py.meta")):
        path = meta.relative_to("mutants").with_suffix("")
        for name, code in json.loads(meta.read_text("utf-8"))["exit_code_by_key"].items():
            status = status_by_exit_code[code]
            before, after = ("", "") if status in _NOTICED else changed(get_diff_for_mutant(name, path=path))
            yield Mutant(function=function_of(name), before=before, after=after, status=status)


def _write(mutants: Sequence[Mutant], reasons: Reasons) -> None:
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(figures(mutants, reasons), indent=2) + "\n", encoding="utf-8")
    PAGE.write_text("\n".join(page(mutants, reasons)) + "\n", encoding="utf-8")


def _judge(mutants: Sequence[Mutant], reasons: Reasons) -> int:
    """Say on stderr what is wrong."""
    survived = unexplained(mutants, reasons)
    for one in survived:
        print(
            f"no test notices, and no reason is known: {one.function}\n- {one.before}\n+ {one.after}", file=sys.stderr
        )
    share = figures(mutants, reasons)["killed_share"]
    if share < LEAST_KILLED:
        print(f"tests noticed {share:.1%} of the mutants, less than {LEAST_KILLED:.0%}", file=sys.stderr)
    return int(bool(survived) or share < LEAST_KILLED)


if __name__ == "__main__":
    raise SystemExit(main())
