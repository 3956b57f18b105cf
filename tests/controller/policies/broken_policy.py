"""A policy of somebody else's package, with a fault."""

from __future__ import annotations

from typing import ClassVar

from dt.controller.policies.base_policy import BasePolicy, PolicyView, Wish
from dt.controller.policies.recommendation import RecommendationParameters


class BrokenPolicy(BasePolicy):
    """Looks for what nobody remembers."""

    name: ClassVar[str] = "broken"
    words: ClassVar[str] = "Fails."
    kinds: ClassVar[frozenset[str]] = frozenset({"pump"})
    parameters_type = RecommendationParameters

    def __init__(self, parameters: RecommendationParameters) -> None:
        del parameters

    def decide(self, view: PolicyView) -> Wish | None:
        """Raise a KeyError."""
        return Wish(reason=str(view.memory["never"]))
