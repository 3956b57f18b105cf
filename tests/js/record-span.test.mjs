import assert from "node:assert/strict";
import { test } from "node:test";
import { recordSpan } from "../../dt/webapp/static/js/record-span.js";

const WIDTHS = [1, 10, 60, 600, 3600, 43_200, 864_000, 8_640_000];

/** A database of readings at these instants, answering in at most `points` aligned buckets. */
function database(readings, points = 200) {
  const asked = [];
  return {
    asked,
    fetch: async (since, until) => {
      asked.push([since, until]);
      const width = WIDTHS.find((w) => Math.floor((until - 1) / w) - Math.floor(since / w) + 1 <= points) ?? 86_400_000;
      const inside = readings.filter((t) => t >= since && t < until);
      return { resolution_s: width, t: [...new Set(inside.map((t) => Math.floor(t / width) * width))] };
    },
  };
}

test("both ends of an old record are found to the minute", async () => {
  const readings = Array.from({ length: 1822 }, (_, i) => 1_558_000_123 + i * 3600);
  const { fetch, asked } = database(readings);

  const [first, end] = await recordSpan(fetch, 1_800_000_000);

  assert.ok(first <= readings[0] && readings[0] - first <= 60);
  assert.ok(end > readings.at(-1) && end - readings.at(-1) <= 60);
  assert.ok(asked.length <= 12);
});

test("a record without readings has no span", async () => {
  assert.equal(await recordSpan(database([]).fetch, 1_800_000_000), null);
});
