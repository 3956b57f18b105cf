"""What `make mutate` makes of mutmut's findings, and that its reasons still speak of the code."""

from __future__ import annotations

import ast

import pytest

from scripts import mutate
from scripts.mutate import Mutant

_CONTROLLER = mutate.ROOT / "dt" / "controller"
_KILLED = Mutant(function="guard.py:Guard.tick")
_ENDLESS = Mutant(function="guard.py:Guard.tick", status="timeout")
_SURVIVED = Mutant(function="guard_run.py:why_pause", before="a >= b", after="a > b", status="survived")
_REASONS = {("guard_run.py:why_pause", "a >= b", "a > b"): "Nobody sees it."}


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("dt.controller.guard.xǁGuardǁ_why_busy__mutmut_3", "guard.py:Guard._why_busy"),
        ("dt.controller.guard_run.x_why_pause__mutmut_12", "guard_run.py:why_pause"),
        ("dt.controller.ledger.x__short__mutmut_1", "ledger.py:_short"),
        ("dt.controller.interlocks.mode.x_check__mutmut_3", "interlocks/mode.py:check"),
        ("dt.controller.interlocks.x_refusals__mutmut_3", "interlocks/__init__.py:refusals"),
    ],
)
def test_a_mutant_is_named_by_file_and_function(name: str, function: str) -> None:
    """Its number changes with every line that is added."""
    assert mutate.function_of(name) == function


def test_a_change_is_what_a_diff_takes_away_and_adds() -> None:
    """Without what stands around it."""
    diff = "--- a.py\n+++ b.py\n@@ -1,3 +1,3 @@\n def f():\n-    one(\n-        2,\n+    one(\n+        3,\n     )\n"

    assert mutate.changed(diff) == ("one( 2,", "one( 3,")
    assert mutate.changed("--- a.py\n+++ b.py\n-    gone,\n") == ("gone,", "")


def test_a_survivor_without_a_reason_makes_the_command_fail(capsys: pytest.CaptureFixture[str]) -> None:
    """It is counted, and named with its lines."""
    mutants = [_KILLED] * 97 + [_ENDLESS, _SURVIVED, _SURVIVED]

    assert mutate.figures(mutants, {}) == {
        "mutants": 100.0, "killed_share": 0.98, "survived": 2.0, "survived_weakening": 2.0,
    }  # fmt: skip
    assert mutate._judge(mutants, {}) == 1
    assert "guard_run.py:why_pause\n- a >= b\n+ a > b" in capsys.readouterr().err
    assert mutate.figures(mutants, _REASONS)["survived_weakening"] == 0.0
    assert mutate._judge(mutants, _REASONS) == 0


def test_too_many_survivors_make_the_command_fail(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever their reasons are."""
    assert mutate._judge([_KILLED] * 94 + [_SURVIVED] * 6, _REASONS) == 1
    assert "94.0%" in capsys.readouterr().err


def test_the_page_has_every_survivor_once_with_its_reason() -> None:
    """Under its function, below a row for each file."""
    lines = list(mutate.page([_KILLED, _ENDLESS, _SURVIVED, _SURVIVED], _REASONS))

    assert "| guard.py | 2 | 2 | 1 | 0 |" in lines
    assert "| all | 4 | 2 | 1 | 2 |" in lines
    assert lines[-4:] == ["### guard_run.py:why_pause", "", "- `a >= b` -> `a > b`", "  Nobody sees it."]


def test_every_reason_speaks_of_a_line_that_is_there() -> None:
    """A reason for code that has changed since is none."""
    reasons = mutate.reasons_of(mutate.REASONS.read_text("utf-8"))

    strange = [key for key in reasons if key[1] not in _source(*key[0].split(":"))]

    assert not strange
    assert all(reasons.values())


def _source(name: str, function: str) -> str:
    """Return a function's text, its lines as one, as `changed` joins them."""
    text = (_CONTROLLER / name).read_text("utf-8")
    parts = function.split(".")
    body: list[ast.stmt] = ast.parse(text).body
    for part in parts:
        found = next(node for node in body if getattr(node, "name", "") == part)
        body = getattr(found, "body", [])
    return " ".join(line.strip() for line in (ast.get_source_segment(text, found) or "").splitlines())


def test_a_change_that_changes_nothing_is_put_into_the_first_function() -> None:
    """Below its docstring; the code does what it did."""
    text = 'class A:\n    def one(self) -> int:\n        """Say one."""\n        # a comment\n        return 1\n'

    made = mutate.with_control(text)

    assert made.splitlines()[-2:] == ["        changes_nothing = 1", "        return 1"]
    assert mutate.with_control("def two() -> int:\n    return 2\n").splitlines()[1] == "    changes_nothing = 1"


def test_what_is_mutated_and_what_tests_it_is_there() -> None:
    """A file that was renamed would no longer be mutated."""
    assert all(list(mutate.ROOT.glob(pattern)) for pattern in mutate.MUTATED)
    assert all((mutate.ROOT / "tests" / "controller" / f"{name}.py").exists() for name in mutate.TESTS)
