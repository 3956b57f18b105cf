import assert from "node:assert/strict";
import { test } from "node:test";
import { figure, localStamp, segments, summary, valueAt } from "../../dt/webapp/static/js/figure.js";
import { emptySeries, extremes, gapAfter, since, tableRows, withReading, withRevision } from "../../dt/webapp/static/js/series.js";

const PALETTE = { color: "c", band: "b", grid: "g", text: "t", dose: "d", alert: "a", limit: "l", hover: "h", edge: "e", font: "f" };

function series(values, resolution_s = 10) {
  return {
    resolution_s, t: values.map((_, i) => i * resolution_s), mean: values,
    min: values.map((v) => v - 1), max: values.map((v) => v + 1), n: values.map(() => 1),
  };
}

function input(more = {}) {
  return { quantity: "soil_moisture", unit: "m3/m3", series: series([0.3, 0.2]), window: [0, 100], palette: PALETTE, doses: [], alerts: [], dryLimit: null, ...more };
}

test("a live reading widens the last bucket", () => {
  const grown = withReading(series([5, 7]), { timestamp: 15, value: 11 });

  assert.deepEqual([grown.t, grown.mean, grown.min, grown.max, grown.n], [[0, 10], [5, 9], [4, 6], [6, 11], [1, 2]]);
});

test("a later reading opens a new bucket on the grid", () => {
  const grown = withReading(series([5, 7]), { timestamp: 47, value: 3 });

  assert.deepEqual(grown.t, [0, 10, 40]);
  assert.deepEqual([grown.min[2], grown.mean[2], grown.max[2], grown.n[2]], [3, 3, 3, 1]);
});

test("a late reading changes nothing", () => {
  const before = series([5, 7]);
  assert.equal(withReading(before, { timestamp: 9, value: 100 }), before);
});

test("the argument is left as it was", () => {
  const before = series([5, 7]);
  withReading(before, { timestamp: 15, value: 100 });
  assert.deepEqual(before, series([5, 7]));
});

test("the first reading of an empty series begins it", () => {
  assert.deepEqual(withReading(emptySeries(), { timestamp: 3, value: 1 }).t, [3]);
});

test("what leaves the window is dropped, the bucket that reaches into it is kept", () => {
  assert.deepEqual(since(series([1, 2, 3]), 15).t, [10, 20]);
  assert.deepEqual(since(series([1, 2, 3]), 100).t, []);
});

test("extremes say value and time, and nothing of an empty series", () => {
  assert.deepEqual(extremes(series([5, 9, 2])), { low: 1, lowAt: 20, high: 10, highAt: 10, last: 2, lastAt: 20 });
  assert.equal(extremes(emptySeries()), null);
});

test("a table has at most as many rows as asked for", () => {
  const rows = tableRows(series([1, 2, 3, 4, 5]), 2);

  assert.deepEqual(rows, [{ t: 0, min: 0, mean: 2, max: 4 }, { t: 30, min: 3, mean: 4.5, max: 6 }]);
});

test("a gap is more than four usual steps", () => {
  const sparse = { ...series([1, 2, 3]), t: [0, 60, 120] };
  assert.equal(gapAfter(sparse), 240);
});

test("line and band break where nobody measured", () => {
  const broken = { ...series([1, 2, 3, 4]), t: [0, 10, 500, 510] };

  assert.deepEqual(segments(broken), [[0, 2], [2, 4]]);
  const { data } = figure(input({ series: broken }));
  assert.deepEqual(data[1].y, [1, 2, null, 3, 4]);
  assert.deepEqual(data[0].y, [2, 3, 1, 0, null, 4, 5, 3, 2]);
});

test("an empty series draws nothing and no axes", () => {
  const { data, layout } = figure(input({ series: emptySeries(), dryLimit: 0.25 }));

  assert.deepEqual(data[1].y, []);
  assert.equal(layout.xaxis.visible, false);
  assert.deepEqual(layout.shapes, []);
});

test("doses, alerts and the dry limit are on the soil's chart", () => {
  const { data, layout } = figure(input({ doses: [{ t: 9, label: "60 ml" }], alerts: [{ t: 0, label: "dry" }], dryLimit: 0.25 }));

  assert.deepEqual(data.slice(2).map((trace) => [trace.name, trace.y[0]]), [["Pump dose", layout.yaxis.range[0]], ["Alert", 0.3]]);
  assert.equal(layout.shapes[0].y0, 0.25);
  assert.match(layout.annotations[0].text, /dry limit 0\.250 m³\/m³/);
});

