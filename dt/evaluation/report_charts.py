"""The pictures of a report: one interactive by Plotly, one still by Matplotlib."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from dt.evaluation.report_data import Line, ReportData, believable, inner_gaps
from dt.utils.dataclasses import Verdict
from dt.utils.quantities import Quantity

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_POINTS = 2000  # of one line; longer ones are drawn as the mean and the band between least and greatest
COLOURS = ("#2f7d4f", "#2c6fb3", "#b3662c", "#7a4fb3", "#b32c5b", "#5b6b2f")
DOUBTFUL = {Verdict.SUSPECT.value: "#d98e04", Verdict.BAD.value: "#c62828"}
_BAND = 0.18  # opacity
_ROOM = 0.08  # of a chart's height, above and below
_ALERT = "rgba(198, 40, 40, 0.10)"
_DOSE = "#1565c0"
_ROW_PX, _ROW_INCHES = 210, 1.7
_PLOT_WIDTH_INCHES = 10.0


def thinned(line: Line) -> pd.DataFrame:
    """Return min, mean and max of what is not bad at no more than `MOST_POINTS` instants, and nothing in each gap."""
    import pandas as pd

    values = believable(line)["value"]
    drawn = values.to_frame("mean").assign(min=values, max=values)
    if len(values) > MOST_POINTS:
        width = (values.index[-1] - values.index[0]) / (MOST_POINTS - 1)
        drawn = values.resample(width, origin="start").agg(["min", "mean", "max"]).dropna()
    middles = pd.to_datetime([(begin + end) / 2 for begin, end in inner_gaps(line)], unit="s", utc=True)
    return drawn.reindex(drawn.index.union(middles))


def span_of(line: Line) -> tuple[float, float]:
    """Return the lowest and highest value that the chart of a line shows; one wild value does not flatten it."""
    values = believable(line)["value"]
    if values.empty:
        values = line.readings["value"]
    low, high = float(values.min()), float(values.max())
    room = _ROOM * (high - low) or abs(high) * _ROOM or 1.0
    return low - room, high + room


def plotly_html(data: ReportData) -> str:
    """Return the interactive chart as an HTML fragment that carries plotly.js within."""
    from plotly.subplots import make_subplots

    titles = [f"{line.label} ({line.unit}), {line.sensor_id}" for line in data.lines]
    figure = make_subplots(
        rows=len(titles), cols=1, shared_xaxes=True, subplot_titles=titles, vertical_spacing=0.25 / max(4, len(titles))
    )
    for row, line in enumerate(data.lines, 1):
        _add_line(figure, row, line)
        if line.quantity is Quantity.SOIL_MOISTURE:
            _add_water(figure, row, data)
    figure.update_layout(
        height=_ROW_PX * len(titles) + 80,
        margin={"l": 60, "r": 20, "t": 70, "b": 50},
        template="plotly_white",
        hovermode="x",
        legend={"orientation": "h", "yref": "container", "yanchor": "top", "y": 1.0},
    )
    figure.update_xaxes(range=[_date(data.since), _date(data.until)])
    config = {"displaylogo": False, "responsive": True}
    return str(figure.to_html(full_html=False, include_plotlyjs=True, config=config))


def still_picture(data: ReportData, kind: str) -> bytes:
    """Return the same story as a picture: `kind` is png, svg or pdf."""
    from matplotlib import dates
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_PLOT_WIDTH_INCHES, _ROW_INCHES * len(data.lines) + 0.6), layout="constrained")
    axes = figure.subplots(len(data.lines), 1, sharex=True, squeeze=False)[:, 0]
    for number, (axis, line) in enumerate(zip(axes, data.lines, strict=True)):
        _draw_line(axis, line, COLOURS[number % len(COLOURS)])
        if line.quantity is Quantity.SOIL_MOISTURE:
            _draw_water(axis, data)
    axes[-1].set_xlim(_date(data.since), _date(data.until))
    locator = dates.AutoDateLocator()  # type: ignore[no-untyped-call]
    axes[-1].xaxis.set_major_locator(locator)
    axes[-1].xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes[-1].set_xlabel("UTC")
    return _saved(figure, kind)


def _add_line(figure: Any, row: int, line: Line) -> None:
    from plotly import graph_objects as go

    colour = COLOURS[(row - 1) % len(COLOURS)]
    thin = thinned(line)
    quiet = {"mode": "lines", "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
    if len(line.readings) > MOST_POINTS:
        figure.add_trace(go.Scatter(x=thin.index, y=thin["max"], **quiet), row=row, col=1)
        band = {**quiet, "fill": "tonexty", "fillcolor": _faded(colour)}
        figure.add_trace(go.Scatter(x=thin.index, y=thin["min"], **band), row=row, col=1)
    style = {"mode": "lines", "line": {"color": colour, "width": 1.5}, "connectgaps": False, "showlegend": False}
    figure.add_trace(go.Scatter(x=thin.index, y=thin["mean"], name=line.label, **style), row=row, col=1)
    for verdict, shade in DOUBTFUL.items():
        points = _some(line.readings[line.readings["verdict"] == verdict])["value"]
        if not points.empty:
            look = {"mode": "markers", "marker": {"color": shade, "size": 5, "symbol": "x"}}
            words = {"name": f"{verdict}: {line.sensor_id}", "text": points, "hovertemplate": "%{text:.6g}"}
            trace = go.Scatter(x=points.index, y=points.clip(*span_of(line)), **look, **words)
            figure.add_trace(trace, row=row, col=1)
    figure.update_yaxes(title_text=line.unit, range=span_of(line), row=row, col=1)


def _add_water(figure: Any, row: int, data: ReportData) -> None:
    """Draw the plant's limits, its alerts as shaded stretches and its doses as lines."""
    limits = data.plant.limits
    for value in (limits.soil_moisture_low, limits.soil_moisture_high):
        figure.add_hline(y=value, line={"color": "#888888", "width": 1, "dash": "dot"}, row=row, col=1)
    for span in data.alerts:
        begin, end = _date(max(span.since, data.since)), _date(data.until if span.until is None else span.until)
        figure.add_vrect(x0=begin, x1=end, fillcolor=_ALERT, line_width=0, row=row, col=1)
    for dose in data.doses:
        figure.add_vline(x=_date(dose.timestamp), line={"color": _DOSE, "width": 1}, row=row, col=1)


