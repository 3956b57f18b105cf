"""What is on record of policies and grants, and what people write down."""

from __future__ import annotations

from flask import Flask, Response, request

from dt.data.database.api import answers
from dt.data.database.api.arguments import ListQuery, list_page, page_query
from dt.data.database.api.described import described
from dt.data.database.api.store import Store, require_id, require_same, unknown
from dt.data.database.records import NOTE_FILTERS
from dt.data.database.registry_messages import grant_record, policy_record
from dt.utils.clock import Clock
from dt.utils.dataclasses import KeptGrant, Note, Policy
from dt.utils.http import json_response, request_object
from dt.utils.ids import new_correlation_id

_GROUP = "care"


def add_care(app: Flask, store: Store, clock: Clock) -> None:
    """Add the endpoints of policies, grants and notes."""
    _add_policies(app, store, clock)
    _add_notes(app, store, clock)

    @app.get("/grants")
    @described(_GROUP, {200: answers.GrantList}, query=answers.GrantsQuery)
    def grants() -> Response:
        """Return the grants on record, by actuator and then oldest first, with those that were taken back.

        They are given and taken at the controller, whose own file says what holds; it reports them here.
        """
        kept = store.registry.grants(request.args.get("actuator_id") or None)
        return json_response(list_page(kept, lambda grant: f"{grant.actuator_id}~{grant.since * 1000:015.0f}"))

    @app.put("/grants/<path:actuator_id>")
    @described(_GROUP, {200: KeptGrant, 201: KeptGrant}, body=answers.NewGrant, problems=(413, 415))
    def put_grant(actuator_id: str) -> Response:
        """Put a grant on record as the controller tells it: 201 for a new one, 200 for one that it told before.

        Nothing acts by it: the controller goes by its own file.
        """
        data = request_object()
        require_same("actuator_id", data.setdefault("actuator_id", actuator_id), actuator_id)
        kept = KeptGrant.from_dict(data)
        require_id("actuator_id", actuator_id)
        is_new = store.registry.keep_grant(kept)
        store.announcer.announce(grant_record(kept, clock.wall()))
        return json_response(kept, 201 if is_new else 200)


def _add_policies(app: Flask, store: Store, clock: Clock) -> None:
    @app.get("/policies")
    @described(_GROUP, {200: answers.PolicyList}, query=ListQuery)
    def policies() -> Response:
        """Return the newest policy on record of each plant and actuator; the controller acts by its own."""
        return json_response(list_page(sorted(store.registry.policies(), key=_policy_key), _policy_key))

    @app.get("/policies/<path:plant_id>")
    @described(_GROUP, {200: answers.PolicyHistory}, problems=(404,))
    def policy(plant_id: str) -> Response:
        """Return a plant's newest policy on record, and every version, oldest first; the controller has its own."""
        versions = store.registry.policy_history(plant_id)
        if not versions:
            _require_plant(store, plant_id)
        return json_response({"current": versions[-1] if versions else None, "versions": versions})

    @app.put("/policies/<path:plant_id>")
    @described(_GROUP, {200: Policy, 201: Policy}, body=answers.NewPolicy, problems=(404, 413, 415))
    def put_policy(plant_id: str) -> Response:
        """Put a policy of a plant (or zone) on record: 201 with the new version; 200 where it is the newest already.

        Nothing acts by it: the controller goes by what `PUT /policies/<plant_id>` of its own says.
        """
        data = request_object()
        if not data.get("plant_id"):
            data["plant_id"] = "" if data.get("zone_id") == plant_id else plant_id
        asked = Policy.from_dict(data)
        require_same("plant_id", asked.place, plant_id)
        _require_place(store, asked)
        before = store.registry.policy_history(plant_id)
        known = {one.version for one in before}
        kept = store.registry.put_policy(asked, clock.wall(), asked.by)
        store.announcer.announce(policy_record(kept, clock.wall()))
        return json_response(kept, 200 if kept.version in known else 201)


def _add_notes(app: Flask, store: Store, clock: Clock) -> None:
    @app.get("/notes")
    @described(_GROUP, {200: answers.page_of(Note)}, query=answers.page_query_type("notes", NOTE_FILTERS))
    def notes() -> Response:
        """Return what people wrote, newest first."""
        query, filters = page_query(NOTE_FILTERS)
        return json_response(store.records.notes(query, filters))

    @app.post("/notes")
    @described(_GROUP, {200: Note, 201: Note}, body=answers.NewNote, problems=(413, 415))
    def post_note() -> Response:
        """Write a note about a plant, a zone or an instant (now); one with a known `note_id` takes its place."""
        told = {name: value for name, value in request_object().items() if value is not None}
        note = Note.from_dict({"note_id": new_correlation_id(clock.wall()), "timestamp": clock.wall(), **told})
        require_id("note_id", note.note_id)
        store.require_places(note.zone_id, note.plant_id)
        return json_response(note, 201 if store.records.put_note(note) else 200)

    @app.delete("/notes/<path:note_id>")
    @described(_GROUP, {204: None}, problems=(404,))
    def delete_note(note_id: str) -> Response:
        """Remove a note."""
        if not store.records.delete_note(note_id):
            raise unknown("note", note_id)
        return Response(status=204)


def _policy_key(policy: Policy) -> str:
    return f"{policy.place}~{policy.actuator_id or ''}"


def _require_place(store: Store, policy: Policy) -> None:
    if policy.plant_id:
        _require_plant(store, policy.plant_id)
    elif all(zone.zone_id != policy.zone_id for zone in store.registry.zones()):
        raise unknown("zone", policy.place)


def _require_plant(store: Store, plant_id: str) -> None:
    if store.registry.zone_of(plant_id) is None:
        raise unknown("plant", plant_id)
