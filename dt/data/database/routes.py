"""The REST facade: requests in, answers out; what they mean is decided elsewhere."""

from __future__ import annotations

from flask import Flask

from dt.data.database.api.alerts import add_alerts
from dt.data.database.api.care import add_care
from dt.data.database.api.compression import compress_large_answers
from dt.data.database.api.described import refuse_unknown_parameters
from dt.data.database.api.docs import add_docs
from dt.data.database.api.exports import add_exports
from dt.data.database.api.ids import take_ids
from dt.data.database.api.readings import add_readings
from dt.data.database.api.records import add_records
from dt.data.database.api.registry import add_registry
from dt.data.database.api.store import Store
from dt.data.database.api.zones import add_zones
from dt.utils.clock import Clock

__all__ = ["Store", "add_routes"]


def add_routes(app: Flask, store: Store, clock: Clock) -> None:
    """Add every endpoint of the contract to an app."""
    take_ids(app)
    refuse_unknown_parameters(app)
    compress_large_answers(app)
    add_registry(app, store, clock)
    add_zones(app, store, clock)
    add_readings(app, store, clock)
    add_records(app, store)
    add_alerts(app, store)
    add_care(app, store, clock)
    add_exports(app, store, clock)
    add_docs(app)
