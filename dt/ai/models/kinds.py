"""Which class a model's name stands for: the built-in ones, and those of other packages."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points

from dt.ai.models.base_model import BaseModel, ModelNotFoundError

ENTRY_POINTS = "dt.models"

BUILT_IN: Mapping[str, str] = {
    "dry_soil": "dt.ai.models.rule_based.dry_soil:DrySoilModel",
}


def model_class(name: str) -> type[BaseModel]:
    """Return the class of a model; raises ModelNotFoundError when no package brings it."""
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        found = getattr(import_module(module), attribute)
    else:
        outside = entry_points(group=ENTRY_POINTS, name=name)
        if not outside:
            raise ModelNotFoundError(f"{name}: no model of this name; there are: {', '.join(sorted(BUILT_IN))}")
        found = next(iter(outside)).load()
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        raise ModelNotFoundError(f"{name}: {found!r} is no model class")
    return found