test("alerts that are over are hollow", () => {
  const alerts = [{ t: 0, label: "dry" }, { t: 9, label: "wet again", isOver: true }];
  assert.deepEqual(figure(input({ alerts })).data[2].marker.symbol, ["diamond", "diamond-open"]);
});

test("the axis holds the dry limit even when the soil is wet", () => {
  const wet = { ...series([0.5, 0.5]), min: [0.5, 0.5], max: [0.5, 0.5] };
  const [low] = figure(input({ series: wet, dryLimit: 0.25 })).layout.yaxis.range;
  assert.ok(low < 0.25 && low >= 0);
});

test("the value at an instant is the nearest bucket's", () => {
  assert.equal(valueAt(series([1, 2, 3]), 14), 2);
  assert.equal(valueAt(series([1, 2, 3]), -5), 1);
  assert.equal(valueAt(series([1, 2, 3]), 999), 3);
  assert.equal(valueAt(emptySeries(), 1), null);
});

test("the chart can be heard", () => {
  const found = { low: 18, lowAt: 1, high: 25.04, highAt: 2, last: 22, lastAt: 3 };
  assert.equal(
    summary("temperature", "degC", "last hour", found, (t) => `t${t}`),
    "Temperature, last hour: latest 22.0 °C, lowest 18.0 °C at t1, highest 25.0 °C at t2.",
  );
  assert.equal(summary("temperature", "degC", "last hour", null, String), "Temperature, last hour: no readings.");
});

test("axis times are the browser's own", () => {
  const local = new Date(2031, 4, 2, 7, 30);
  assert.equal(localStamp(local.getTime() / 1000), "2031-05-02T07:30:00.000");
});

test("a revision takes its reading's place, and the bucket is what it would have been", () => {
  const live = [{ timestamp: 21, value: 3 }, { timestamp: 24, value: 9 }].reduce(withReading, series([5, 7]));
  const right = [{ timestamp: 21, value: 3 }, { timestamp: 24, value: 4 }].reduce(withReading, series([5, 7]));

  const revised = withRevision(live, { timestamp: 24, value: 4, revision: 1 });

  assert.deepEqual([revised.t, revised.min, revised.mean, revised.max, revised.n], [right.t, right.min, right.mean, right.max, right.n]);
  assert.equal(live.max.at(-1), 9);
});

test("an older revision, and the same one again, change nothing", () => {
  const revised = withRevision(withReading(series([5, 7]), { timestamp: 24, value: 9 }), { timestamp: 24, value: 4, revision: 2 });

  assert.equal(withRevision(revised, { timestamp: 24, value: 8, revision: 1 }), revised);
  assert.equal(withRevision(revised, { timestamp: 24, value: 8, revision: 2 }), revised);
  assert.equal(withReading(revised, { timestamp: 24, value: 8 }), revised);
});

test("a fetched reading that is alone in its bucket is revised; among others only a fetch can tell", () => {
  const alone = withRevision(series([5, 7]), { timestamp: 0, value: 50, revision: 1 });
  assert.deepEqual([alone.min, alone.mean, alone.max], [[50, 6], [50, 7], [50, 8]]);

  const several = { ...series([5, 7]), n: [1, 4] };
  assert.equal(withRevision(several, { timestamp: 10, value: 50, revision: 1 }), null);
  assert.equal(withRevision(withReading(several, { timestamp: 15, value: 1 }), { timestamp: 15, value: 50, revision: 1 }), null);
  assert.equal(withRevision(series([5, 7]), { timestamp: 4, value: 50, revision: 1 }), null);
});

test("a revision outside the series, or one that no longer counts, needs a fetch", () => {
  assert.equal(withRevision(series([5, 7]), { timestamp: 900, value: 1, revision: 1 }), null);
  assert.equal(withRevision(emptySeries(), { timestamp: 900, value: 1, revision: 1 }), null);
  assert.equal(withRevision(series([5, 7]), { timestamp: 0, value: 1, revision: 1, quality: { verdict: "bad" } }), null);
});
