"""What people decided: policies in all their versions, grants, and which models are in use."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, select, update

from dt.data.database.record_keepers import ms
from dt.data.database.records_db import RecordsDB, insert_into
from dt.data.database.tables import GRANTS, MODELS, POLICIES
from dt.utils.dataclasses import Grant, KeptGrant, ModelRecord, Policy


class DecisionRecords:
    """Policies, grants and models."""

    def __init__(self, db: RecordsDB) -> None:
        self._db = db

    def put_policy(self, policy: Policy, now: float, by: str = "") -> Policy:
        """Keep a policy as a new version and return that; the one in force again changes nothing.

        Versions count by plant (or zone), over all of its actuators.
        """
        with self._db.write() as connection:
            versions = _versions(connection, policy.place)
            last = next((one for one in reversed(versions) if one.actuator_id == policy.actuator_id), None)
            if last is not None and _is_same(last, policy):
                return last
            version = versions[-1].version + 1 if versions else 1
            kept = replace(policy, version=version, since=now, by=by or policy.by)
            row = {"version": version, "since_ms": ms(now), "changed_by": kept.by, "body": kept.to_json().decode()}
            connection.execute(POLICIES.insert().values(plant_id=policy.place, **row))
            return kept

    def policies(self) -> list[Policy]:
        """Return the policy in force of each plant and actuator that has one, by plant."""
        with self._db.read() as connection:
            versions = _versions(connection, None)
        newest = {(policy.place, policy.actuator_id or ""): policy for policy in versions}
        return [newest[key] for key in sorted(newest)]

    def policy_history(self, plant_id: str) -> list[Policy]:
        """Return every version of the policies of a plant (or zone), oldest first."""
        with self._db.read() as connection:
            return _versions(connection, plant_id)

    def keep_grant(self, grant: KeptGrant) -> bool:
        """Keep a grant as the controller tells it, taken back or not; return whether it is new."""
        given = Grant.from_dict(grant.to_dict())
        is_new = self.put_grant(given)
        if grant.revoked_at is not None:
            same = (GRANTS.c.actuator_id == grant.actuator_id) & (GRANTS.c.since_ms == ms(grant.since))
            row = {"revoked_ms": ms(grant.revoked_at), "revoked_by": grant.revoked_by}
            with self._db.write() as connection:
                connection.execute(update(GRANTS).where(same).values(**row))
        return is_new

    def put_grant(self, grant: Grant) -> bool:
        """Keep a grant; return whether it is new. One of the same actuator and instant is replaced."""
        key = {"actuator_id": grant.actuator_id, "since_ms": ms(grant.since)}
        until_ms = None if grant.until is None else ms(grant.until)
        row = {"until_ms": until_ms, "revoked_ms": None, "revoked_by": None, "body": grant.to_json().decode()}
        with self._db.write() as connection:
            same = (GRANTS.c.actuator_id == grant.actuator_id) & (GRANTS.c.since_ms == key["since_ms"])
            if connection.execute(update(GRANTS).where(same).values(**row)).rowcount:
                return False
            connection.execute(GRANTS.insert().values(**key, **row))
            return True

    def revoke(self, actuator_id: str, now: float, by: str = "") -> KeptGrant | None:
        """Take an actuator's grants back and return the last; None when none was in force."""
        with self._db.write() as connection:
            in_force = (GRANTS.c.actuator_id == actuator_id) & GRANTS.c.revoked_ms.is_(None)
            in_force &= GRANTS.c.until_ms.is_(None) | (GRANTS.c.until_ms > ms(now))
            done = update(GRANTS).where(in_force).values(revoked_ms=ms(now), revoked_by=by)
            return _grants(connection, actuator_id)[-1] if connection.execute(done).rowcount else None

    def grants(self, actuator_id: str | None = None) -> list[KeptGrant]:
        """Return every grant, of one actuator or of all, by actuator and then oldest first: history too."""
        with self._db.read() as connection:
            return _grants(connection, actuator_id)

    def put_model(self, model: ModelRecord, now: float) -> bool:
        """Keep a version of a model; return whether it is new. A promoted one takes the place of the one before."""
        key = {"name": model.name, "version": model.version}
        row = {"promoted": model.promoted, "updated_ms": ms(now), "body": model.to_json().decode()}
        with self._db.write() as connection:
            others = (MODELS.c.name == model.name) & (MODELS.c.version != model.version)
            if model.promoted:
                connection.execute(update(MODELS).where(others).values(promoted=False))
            known = connection.execute(select(MODELS.c.name).filter_by(**key)).first()
            new = insert_into(connection, MODELS).values(**key, **row)
            connection.execute(new.on_conflict_do_update(index_elements=list(key), set_=row))
            return known is None

    def models(self) -> list[ModelRecord]:
        """Return every version of every model, by name and version."""
        wanted = select(MODELS.c.body, MODELS.c.promoted).order_by(MODELS.c.name, MODELS.c.version)
        with self._db.read() as connection:
            rows = connection.execute(wanted).fetchall()
        return [replace(ModelRecord.from_json(body), promoted=promoted) for body, promoted in rows]


def _versions(connection: Connection, place: str | None) -> list[Policy]:
    """Return the versions of a place's policies, or of all, by place and version."""
    wanted = select(POLICIES.c.body).order_by(POLICIES.c.plant_id, POLICIES.c.version)
    if place is not None:
        wanted = wanted.where(POLICIES.c.plant_id == place)
    return [Policy.from_json(body) for body in connection.scalars(wanted)]


def _is_same(one: Policy, other: Policy) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in ("policy", "enabled", "parameters", "mode"))


def _grants(connection: Connection, actuator_id: str | None) -> list[KeptGrant]:
    wanted = select(GRANTS.c.body, GRANTS.c.revoked_ms, GRANTS.c.revoked_by)
    if actuator_id is not None:
        wanted = wanted.where(GRANTS.c.actuator_id == actuator_id)
    rows = connection.execute(wanted.order_by(GRANTS.c.actuator_id, GRANTS.c.since_ms)).fetchall()
    return [_kept(body, revoked_ms, revoked_by) for body, revoked_ms, revoked_by in rows]


def _kept(body: str, revoked_ms: int | None, revoked_by: str | None) -> KeptGrant:
    revoked = {"revoked_at": None if revoked_ms is None else revoked_ms / 1000, "revoked_by": revoked_by or ""}
    return KeptGrant.from_dict({**Grant.from_json(body).to_dict(), **revoked})
