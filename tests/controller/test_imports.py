"""The guard stands on its own: it starts, and stays up, whatever the rest of the product does."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import dt.controller.guard as guard_module

_FOLDER = Path(guard_module.__file__).parent
_MODULES = sorted([*_FOLDER.glob("guard*.py"), _FOLDER / "ledger.py"])
_OWN = {f"dt.controller.{path.stem}" for path in _MODULES}


@pytest.mark.parametrize("path", _MODULES, ids=lambda path: path.name)
def test_the_guard_imports_the_standard_library_and_gpiozero_only(path: Path) -> None:
    """Nothing else of dt, so that no bug elsewhere can keep the pins from being driven safe."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")

    strange = {n for n in names if n not in _OWN and n.split(".")[0] not in sys.stdlib_module_names | {"gpiozero"}}

    assert not strange
