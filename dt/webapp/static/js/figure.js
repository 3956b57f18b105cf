/** What Plotly is asked to draw, from plain values: no DOM, no Plotly. */
import { numberWithUnit, number } from "./format.js";
import { QUANTITIES, unitSign } from "./quantities.js";
import { gapAfter } from "./series.js";

/**
 * @typedef {import("./series.js").Series} Series
 * @typedef {{color: string, band: string, grid: string, text: string, dose: string, alert: string, limit: string, hover: string, edge: string, font: string}} Palette
 * @typedef {{t: number, label: string, isOver?: boolean}} Mark
 * @typedef {object} ChartInput
 * @property {string} quantity
 * @property {string} unit
 * @property {Series} series
 * @property {[number, number]} window   epoch seconds shown
 * @property {Palette} palette
 * @property {Mark[]} doses
 * @property {Mark[]} alerts
 * @property {number | null} dryLimit
 * @property {boolean} [isArchived]  the axis then names the year too
 */

/** So few buckets are shown as points too: a single one has no line. */
const FEW = 40;

/** @param {ChartInput} input @returns {{data: object[], layout: object}} */
export function figure(input) {
  const parts = segments(input.series);
  const data = [band(input.series, parts, input.palette), mean(broken(input.series, parts), input)];
  const drawn = layout(input);
  if (input.doses.length) data.push(doseMarks(input, drawn.yaxis.range[0]));
  if (input.alerts.length) data.push(alertMarks(input));
  return { data, layout: drawn };
}

/**
 * The value of a series at an instant, from its nearest bucket; null when there is none.
 * @param {Series} series @param {number} t @returns {number | null}
 */
export function valueAt(series, t) {
  if (series.t.length === 0) return null;
  let low = 0;
  let high = series.t.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (series.t[middle] < t) low = middle + 1;
    else high = middle;
  }
  const before = Math.max(0, low - 1);
  return t - series.t[before] < series.t[low] - t ? series.mean[before] : series.mean[low];
}

/**
 * The chart in one sentence, for those who do not see it.
 * @param {string} quantity @param {string} unit @param {string} range words
 * @param {ReturnType<typeof import("./series.js").extremes>} found @param {(t: number) => string} time
 */
export function summary(quantity, unit, range, found, time) {
  const label = QUANTITIES[quantity].label;
  if (!found) return `${label}, ${range}: no readings.`;
  const say = (/** @type {number} */ value) => numberWithUnit(value, quantity, unit);
  return `${label}, ${range}: latest ${say(found.last)}, lowest ${say(found.low)} at ${time(found.lowAt)}, `
    + `highest ${say(found.high)} at ${time(found.highAt)}.`;
}

/** @param {number} t epoch seconds @returns {string} local time in the form that Plotly takes as it is */
export function localStamp(t) {
  const at = new Date(t * 1000);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 23);
}

/** Insert nothing where nobody measured, so that no line is drawn there. @param {Series} series @param {[number, number][]} parts */
function broken(series, parts) {
  /** @type {{x: string[], y: (number | null)[]}} */
  const line = { x: [], y: [] };
  for (const [first, end] of parts) {
    if (first > 0) put(line, series.t[first - 1] + 1, null);
    for (let i = first; i < end; i += 1) put(line, series.t[i], series.mean[i]);
  }
  return line;
}

/** Runs of buckets without a gap between them, as [first, end). @param {Series} series @returns {[number, number][]} */
export function segments(series) {
  const gap = gapAfter(series);
  /** @type {[number, number][]} */
  const found = [];
  let first = 0;
  for (let i = 1; i <= series.t.length; i += 1) {
    if (i < series.t.length && series.t[i] - series.t[i - 1] <= gap) continue;
    found.push([first, i]);
    first = i;
  }
  return found;
}

/** From lowest to highest: one closed outline for each segment. @param {Series} series @param {[number, number][]} parts @param {Palette} palette */
function band(series, parts, palette) {
  /** @type {{x: string[], y: (number | null)[]}} */
  const outline = { x: [], y: [] };
  for (const [first, end] of parts) {
    if (first > 0) put(outline, series.t[first - 1] + 1, null);
    for (let i = first; i < end; i += 1) put(outline, series.t[i], series.max[i]);
    for (let i = end - 1; i >= first; i -= 1) put(outline, series.t[i], series.min[i]);
  }
  return {
    ...outline, type: "scatter", mode: "lines", name: "lowest to highest", hoverinfo: "skip", showlegend: false,
    line: { width: 0, color: palette.color }, fill: "toself", fillcolor: palette.band,
  };
}

