"""Zones, plants and ids that the REST facade takes, and those that it refuses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dt.data.database.app import DatabaseService
from tests.data.database.test_rest import Ask, asking
from tests.data.readings import NOW, make_descriptor


@pytest.fixture
def ask(database: DatabaseService) -> Iterator[Ask]:
    """Return a way to send requests."""
    with asking(database) as send:
        yield send


_ENDLESS = "a" * 101
_UNKNOWN_OR_ENDLESS = [
    ("PUT", "/plants/mint", {"zone_id": "atlantis"}, "zone_id", "there are box"),
    ("PUT", "/plants/mint", {"zone_id": "mint"}, "zone_id", "there are box"),
    ("POST", "/notes", {"text": "x", "plant_id": "nobody"}, "plant_id", "there are basil, lettuce, tomato"),
    ("POST", "/notes", {"text": "x", "zone_id": "atlantis"}, "zone_id", "there are box"),
    ("PUT", f"/plants/{'a' * 3000}", {"zone_id": "box"}, "plant_id", "at most 100 characters, not 3000"),
    ("PUT", f"/zones/{_ENDLESS}", {}, "zone_id", "at most 100 characters"),
    ("PUT", f"/grants/{_ENDLESS}", {"by": "ada", "since": NOW}, "actuator_id", "at most 100 characters"),
    ("POST", "/notes", {"text": "x", "note_id": _ENDLESS}, "note_id", "at most 100 characters"),
    ("POST", "/bind_sensor", make_descriptor(_ENDLESS).to_dict(), "sensor_id", "at most 100 characters"),
    ("POST", "/bind_sensor", make_descriptor(zone_id=_ENDLESS).to_dict(), "zone_id", "at most 100 characters"),
]


def test_unknown_places_and_endless_ids_are_refused(ask: Ask) -> None:
    """What there is is listed, and nothing is kept."""
    for method, path, body, field, says in _UNKNOWN_OR_ENDLESS:
        answer = ask(method, path, json=body)
        assert (answer.status_code, answer.json()["field"], path[:20]) == (422, field, path[:20])
        assert says in answer.json()["limit"]

    kept = {path: len(ask("GET", path).json()["items"]) for path in ("/plants", "/zones", "/notes", "/sensors")}
    assert kept == {"/plants": 3, "/zones": 1, "/notes": 0, "/sensors": 0}


def test_zone_and_plant_of_a_bound_sensor_are_known(ask: Ask) -> None:
    """The edge may announce itself before anybody declares its zone."""
    bound = ask("POST", "/bind_sensor", json=make_descriptor("leaf", zone_id="attic", plant_id="fern").to_dict())
    written = ask("POST", "/notes", json={"text": "x", "zone_id": "attic", "plant_id": "fern"})

    assert (bound.status_code, written.status_code) == (201, 201)
    assert ask("PUT", "/plants/fern", json={"zone_id": "attic"}).status_code == 201


def test_archived_plant_has_a_zone_of_its_own(ask: Ask) -> None:
    """The air of a replayed file is nobody else's."""
    answer = ask("PUT", "/plants/log-2011", json={"zone_id": "log-2011", "archived": True})

    assert answer.status_code == 201
