import assert from "node:assert/strict";
import { test } from "node:test";
import { Store } from "../../dt/webapp/static/js/store.js";

const BASIL = { plant_id: "basil", zone_id: "box", name: "Basil" };
const OLD = { plant_id: "pot-2019", zone_id: "pot-2019", archived: true };

function reading(more = {}) {
  return { sensor_id: "dht", data_type: "temperature", value: 21, unit: "degC", timestamp: 1000, correlation_id: "c", zone_id: "box", plant_id: null, ...more };
}

function filled(plants = [OLD, BASIL]) {
  const store = new Store(1000);
  store.setPlants(plants);
  return store;
}

function heard(store, name) {
  const events = [];
  store.addEventListener(name, (event) => events.push(event.detail));
  return events;
}

test("the first plant that lives is shown", () => {
  assert.equal(filled().plant.plant_id, "basil");
});

test("an archived plant is shown when there is no other", () => {
  assert.equal(filled([OLD]).plant.plant_id, "pot-2019");
});

test("the chosen plant stays when the list comes anew", () => {
  const store = filled();
  store.selectPlant("pot-2019");

  store.setPlants([BASIL, OLD]);

  assert.equal(store.plant.plant_id, "pot-2019");
});

test("a plant shows its zone's air and its own soil, and nobody else's", () => {
  const store = filled([BASIL, { plant_id: "mint", zone_id: "box" }]);
  store.acceptReading(reading());
  store.acceptReading(reading({ sensor_id: "soil-m", data_type: "soil_moisture", plant_id: "mint", value: 0.4 }));
  store.acceptReading(reading({ sensor_id: "other", data_type: "humidity", zone_id: "shelf" }));

  assert.equal(store.reading("temperature").value, 21);
  assert.equal(store.reading("soil_moisture"), null);
  assert.equal(store.reading("humidity"), null);
});

test("an archived plant does not show the air of today", () => {
  const store = filled([{ ...OLD, zone_id: "box" }]);
  store.acceptReading(reading());

  assert.equal(store.reading("temperature"), null);
});

test("an older reading changes nothing and tells nobody", () => {
  const store = filled();
  store.acceptReading(reading({ timestamp: 1000, value: 2 }));
  const events = heard(store, "reading");

  store.acceptReading(reading({ timestamp: 999, value: 1 }));
  store.acceptReading(reading({ timestamp: 1000, value: 3 }));

  assert.equal(store.reading("temperature").value, 2);
  assert.equal(events.length, 0);
});

test("a higher revision of the newest reading takes its place", () => {
  const store = filled();
  store.acceptReading(reading({ timestamp: 1000, value: 2 }));
  const events = heard(store, "reading");

  store.acceptReading(reading({ timestamp: 1000, value: 3, revision: 2 }));
  store.acceptReading(reading({ timestamp: 1000, value: 4, revision: 1 }));

  assert.equal(store.reading("temperature").value, 3);
  assert.deepEqual(events.map((event) => event.revision), [2]);
});

test("a revision of an earlier reading is told, and is not shown as the newest", () => {
  const store = filled();
  store.acceptReading(reading({ timestamp: 1000, value: 2 }));
  const [readings, revisions] = [heard(store, "reading"), heard(store, "revision")];

  store.acceptReading(reading({ timestamp: 940, value: 3, revision: 1 }));

  assert.equal(store.reading("temperature").value, 2);
  assert.deepEqual([readings.length, revisions.map((event) => event.timestamp)], [0, [940]]);
});

test("one chip's two quantities are two series", () => {
  const store = filled();
  store.acceptReading(reading());
  store.acceptReading(reading({ data_type: "humidity", value: 55 }));

  assert.deepEqual([store.reading("temperature").value, store.reading("humidity").value], [21, 55]);
});

test("a reading is stale after three of its sensor's intervals, at least a minute", () => {
  const store = filled();
  store.setInterval("dht", 60);
  const late = reading({ timestamp: 1000 });

  store.tick(1180);
  const before = store.isStale(late);
  store.tick(1181);

  assert.deepEqual([before, store.isStale(late)], [false, true]);
});

test("open alerts come worst first, resolved ones not at all", () => {
  const store = filled();
  const alert = (alert_id, severity, state, timestamp) => store.acceptAlert({ alert_id, severity, state, timestamp, plant_id: "basil", correlation_id: "c" });
  alert("a", "info", "open", 5);
  alert("b", "critical", "acknowledged", 1);
  alert("c", "warning", "open", 9);
  alert("c", "warning", "resolved", 10);

  assert.deepEqual(store.openAlerts().map((one) => one.alert_id), ["b", "a"]);
  assert.equal(store.alerts().length, 3);
});

test("a thirsty neighbour is seen whichever plant is shown, an archived plant's old alert is not", () => {
  const store = filled();
  const alert = (alert_id, plant_id) => store.acceptAlert({ alert_id, severity: "warning", state: "open", timestamp: 5, plant_id, correlation_id: "c" });
  store.setPlants([...(store.plants ?? []), { plant_id: "neighbour", zone_id: "box" }, { plant_id: "old", zone_id: "box", archived: true }]);

  alert("n", "neighbour");
  alert("o", "old");

  assert.deepEqual(store.openAlerts().map((one) => one.alert_id), ["n"]);
  assert.deepEqual(store.alerts(), []);
});

test("an older step of an alert does not undo a later one", () => {
  const store = filled();
  store.acceptAlert({ alert_id: "a", state: "resolved", timestamp: 10, plant_id: "basil", correlation_id: "c" });
  store.acceptAlert({ alert_id: "a", state: "open", timestamp: 5, plant_id: "basil", correlation_id: "c" });

  assert.deepEqual(store.openAlerts(), []);
});

test("actions are the shown plant's, by the command when the result does not say", () => {
  const store = filled();
  store.acceptAction({ action_id: "1", timestamp: 1, correlation_id: "c", plant_id: "basil" });
  store.acceptAction({ action_id: "2", timestamp: 2, correlation_id: "c", command: { plant_id: "basil" } });
  store.acceptAction({ action_id: "3", timestamp: 3, correlation_id: "c", plant_id: "mint" });

  assert.deepEqual(store.actions().map((one) => one.action_id), ["2", "1"]);
});

test("records are kept up to a bound, the oldest go first", () => {
  const store = filled();
  for (let i = 0; i < 150; i += 1) store.acceptAction({ action_id: String(i), timestamp: i, correlation_id: "c", plant_id: "basil" });

  assert.equal(store.actions().length, 100);
  assert.equal(store.actions().at(-1).action_id, "50");
});

test("empty and not yet known are told apart, for each plant anew", () => {
  const store = filled();
  assert.equal(store.isLoaded("alerts"), false);
  store.setLoaded("alerts");
  assert.equal(store.isLoaded("alerts"), true);

  store.selectPlant("pot-2019");

  assert.equal(store.isLoaded("alerts"), false);
});

test("the same dead letter is counted once", () => {
  const store = filled();
  const letter = { topic: "t", partition: 0, offset: 7 };
  store.acceptDeadLetter(letter);
  store.acceptDeadLetter(letter);

  assert.equal(store.deadLetters, 1);
});

test("a connection state that stays tells nobody", () => {
  const store = filled();
  const events = heard(store, "connection");
  store.setConnection("live");
  store.setConnection("live");

  assert.equal(events.length, 1);
});
