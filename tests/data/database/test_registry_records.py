"""Sensors, calibrations and zones as they stand, and what people decided: every version is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dt.data.database.records import PageQuery, Records
from dt.data.database.records_db import RecordsDB
from dt.data.database.registry_records import Binding, BindingConflictError, RegistryRecords
from dt.utils.dataclasses import Grant, ModelRecord, Note, Plant, Policy, SensorDescriptor
from dt.utils.exceptions import MessageError
from dt.utils.rig import Zone
from tests.data.readings import NOW, make_descriptor

LINE = [[0, 0.0], [1000, 1.0]]


@pytest.fixture
def registry(db: RecordsDB) -> RegistryRecords:
    """Return an empty registry."""
    return RegistryRecords(db)


def soil(version: int | None = None, **more: object) -> SensorDescriptor:
    """Return a soil sensor with a calibration of a version."""
    calibration = None if version is None else {"version": version, "points": LINE}
    return make_descriptor("soil", "soil_moisture", calibration=calibration, **more)


def history(registry: RegistryRecords, sensor_id: str = "soil") -> list[tuple[int, float, str, bool]]:
    """Return version, since when (from NOW), by whom, and whether there is a calibration."""
    return [
        (kept.version, kept.since - NOW, kept.by, kept.calibration is not None)
        for kept in registry.calibrations(sensor_id)
    ]


class TestCalibrations:
    """Each is kept with who gave it and since when."""

    def test_bound_and_changed_ones_are_versions(self, registry: RegistryRecords) -> None:
        """The rig's, a person's, none, and the rig's again: four versions, and other changes are none."""
        registry.bind(soil(1), NOW)
        registry.bind(soil(1), NOW + 1)
        registry.patch("soil", {"name": "Basil's"}, NOW + 2, "ada")
        registry.patch("soil", {"calibration": {"points": LINE}}, NOW + 3, "ada")
        registry.patch("soil", {"calibration": None}, NOW + 4, "bob")
        binding, _kept = registry.bind(soil(4), NOW + 5, take_over=True)

        assert binding is Binding.UPDATED
        assert history(registry) == [
            (1, 0, "rig", True),
            (2, 3, "ada", True),
            (3, 4, "bob", False),
            (4, 5, "rig", True),
        ]

    def test_version_is_never_given_twice(self, registry: RegistryRecords) -> None:
        """Not even after the calibration was taken away."""
        registry.bind(soil(), NOW)
        for at in range(2):
            registry.patch("soil", {"calibration": {"points": LINE}}, NOW + at, "ada")
            registry.patch("soil", {"calibration": None}, NOW + at, "ada")
        after = registry.patch("soil", {"calibration": {"points": LINE}}, NOW + 2, "ada")

        assert after is not None
        assert after.calibration == {"version": 5, "points": LINE}
        assert [version for version, *_rest in history(registry)] == [1, 2, 3, 4, 5]

    def test_rig_must_count_on_from_what_a_person_gave(self, registry: RegistryRecords) -> None:
        """Another calibration under a version that was had contradicts it."""
        registry.bind(soil(1), NOW)
        registry.patch("soil", {"calibration": {"points": LINE}}, NOW + 1, "ada")
        registry.patch("soil", {"calibration": None}, NOW + 2, "ada")

        with pytest.raises(BindingConflictError, match="calibration"):
            registry.bind(soil(2), NOW + 3, take_over=True)

    def test_it_may_hold_since_an_earlier_instant(self, registry: RegistryRecords) -> None:
        """A probe that was moved this morning is calibrated at noon."""
        registry.bind(soil(1), NOW)
        registry.patch("soil", {"calibration": {"points": LINE, "since": NOW - 9}}, NOW + 3, "ada")

        assert history(registry) == [(1, 0, "rig", True), (2, -9, "ada", True)]

    def test_since_may_be_iso_8601(self, registry: RegistryRecords) -> None:
        """As any other time."""
        registry.bind(soil(1), NOW)
        registry.patch("soil", {"calibration": {"points": LINE, "since": "2027-01-15T07:00:00Z"}}, NOW + 3, "ada")

        assert history(registry)[1] == (2, -3600.0, "ada", True)

    @pytest.mark.parametrize(
        ("calibration", "field"),
        [
            ({"points": LINE, "since": NOW + 60}, "calibration.since"),
            ({"points": LINE, "since": "noon"}, "calibration.since"),
            ({"points": LINE, "since": True}, "calibration.since"),
            ({"points": [[0, 0.0], [9, 1.0]], "version": 1}, "calibration.version"),
            ({"points": LINE, "version": 2**31}, "calibration.version"),
            ({"points": [[1, 0.0]]}, "calibration.points"),
            ({"points": [[300, 1e300], [700, -5]]}, "calibration.points"),
            ({"points": [[300, 0.0], [1e6, 0.5]]}, "calibration.points"),
            ({"points": [[-1, 0.0], [700, 0.5]]}, "calibration.points"),
            ({"version": 7, "slope": 2, "offset": 1}, "calibration.points"),
            ("straight", "calibration"),
        ],
    )
    def test_what_cannot_be_one_is_refused_by_field(
        self, registry: RegistryRecords, calibration: object, field: str
    ) -> None:
        """And nothing changes."""
        registry.bind(soil(1), NOW)

        with pytest.raises(MessageError) as refused:
            registry.patch("soil", {"calibration": calibration}, NOW + 1, "ada")

        assert refused.value.field == field
        assert len(history(registry)) == 1


