"""`/faults`: what befalls the box, ordered and ended by REST; reading is free, writing needs the token."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Flask, Response

from dt.simulator.board import BoxWire
from dt.simulator.faults.catalogue import CATALOGUE, FaultSpec, Parameter
from dt.utils.http import Problem, json_response, request_object


def add_fault_pages(app: Flask, wire: BoxWire) -> None:
    """Add `GET` and `POST /faults` and `DELETE /faults/<id>`."""

    @app.get("/faults")
    def faults() -> Response:
        return json_response(listed(wire))

    @app.post("/faults")
    def order_fault() -> Response:
        fault = wire.order(request_object())
        response = json_response(fault.to_dict(), 201)
        response.headers["Location"] = f"/faults/{fault.id}"
        return response

    @app.delete("/faults/<fault_id>")
    def end_fault(fault_id: str) -> Response:
        if not wire.revoke(fault_id):
            raise Problem(404, "No such fault", f"there is no fault {fault_id!r}; GET /faults lists them", field="id")
        return Response(status=204)


def listed(wire: BoxWire) -> dict[str, Any]:
    """Return what was ordered, by whether it acts now, is to come or is over; and the catalogue."""
    now_s = wire.now_s()
    faults = wire.desk.all()
    return {
        "active": [fault.to_dict() for fault in faults if fault.is_active(now_s)],
        "planned": [fault.to_dict() for fault in faults if fault.since > now_s],
        "over": [fault.to_dict() for fault in faults if fault.since <= now_s and not fault.is_active(now_s)],
        "catalogue": [_row(spec) for spec in CATALOGUE.values()],
    }


def _row(spec: FaultSpec) -> dict[str, Any]:
    return {
        "fault": spec.fault,
        "what": spec.what,
        "acts_on": str(spec.place),
        "kinds": sorted(spec.kinds),
        "quantity": spec.quantity,
        "seen_in": spec.seen_in,
        "parameters": [_parameter(parameter) for parameter in spec.parameters],
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    own = asdict(parameter)
    for name in ("low", "high") if parameter.words else ("words",):
        own.pop(name)
    return own
