"""Ids in addresses: any text, slashes included, that does not begin with one."""

from __future__ import annotations

from flask import Flask
from werkzeug.routing import BaseConverter

_BENEATH = "calibrations"  # what an address may go on with after an id


class _IdConverter(BaseConverter):
    """Matches line breaks too, and never an id together with what lies beneath it."""

    part_isolating = False
    regex = rf"(?s:[^/](?:(?!/{_BENEATH}\Z).)*?)"
    weight = 200


def take_ids(app: Flask) -> None:
    """Let `<path:…>` of the rules that are added from now on be an id; spectree knows no other name for it."""
    app.url_map.converters["path"] = _IdConverter