class TestBinding:
    """The same again changes nothing; another one is a conflict, unless it is the rig's own edit."""

    @pytest.mark.parametrize(
        "changes",
        [
            {"name": "Other"},
            {"read_interval": 9.0},
            {"options": {"depth": 0.5}},
            {"calibration": {"points": LINE}},
        ],
    )
    def test_another_descriptor_is_a_conflict_that_changes_nothing(
        self, registry: RegistryRecords, changes: dict[str, Any]
    ) -> None:
        """Name, cadence and calibration too."""
        registry.bind(soil(), NOW)

        with pytest.raises(BindingConflictError) as conflict:
            registry.bind(soil(**changes) if "calibration" not in changes else soil(1), NOW)

        assert conflict.value.fields == list(changes)
        assert registry.sensors() == [soil()]

    def test_edited_rig_is_taken_over(self, registry: RegistryRecords) -> None:
        """It must be able to start; and what a person changed stays, as long as the rig repeats itself."""
        registry.bind(soil(), NOW)
        registry.patch("soil", {"name": "Basil's"}, NOW)
        edited = {"read_interval": 9.0, "options": {"depth": 0.5}}
        binding, kept = registry.bind(soil(**edited), NOW, take_over=True)

        assert (binding, kept) == (Binding.UPDATED, soil(name="Basil's", **edited))
        assert registry.bind(soil(**edited), NOW) == (Binding.SAME, kept)

    def test_first_calibration_is_checked_too(self, registry: RegistryRecords) -> None:
        """And nothing is kept of the sensor."""
        with pytest.raises(MessageError) as refused:
            registry.bind(replace(soil(1), calibration={"points": [[300, "a"], [400, None]]}), NOW)

        assert refused.value.field == "calibration.points"
        assert registry.sensors() == []

    def test_unusable_calibration_of_before_does_not_stop_the_rig(
        self, registry: RegistryRecords, db: RecordsDB
    ) -> None:
        """It repeats what it bound when nobody looked, and another field can still be changed."""
        registry.bind(soil(1), NOW)
        with db.write() as connection:
            connection.exec_driver_sql("UPDATE sensors SET body = replace(body, '1000', '-9'), bound = body")
            connection.exec_driver_sql("UPDATE sensors SET bound = body")
        [kept] = registry.sensors()

        assert registry.bind(kept, NOW)[0] is Binding.SAME
        changed = registry.patch("soil", {"name": "Basil's"}, NOW)
        assert changed is not None
        assert changed.name == "Basil's"


def test_cadence_of_before_there_were_limits_is_the_nearest_that_can_be(
    registry: RegistryRecords, db: RecordsDB
) -> None:
    """The registry stays readable, and rebinding works."""
    registry.bind(soil(), NOW)
    with db.write() as connection:
        connection.exec_driver_sql("UPDATE sensors SET body = replace(body, '5.0', '1e300')")

    assert [sensor.read_interval for sensor in registry.sensors()] == [86_400.0]
    assert registry.bind(soil(), NOW)[0] is Binding.SAME


def test_cadences_are_kept_with_the_sensor(registry: RegistryRecords, db: RecordsDB) -> None:
    """Every one that a sensor has had, for the account of gaps."""
    registry.bind(make_descriptor(), NOW)
    registry.patch("air-t", {"read_interval": 10.0}, NOW)
    registry.patch("air-t", {"read_interval": 5.0}, NOW)

    with db.read() as connection:
        found = connection.exec_driver_sql("SELECT read_interval FROM cadences ORDER BY 1").scalars().all()
    assert found == [5.0, 10.0]