def _draw_line(axis: Axes, line: Line, colour: str) -> None:
    thin = thinned(line)
    axis.fill_between(thin.index, thin["min"], thin["max"], color=colour, alpha=_BAND, linewidth=0)
    axis.plot(thin.index, thin["mean"], color=colour, linewidth=1.0)
    for verdict, shade in DOUBTFUL.items():
        points = _some(line.readings[line.readings["verdict"] == verdict])["value"]
        if not points.empty:
            axis.plot(points.index, points.clip(*span_of(line)), "x", color=shade, markersize=3, label=verdict)
    axis.set_ylim(*span_of(line))
    axis.set_title(f"{line.label}, {line.sensor_id}", loc="left", fontsize=9)
    axis.set_ylabel(line.unit, fontsize=8)
    axis.tick_params(labelsize=8)
    axis.grid(visible=True, alpha=0.25)
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=7, loc="upper right")


def _draw_water(axis: Axes, data: ReportData) -> None:
    limits = data.plant.limits
    for value in (limits.soil_moisture_low, limits.soil_moisture_high):
        axis.axhline(value, color="#888888", linewidth=0.8, linestyle=":")
    for span in data.alerts:
        begin, end = max(span.since, data.since), data.until if span.until is None else span.until
        axis.axvspan(_date(begin), _date(end), color=DOUBTFUL[Verdict.BAD.value], alpha=0.1, linewidth=0)
    for dose in data.doses:
        axis.axvline(_date(dose.timestamp), color=_DOSE, linewidth=0.8)


def _saved(figure: Figure, kind: str) -> bytes:
    from matplotlib import rc_context

    buffer = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "plant-twin"}):
        figure.savefig(buffer, format=kind, dpi=150)
    return buffer.getvalue()


def _some(points: pd.DataFrame) -> pd.DataFrame:
    """Return at most `MOST_POINTS` of them, evenly picked."""
    return points.iloc[:: max(1, -(-len(points) // MOST_POINTS))]


def _date(timestamp: float) -> Any:
    import pandas as pd

    return pd.Timestamp(timestamp, unit="s", tz="UTC")


def _faded(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {_BAND})"
