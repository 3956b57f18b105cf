/**
 * The history of one quantity as the page holds it: buckets from the database, and live readings added to their end.
 * Pure functions on plain values.
 * @typedef {object} Series
 * @property {number} resolution_s
 * @property {number[]} t     epoch seconds of the buckets' starts, ascending
 * @property {number[]} min
 * @property {number[]} mean
 * @property {number[]} max
 * @property {number[]} n
 * @property {string | null} [unit]
 * @property {Point[]} [points]  the live readings among them, so that a revision can take the place of one
 * @typedef {{timestamp: number, value: number, revision: number}} Point
 */

/** @returns {Series} */
export function emptySeries(resolution_s = 1) {
  return { resolution_s, t: [], min: [], mean: [], max: [], n: [] };
}

/**
 * Return the series with one more reading, in its last bucket or in a new one; the argument is left as it was.
 * A reading older than the last bucket changes nothing, nor does one that is there: the next fetch brings it.
 * @param {Series} series @param {{timestamp: number, value: number, revision?: number}} reading @returns {Series}
 */
export function withReading(series, reading) {
  const last = series.t.length - 1;
  if (last >= 0 && reading.timestamp < series.t[last]) return series;
  if (series.points?.some((point) => point.timestamp === reading.timestamp)) return series;
  const next = copy(series);
  next.points = [...(series.points ?? []), { timestamp: reading.timestamp, value: reading.value, revision: reading.revision ?? 0 }];
  if (last >= 0 && reading.timestamp < series.t[last] + series.resolution_s) {
    widen(next, last, reading.value);
    return next;
  }
  next.t.push(bucketStart(series, reading.timestamp));
  for (const name of /** @type {const} */ (["min", "mean", "max"])) next[name].push(reading.value);
  next.n.push(1);
  return next;
}

/**
 * Return the series with a reading's revision in its place; the argument is left as it was.
 * Null when only a fetch can tell: where a bucket holds readings that the page has never seen alone, or the reading
 * no longer counts.
 * @param {Series} series
 * @param {{timestamp: number, value: number, revision?: number, quality?: {verdict: string} | null}} reading
 * @returns {Series | null}
 */
export function withRevision(series, reading) {
  if (reading.quality?.verdict === "bad") return null;
  const i = series.t.findLastIndex((t) => t <= reading.timestamp);
  if (i < 0 || reading.timestamp >= series.t[i] + series.resolution_s) return null;
  const revision = reading.revision ?? 0;
  const points = series.points ?? [];
  const known = points.find((point) => point.timestamp === reading.timestamp);
  if (known && known.revision >= revision) return series;
  const isAlone = series.n[i] === 1 && series.t[i] === reading.timestamp;
  if (!known && !isAlone) return null;
  const others = points.filter((point) => point !== known);
  const next = { ...copy(series), points: [...others, { timestamp: reading.timestamp, value: reading.value, revision }] };
  const here = next.points.filter((point) => point.timestamp >= series.t[i] && point.timestamp < series.t[i] + series.resolution_s);
  if (here.length !== series.n[i]) return null;
  const values = here.map((point) => point.value);
  next.min[i] = Math.min(...values);
  next.max[i] = Math.max(...values);
  next.mean[i] = values.reduce((sum, value) => sum + value, 0) / values.length;
  return next;
}

/**
 * Return the series without what lies before an instant.
 * @param {Series} series @param {number} since epoch seconds @returns {Series}
 */
export function since(series, since) {
  const first = series.t.findIndex((t) => t + series.resolution_s > since);
  if (first === 0) return series;
  if (first < 0) return { ...emptySeries(series.resolution_s), unit: series.unit };
  return {
    ...series,
    t: series.t.slice(first), min: series.min.slice(first), mean: series.mean.slice(first),
    max: series.max.slice(first), n: series.n.slice(first),
  };
}

/**
 * The numbers of a summary, or null of an empty series.
 * @param {Series} series
 */
export function extremes(series) {
  if (series.t.length === 0) return null;
  let low = 0;
  let high = 0;
  for (let i = 1; i < series.t.length; i += 1) {
    if (series.min[i] < series.min[low]) low = i;
    if (series.max[i] > series.max[high]) high = i;
  }
  const last = series.t.length - 1;
  return {
    low: series.min[low], lowAt: series.t[low],
    high: series.max[high], highAt: series.t[high],
    last: series.mean[last], lastAt: series.t[last],
  };
}

/**
 * Return at most `rows` rows, each the mean over an equal number of buckets: the table beside a chart.
 * @param {Series} series @param {number} rows
 */
export function tableRows(series, rows) {
  const step = Math.max(1, Math.ceil(series.t.length / rows));
  const table = [];
  for (let start = 0; start < series.t.length; start += step) {
    const end = Math.min(start + step, series.t.length);
    table.push({
      t: series.t[start],
      min: Math.min(...series.min.slice(start, end)),
      mean: series.mean.slice(start, end).reduce((sum, value) => sum + value, 0) / (end - start),
      max: Math.max(...series.max.slice(start, end)),
    });
  }
  return table;
}

/**
 * Seconds between buckets past which the line is broken: nobody measured there.
 * @param {Series} series @returns {number}
 */
export function gapAfter(series) {
  const steps = series.t.slice(1).map((t, i) => t - series.t[i]).sort((a, b) => a - b);
  const usual = steps.length ? steps[Math.floor(steps.length / 2)] : series.resolution_s;
  return 4 * Math.max(usual, series.resolution_s);
}

/** @param {Series} series @returns {Series} */
function copy(series) {
  return {
    ...series,
    t: [...series.t], min: [...series.min], mean: [...series.mean], max: [...series.max], n: [...series.n],
  };
}

/** @param {Series} series @param {number} i @param {number} value */
function widen(series, i, value) {
  series.n[i] += 1;
  series.mean[i] += (value - series.mean[i]) / series.n[i];
  series.min[i] = Math.min(series.min[i], value);
  series.max[i] = Math.max(series.max[i], value);
}

/** @param {Series} series @param {number} timestamp @returns {number} */
function bucketStart(series, timestamp) {
  if (series.t.length === 0) return timestamp;
  const last = series.t[series.t.length - 1];
  return last + Math.floor((timestamp - last) / series.resolution_s) * series.resolution_s;
}