/** @param {{x: string[], y: (number | null)[]}} line @param {number} t @param {number | null} value */
function put(line, t, value) {
  line.x.push(localStamp(t));
  line.y.push(value);
}

function mean(line, { quantity, unit, palette }) {
  const digits = QUANTITIES[quantity].digits;
  return {
    ...line, type: "scatter", mode: line.x.length < FEW ? "lines+markers" : "lines", name: QUANTITIES[quantity].label, showlegend: false,
    line: { width: 2, color: palette.color, shape: "linear" }, marker: { size: 5, color: palette.color },
    hovertemplate: `%{y:,.${digits}f} ${unitSign(unit)}<extra></extra>`,
  };
}

/** Doses stand on the time axis, where they hide nothing. */
function doseMarks({ doses, palette }, bottom) {
  return { ...marks("Pump dose", doses), y: doses.map(() => bottom), marker: { symbol: "triangle-up", size: 12, color: palette.dose } };
}

/** Alerts stand on the line; those that are over are hollow. */
function alertMarks({ alerts, series, quantity, palette }) {
  const floor = QUANTITIES[quantity].floor ?? 0;
  const symbol = alerts.map((mark) => (mark.isOver ? "diamond-open" : "diamond"));
  const color = alerts.map((mark) => (mark.isOver ? palette.text : palette.alert));
  return { ...marks("Alert", alerts), y: alerts.map((mark) => valueAt(series, mark.t) ?? floor), marker: { symbol, size: 11, color, line: { width: 2 } } };
}

function marks(name, list) {
  return {
    x: list.map((mark) => localStamp(mark.t)), text: list.map((mark) => mark.label),
    type: "scatter", mode: "markers", name, showlegend: false, cliponaxis: false, hovertemplate: "%{text}<extra></extra>",
  };
}

function layout({ quantity, unit, series, window, palette, dryLimit, isArchived = false }) {
  const axis = {
    gridcolor: palette.grid, zeroline: false, linecolor: palette.grid, tickcolor: palette.grid,
    tickfont: { color: palette.text, size: 11 }, fixedrange: true, automargin: false,
  };
  const visible = series.t.length > 0;
  return {
    margin: { l: 46, r: 14, t: 8, b: isArchived ? 40 : 26 },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: palette.font, size: 12, color: palette.text },
    hovermode: "x unified", dragmode: false, showlegend: false,
    hoverlabel: { bgcolor: palette.hover, bordercolor: palette.edge, font: { color: palette.text, size: 12 } },
    xaxis: { ...axis, visible, type: "date", range: window.map(localStamp), showgrid: false, nticks: 6, tickformatstops: isArchived ? [] : TICKS },
    yaxis: { ...axis, visible, range: yRange(series, quantity, dryLimit), nticks: 5, tickformat: quantity === "light_intensity" ? "~s" : "" },
    ...limitLine(visible ? dryLimit : null, unit, palette),
  };
}

const TICKS = [
  { dtickrange: [null, 3_600_000 * 11], value: "%H:%M" },
  { dtickrange: [3_600_000 * 11, 86_400_000], value: "%H:%M\n%-d %b" },
  { dtickrange: [86_400_000, null], value: "%-d %b" },
];

/** The values with some air around them, never below what can be. */
function yRange(series, quantity, dryLimit) {
  const lows = dryLimit === null ? series.min : [...series.min, dryLimit];
  const highs = dryLimit === null ? series.max : [...series.max, dryLimit];
  if (lows.length === 0) return [0, 1];
  const low = lows.reduce((a, b) => Math.min(a, b));
  const high = highs.reduce((a, b) => Math.max(a, b));
  const least = 4 * 10 ** -QUANTITIES[quantity].digits;
  const air = Math.max((high - low) * 0.12, least);
  const floor = QUANTITIES[quantity].floor;
  return [floor === null ? low - air : Math.max(floor, low - air), high + air];
}

function limitLine(dryLimit, unit, palette) {
  if (dryLimit === null) return { shapes: [], annotations: [] };
  const shape = {
    type: "line", xref: "paper", x0: 0, x1: 1, y0: dryLimit, y1: dryLimit, layer: "below",
    line: { color: palette.limit, width: 1.5, dash: "dash" },
  };
  const note = {
    xref: "paper", x: 0.005, y: dryLimit, xanchor: "left", yanchor: "top", showarrow: false,
    bgcolor: palette.hover, borderpad: 1, text: `dry limit ${number(dryLimit, "soil_moisture")} ${unitSign(unit)}`, font: { size: 11, color: palette.limit },
  };
  return { shapes: [shape], annotations: [note] };
}
