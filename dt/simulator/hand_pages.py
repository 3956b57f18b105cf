"""What a person does at the box: `POST /refill` a can, `POST /pour` a glass of water, `POST /buttons` press the stop.

All need the token.
"""

from __future__ import annotations

from flask import Flask, Response

from dt.simulator.board import BoxWire
from dt.utils.exceptions import MessageError
from dt.utils.http import json_response, request_object

_STOP = "emergency_stop"


def add_hand_pages(app: Flask, wire: BoxWire) -> None:
    """Add the pages to the simulator's."""

    @app.post("/refill")
    def refill() -> Response:
        name, amount_ml = _asked("reservoir")
        return json_response({"reservoir": name, "ml": amount_ml, "timestamp": wire.refill(name, amount_ml)})

    @app.post("/pour")
    def pour() -> Response:
        name, amount_ml = _asked("plant_id")
        return json_response({"plant_id": name, "ml": amount_ml, "timestamp": wire.pour(name, amount_ml)})

    @app.post("/buttons")
    def buttons() -> Response:
        body = request_object()
        if body.get("button", _STOP) != _STOP:
            raise MessageError("button", f"must be {_STOP}, not {body['button']!r}")
        is_pressed = body.get("pressed")
        if not isinstance(is_pressed, bool):
            raise MessageError("pressed", "must be true or false")
        wire.press(is_pressed=is_pressed)
        return json_response({"button": _STOP, "pressed": is_pressed})


def _asked(where: str) -> tuple[str, float]:
    """Return where the water goes, and how much (ml); raises MessageError with the field."""
    body = request_object()
    for name in body:
        if name not in (where, "ml"):
            raise MessageError(name, f"is unknown here; there are: {where}, ml")
    place, amount_ml = body.get(where), body.get("ml")
    if not isinstance(place, str):
        raise MessageError(where, "must be a name")
    if isinstance(amount_ml, bool) or not isinstance(amount_ml, int | float):
        raise MessageError("ml", "must be a number")
    return place, amount_ml
