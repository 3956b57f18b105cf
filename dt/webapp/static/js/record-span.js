/** Where the record of an archived plant begins and ends, found by asking for ever narrower buckets. */

const FINE_S = 60;
const MOST_ROUNDS = 6;

/**
 * @typedef {import("./series.js").Series} Series
 * @param {(since: number, until: number) => Promise<Series>} fetchSeries
 * @param {number} now epoch seconds
 * @returns {Promise<[number, number] | null>} first and end in epoch seconds, null when there is nothing
 */
export async function recordSpan(fetchSeries, now) {
  const whole = await fetchSeries(0, now);
  if (whole.t.length === 0) return null;
  const first = await narrowed(fetchSeries, whole, (t) => t[0]);
  const last = await narrowed(fetchSeries, whole, (t) => t[t.length - 1]);
  return [first.t, last.t + last.resolution_s];
}

/** @param {(since: number, until: number) => Promise<Series>} fetchSeries @param {Series} series @param {(t: number[]) => number} pick */
async function narrowed(fetchSeries, series, pick) {
  let found = { t: pick(series.t), resolution_s: series.resolution_s };
  for (let round = 0; round < MOST_ROUNDS && found.resolution_s > FINE_S; round += 1) {
    const finer = await fetchSeries(found.t, found.t + found.resolution_s);
    if (finer.t.length === 0) break;
    found = { t: pick(finer.t), resolution_s: finer.resolution_s };
  }
  return found;
}
