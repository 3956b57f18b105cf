"""Who asks, by the name that a command gives: a person, one of the controller's own policies, or another machine."""

from __future__ import annotations

import re
import unicodedata

POLICY_ISSUER = "policy:"
_PERSON = "person"
_OWN = frozenset({"policy", "policies"})
_ROOTS = ("auto", "forecast", "hysteresis", "policies", "policy", "recommend", "robot", "schedul", "simulat")
_MACHINES = frozenset(
    {
        "agent", "ai", "alert", "alerts", "bot", "collector", "controller", "cron", "daily light", "daemon", "database",
        "guard", "job", "machine", "model", "openhab", "pid", "processing", "processor", "rule", "rules", "script",
        "service", "simulation", "soil water deficit", "system", "timer", "twin", "vacation", "webhook",
    }
)  # fmt: skip
_WORD = re.compile(r"[^\W_]+")


def is_own_policy(issuer: str) -> bool:
    """Return whether a name is one that the controller gives its own policies, however it is written.

    >>> [is_own_policy(name) for name in ("policy:pid", " Policy ", "POLICIES/x", "police officer", "anna")]
    [True, True, True, False, False]
    """
    words = _words_of(issuer)
    return bool(words) and words[0] in _OWN


def is_machine(issuer: str) -> bool:
    """Return whether a machine asks rather than a person; one without any word counts as a machine.

    A person whose name could be a machine's says `person:<name>`.

    >>> [is_machine(name) for name in ("policy:pid", "schedule", "AutoPilot 2", "my-ai", "soil_water_deficit", "...")]
    [True, True, True, True, True, True]
    >>> [is_machine(name) for name in ("person", "dashboard", "anna", "Żaneta Nowak", "person:Ai")]
    [False, False, False, False, False]
    """
    words = _words_of(issuer)
    if words[:1] == [_PERSON]:
        return False
    is_known = any(word in _MACHINES or word.startswith(_ROOTS) for word in [*words, " ".join(words)])
    return is_known or not words


def _words_of(issuer: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", issuer).casefold())
