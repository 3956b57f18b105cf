"""The report on a plant: one file that needs no network, a page or a picture."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from dt.communication.database_api import DatabaseApiClient
from dt.evaluation.report_charts import MOST_POINTS, plotly_html, still_picture
from dt.evaluation.report_data import (
    VERDICTS,
    AlertSpan,
    ReportData,
    ReportError,
    collect,
    gaps,
    shares,
    statistics,
)
from dt.utils.dataclasses import ActionResult

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ReportError", "make_report"]

PICTURES = (".png", ".svg", ".pdf")
PAGES = (".html", ".htm")
_MOST_ROWS = 50

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1c2a21; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ margin-bottom: 0; }} h2 {{ margin-top: 2.5rem; }}
.muted {{ color: #5c6b61; }}
table {{ border-collapse: collapse; width: 100%; font-size: 14px; }}
th, td {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #dde5df; vertical-align: top; }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
.still {{ display: none; }} .still svg {{ width: 100%; height: auto; }}
@media print {{ .live {{ display: none; }} .still {{ display: block; }} }}
</style>
<noscript><style>.live {{ display: none; }} .still {{ display: block; }}</style></noscript>
</head>
<body>
<h1>{title}</h1>
<p class="muted">{subtitle}</p>
{tables}
</body>
</html>
"""


def make_report(client: DatabaseApiClient, plant_id: str, since: float, until: float, out: Path) -> Path:
    """Write a report on a plant from `since` to `until` (UTC epoch seconds) and return the file.

    `.html` gives a page with everything in it, `.png`, `.svg` and `.pdf` the charts alone. Raises ReportError for an
    unknown plant, an empty time or another kind of file, and what the client raises.
    """
    kind = out.suffix.lower()
    if kind not in (*PAGES, *PICTURES):
        raise ReportError(f"{out.name}: a report is one of {', '.join((PAGES[0], *PICTURES))}")
    if until <= since:
        raise ReportError(f"the report must end after it begins ({_when(since)})")
    data = collect(client, plant_id, since, until)
    content = page(data).encode() if kind in PAGES else still_picture(data, kind.removeprefix("."))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(content)
    except OSError as error:
        raise ReportError(f"{out}: cannot be written: {error.strerror}") from error
    return out


def page(data: ReportData) -> str:
    """Return the whole page: charts, verdicts, gaps, alerts and doses."""
    plant = data.plant
    name = plant.name or plant.plant_id
    limits = plant.limits
    subtitle = (
        f"{_when(data.since)} to {_when(data.until)} (UTC). Zone {plant.zone_id}, pot of {plant.pot_volume_l:g} l,"
        f" soil moisture wanted from {limits.soil_moisture_low:g} to {limits.soil_moisture_high:g} m³/m³."
    )
    parts = [
        ("Course", _charts(data)),
        ("Values", _values_table(statistics(data.lines))),
        ("How far the readings can be believed", _shares_table(shares(data.lines))),
        ("Gaps", _gaps_table(gaps(data.lines, data.since, data.until))),
        ("Alerts", _alerts_table(data.alerts)),
        ("Water and other actions", _actions_table(data)),
    ]
    tables = "\n".join(f"<h2>{escape(heading)}</h2>\n{body}" for heading, body in parts)
    return _PAGE.format(title=escape(f"Report on {name}"), subtitle=escape(subtitle), tables=tables)


def _charts(data: ReportData) -> str:
    svg = still_picture(data, "svg").decode()
    svg = svg[svg.index("<svg") :]  # without the XML declaration, which has no place inside a page
    note = (
        "Lines are drawn of good and suspect readings, crosses mark suspect and bad ones; those beyond the chart stand"
        " at its edge. Dotted: the plant's limits; shaded: alerts; blue: doses."
        f" More than {MOST_POINTS} readings are drawn as mean, least and greatest."
    )
    return f'<div class="live">{plotly_html(data)}</div>\n<div class="still">{svg}</div>\n<p class="muted">{note}</p>'


def _values_table(table: pd.DataFrame) -> str:
    rows = [
        (row["quantity"], row["sensor"], row["unit"], *(f"{row[name]:.4g}" for name in ("min", "mean", "max", "last")))
        for row in table.to_dict("records")
    ]
    return _table(("Quantity", "Sensor", "Unit", "Least", "Mean", "Greatest", "Last"), rows, numbers=(3, 4, 5, 6))


def _shares_table(table: pd.DataFrame) -> str:
    rows = [
        (row["quantity"], row["sensor"], f"{row['readings']:,}", *(f"{row[name]:.1%}" for name in VERDICTS))
        for row in table.to_dict("records")
    ]
    heads = ("Quantity", "Sensor", "Readings", *(name.capitalize() for name in VERDICTS))
    return _table(heads, rows, numbers=tuple(range(2, len(heads))))


def _gaps_table(table: pd.DataFrame) -> str:
    if table.empty:
        return "<p>None.</p>"
    rows = [
        (row["quantity"], row["sensor"], _when(row["since"]), _when(row["until"]), _duration(row["seconds"]))
        for row in table.head(_MOST_ROWS).to_dict("records")
    ]
    total = f"{_counted(len(table), 'gap')}, {_duration(float(table['seconds'].sum()))} in all" + (
        f"; the longest {_MOST_ROWS}:" if len(table) > _MOST_ROWS else ":"
    )
    return f"<p>{total}</p>" + _table(("Quantity", "Sensor", "From (UTC)", "To (UTC)", "Length"), rows, numbers=(4,))


def _alerts_table(spans: Iterable[AlertSpan]) -> str:
    rows = [
        (
            _when(span.since),
            "still open" if span.until is None else _when(span.until),
            span.event.severity,
            span.event.description,
            span.event.advice,
        )
        for span in spans
    ]
    return _table(("From (UTC)", "To (UTC)", "Severity", "What", "Advice"), rows) if rows else "<p>None.</p>"


def _actions_table(data: ReportData) -> str:
    if not data.actions:
        return "<p>None.</p>"
    heads = ("When (UTC)", "Actuator", "Outcome", "Water (ml)", "By", "Why")
    water = sum(dose.delivered_ml or 0.0 for dose in data.doses)
    total = f"<p>{_counted(len(data.doses), 'dose')}, {water:,.0f} ml of water in all.</p>"
    return total + _table(heads, [_action_row(result) for result in data.actions], numbers=(3,))


def _action_row(result: ActionResult) -> tuple[str, ...]:
    command, refusal = result.command, result.refusal
    return (
        _when(result.timestamp),
        result.actuator_id,
        result.outcome,
        "" if result.delivered_ml is None else f"{result.delivered_ml:,.0f}",
        "" if command is None else command.issuer,
        f"{refusal.invariant}: {refusal.why}" if refusal else "" if command is None else command.reason,
    )


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]], numbers: tuple[int, ...] = ()) -> str:
    def cell(tag: str, index: int, text: str) -> str:
        look = ' class="number"' if index in numbers else ""
        return f"<{tag}{look}>{escape(text)}</{tag}>"

    head = "".join(cell("th", index, text) for index, text in enumerate(heads))
    body = "\n".join("<tr>" + "".join(cell("td", i, text) for i, text in enumerate(row)) + "</tr>" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"


def _when(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _duration(seconds: float) -> str:
    """Return a length of time for people.

    >>> _duration(93_600), _duration(150)
    ('1 d 2 h', '3 min')
    """
    if seconds >= 86_400:
        return f"{seconds // 86_400:.0f} d {seconds % 86_400 / 3600:.0f} h"
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"
