import assert from "node:assert/strict";
import { test } from "node:test";
import { Api, ApiError, itemsOf, pictureUrl } from "../../dt/webapp/static/js/api.js";
import { LiveFeed } from "../../dt/webapp/static/js/live.js";
import { Store } from "../../dt/webapp/static/js/store.js";

const READING = { sensor_id: "dht", data_type: "temperature", value: 21, unit: "degC", timestamp: 1000, correlation_id: "c", zone_id: "box", plant_id: null };

/** The socket's wire: handlers by event, fired by hand. */
class Wire {
  handlers = new Map();
  on(event, handler) { this.handlers.set(event, handler); }
  connect() {}
  disconnect() {}
  fire(event, ...args) { return this.handlers.get(event)(...args); }
}

function feed(live) {
  const store = new Store(1000);
  store.setPlants([{ plant_id: "basil", zone_id: "box" }]);
  const wire = new Wire();
  const timers = { running: 0, setInterval() { this.running += 1; return 7; }, clearInterval() { this.running -= 1; } };
  const made = new LiveFeed(store, { live }, wire, timers);
  made.start();
  return { store, wire, timers, made };
}

test("an event reaches the store and is acknowledged afterwards", () => {
  const { store, wire } = feed();
  let known = null;

  wire.fire("temperature", READING, () => { known = store.reading("temperature"); });

  assert.deepEqual(known, READING);
});

test("a server that asks for no acknowledgement gets none", () => {
  const { store, wire } = feed();
  wire.fire("derived", { ...READING, data_type: "vpd" });
  assert.equal(store.reading("vpd").value, 21);
});

test("while refused the page polls, and stops when it is let in", async () => {
  const { store, wire, timers, made } = feed(async () => ({ temperature: [READING] }));

  wire.fire("connect_error", new Error("503"));
  wire.fire("connect_error", new Error("503"));
  await made.poll();
  const polling = [store.connection, timers.running, store.reading("temperature")?.value];
  wire.fire("connect");

  assert.deepEqual(polling, ["polling", 1, 21]);
  assert.deepEqual([store.connection, timers.running], ["live", 0]);
});

test("when nobody answers the page says so", async () => {
  const { store, wire, made } = feed(async () => { throw new ApiError("away", 0); });

  wire.fire("disconnect", "transport close");
  await made.poll();

  assert.equal(store.connection, "disconnected");
});

test("an answer that comes after the feed is back changes nothing", async () => {
  let answer = () => {};
  const { store, wire } = feed(() => new Promise((resolve) => { answer = resolve; }));

  wire.fire("disconnect");
  wire.fire("connect");
  answer({});
  await new Promise(setImmediate);

  assert.equal(store.connection, "live");
});

function answering(status, body) {
  const asked = [];
  const api = new Api(async (path, options) => {
    asked.push([path, options]);
    return { ok: status < 400, status, json: async () => body };
  });
  return { api, asked };
}

test("a problem's own words reach the person", async () => {
  const { api } = answering(502, { title: "Bad gateway", detail: "The database service does not answer." });
  await assert.rejects(api.plants(), { message: "The database service does not answer.", status: 502 });
});

test("a dashboard that is gone is an error without a status", async () => {
  const api = new Api(async () => { throw new TypeError("failed to fetch"); });
  await assert.rejects(api.plants(), { name: "ApiError", status: 0 });
});

test("a request that is given up while its body comes has no answer", async () => {
  const body = async () => { throw new DOMException("given up", "AbortError"); };
  const api = new Api(async () => ({ ok: true, status: 200, json: body }));
  await assert.rejects(api.series({}), { name: "AbortError" });
});

test("an answer that is no JSON is an error", async () => {
  const api = new Api(async () => new Response("<html>", { status: 200 }));
  await assert.rejects(api.series({}), { name: "ApiError", status: 200 });
});

test("the CSRF token of the session goes with what is sent", async () => {
  const { api, asked } = answering(200, { csrf: "t0ken" });
  await api.session();

  await api.login("secret");

  assert.equal(asked[1][1].headers["X-CSRF-Token"], "t0ken");
  assert.equal(asked[1][1].credentials, "same-origin");
});

test("queries are escaped", async () => {
  const { api, asked } = answering(200, { items: [] });
  await api.records("alerts", { plant_id: "a&b", limit: 5 });
  await api.trace("x/../y").catch(() => {});

  assert.deepEqual(asked.map(([path]) => path), ["/api/alerts?plant_id=a%26b&limit=5", "/api/trace/x%2F..%2Fy"]);
});

test("lists come bare or as items", () => {
  assert.deepEqual([itemsOf([1]), itemsOf({ items: [2] }), itemsOf(null)], [[1], [2], []]);
});

test("a picture is asked for at the page's own origin", () => {
  assert.equal(pictureUrl("http://127.0.0.1:5001/frames/ab.jpg"), "/api/frames/ab.jpg");
  assert.equal(pictureUrl("/frames/ab.jpg"), "/api/frames/ab.jpg");
});