def test_zone_is_kept_and_replaced(registry: RegistryRecords) -> None:
    """The rig's does not win over a person's."""
    assert registry.put_zone(Zone(zone_id="box", name="Box"), NOW)
    assert not registry.put_zone(Zone(zone_id="box", name="Shelf", timezone="Europe/Rome"), NOW)
    assert not registry.put_zone(Zone(zone_id="box", name="Box"), NOW, replace=False)

    assert registry.zones() == [Zone(zone_id="box", name="Shelf", timezone="Europe/Rome")]


def test_zone_of_a_plant_and_whether_it_is_archived_are_known(registry: RegistryRecords) -> None:
    """Both follow the plant when it changes."""
    registry.put_plant(Plant(plant_id="basil", zone_id="box", archived=True), NOW)
    before = registry.archived_plants()
    registry.put_plant(Plant(plant_id="basil", zone_id="shelf"), NOW)

    assert (before, registry.archived_plants()) == ({"basil"}, set())
    assert (registry.zone_of("basil"), registry.zone_of("mint")) == ("shelf", None)


def test_policy_counts_its_versions_and_keeps_them(registry: RegistryRecords) -> None:
    """The same again is no new version."""
    wanted = Policy(plant_id="basil", parameters={"dose_ml": 50})
    registry.put_policy(wanted, NOW, "ada")
    same = registry.put_policy(wanted, NOW + 1, "bob")
    off = registry.put_policy(Policy(plant_id="basil", enabled=False), NOW + 2, "bob")
    registry.put_policy(Policy(plant_id="aloe"), NOW)

    assert (same.version, same.by, off.version, off.since, off.by) == (1, "ada", 2, NOW + 2, "bob")
    assert [(kept.plant_id, kept.version) for kept in registry.policies()] == [("aloe", 1), ("basil", 2)]
    assert [(kept.version, kept.enabled) for kept in registry.policy_history("basil")] == [(1, True), (2, False)]
    assert registry.policy_history("mint") == []


def test_grant_ends_when_it_is_revoked_and_stays_in_the_history(registry: RegistryRecords) -> None:
    """Who gave it, who took it back; one that ended by itself is not taken back."""
    grant = Grant(actuator_id="pump", by="ada", since=NOW)
    ended = Grant(actuator_id="pump", by="ada", since=NOW - 100, until=NOW - 50)

    assert registry.put_grant(ended)
    assert registry.put_grant(grant)
    assert not registry.put_grant(grant)
    revoked = registry.revoke("pump", NOW + 5, "bob")

    assert revoked is not None
    assert (revoked.since, revoked.by, revoked.revoked_at, revoked.revoked_by) == (NOW, "ada", NOW + 5, "bob")
    assert registry.revoke("pump", NOW + 6, "bob") is None
    assert [kept.revoked_at for kept in registry.grants("pump")] == [None, NOW + 5]
    assert registry.grants("lamp") == []


def test_one_version_of_a_model_is_in_use(registry: RegistryRecords) -> None:
    """Promoting one ends the time of the other; other names are left alone."""
    first = ModelRecord(name="soil", version="1", promoted=True, metadata={"rmse": 0.01})

    assert registry.put_model(first, NOW)
    assert registry.put_model(ModelRecord(name="air", version="1", promoted=True), NOW)
    assert registry.put_model(ModelRecord(name="soil", version="2", promoted=True), NOW)
    assert not registry.put_model(ModelRecord(name="soil", version="2", promoted=True), NOW)

    found = [(model.name, model.version, model.promoted) for model in registry.models()]
    assert found == [("air", "1", True), ("soil", "1", False), ("soil", "2", True)]
    assert registry.models()[1].metadata == {"rmse": 0.01}


def test_notes_are_read_newest_first_by_plant_and_can_be_changed_and_removed(db: RecordsDB) -> None:
    """A note written again takes the place of its first wording."""
    records = Records(db)
    repotted = Note(note_id="n1", timestamp=NOW, text="repoted", plant_id="basil")

    assert records.put_note(repotted)
    assert records.put_note(Note(note_id="n2", timestamp=NOW + 5, text="lamp moved", zone_id="box"))
    assert not records.put_note(Note(note_id="n1", timestamp=NOW, text="repotted", plant_id="basil"))

    def notes(**filters: str) -> list[str]:
        return [Note.from_json(bytes(item)).text for item in records.notes(PageQuery(), filters).items]

    assert (notes(), notes(plant_id="basil")) == (["lamp moved", "repotted"], ["repotted"])
    assert (records.delete_note("n1"), records.delete_note("n1"), notes()) == (True, False, ["lamp moved"])
