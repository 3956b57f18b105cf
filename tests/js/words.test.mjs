import assert from "node:assert/strict";
import { test } from "node:test";
import { age, number, plain, span, words } from "../../dt/webapp/static/js/format.js";
import { QUANTITIES, unitSign } from "../../dt/webapp/static/js/quantities.js";
import { chain, commandWords, eventWords, invariantWords, outcomeWords, refusalRows } from "../../dt/webapp/static/js/records.js";

test("ages are said in the largest unit that fits", () => {
  assert.deepEqual([-5, 1, 59, 60, 3599, 3600, 90_000].map(age), ["just now", "just now", "59 s ago", "1 min ago", "59 min ago", "1 h ago", "1 d ago"]);
});

test("spans within a chain keep their sign", () => {
  assert.deepEqual([0.05, 13, 600, -0.2].map(span), ["+50 ms", "+13.0 s", "+10 min", "−200 ms"]);
});

test("numbers have their quantity's decimals and a real minus", () => {
  assert.equal(number(0.2434, "soil_moisture"), "0.243");
  assert.equal(number(11332.4, "light_intensity"), "11,332");
  assert.equal(number(-3.14, "temperature"), "−3.1");
  assert.equal(plain(58.70001), "58.7");
});

test("every quantity that is shown has a label, a unit and a colour", () => {
  for (const [key, view] of Object.entries(QUANTITIES)) {
    assert.equal(view.key, key);
    assert.ok(view.label && view.unit && view.color.startsWith("--c-"));
  }
  assert.equal(unitSign("degC"), "°C");
  assert.equal(unitSign("unheard"), "unheard");
});

test("commands and outcomes read as sentences", () => {
  assert.equal(commandWords({ command: "dose", dose_ml: 60 }), "Dose 60 ml");
  assert.equal(commandWords({ command: "on", duration_s: 12 }), "On for 12 s");
  assert.equal(commandWords({ command: "level", level: 0.5 }), "Level 50 %");
  assert.equal(commandWords({ command: "off" }), "Off");
  assert.equal(commandWords(null), "Command");
  assert.equal(outcomeWords({ delivered_ml: 58.7, on_s: 11.8 }), "58.7 ml delivered, on for 11.8 s");
  assert.equal(outcomeWords({ delivered_ml: null, on_s: 0 }), "");
});

test("a refusal names invariant, value, limit and margin", () => {
  assert.deepEqual(refusalRows({ invariant: "S2", value: 312, limit: 600, margin: -288 }), [
    ["Invariant", "S2 · pause between doses"], ["Value", "312"], ["Limit", "600"], ["Margin", "−288"],
  ]);
  assert.deepEqual(refusalRows({ invariant: "S14", value: null, limit: null, margin: null }), [["Invariant", "S14 · a person's grant"]]);
  assert.equal(invariantWords("s03"), "S3 · water per day");
  assert.equal(invariantWords("house rule"), "house rule");
});

test("each kind of event has a line, an unknown one too", () => {
  const reading = { data_type: "soil_moisture", value: 0.243, unit: "m3/m3", sensor_id: "soil-1", quality: { verdict: "good" } };
  assert.equal(eventWords({ kind: "reading", body: reading }), "Soil moisture 0.243 m³/m³ (good) from soil-1");
  assert.equal(eventWords({ kind: "alert", body: { state: "open", description: "dry" } }), "Open: dry");
  assert.equal(eventWords({ kind: "condition", body: { description: "dry" } }), "dry");
  assert.equal(eventWords({ kind: "command", body: { command: "dose", dose_ml: 5, reason: "dry" } }), "Dose 5 ml – dry");
  assert.equal(
    eventWords({ kind: "result", body: { outcome: "refused", command: { command: "dose", dose_ml: 5 }, refusal: { why: "too soon" } } }),
    "Dose 5 ml: refused – too soon",
  );
  assert.equal(eventWords({ kind: "camera_frame", body: { width: 640, height: 480 } }), "640 × 480 picture");
  assert.equal(eventWords({ kind: "dead_letter", body: null }), "Dead letter");
  assert.equal(words("soil_moisture"), "Soil moisture");
});

test("a chain says how long after its first event each came", () => {
  const steps = chain([
    { kind: "reading", timestamp: 100, id: "r", caused_by: [], body: {} },
    { kind: "alert", timestamp: 100.25, id: "a", caused_by: ["r"], body: {} },
  ]);
  assert.deepEqual(steps.map((step) => step.since), ["", "+250 ms"]);
  assert.deepEqual(chain([]), []);
});

test("readings of one sensor in a row are one step of a chain", () => {
  const event = (value, timestamp) => ({
    kind: "reading", timestamp, id: "s", caused_by: [], body: { data_type: "soil_moisture", value, unit: "m3/m3", sensor_id: "s" },
  });
  const steps = chain([event(0.26, 1), event(0.25, 2), event(0.24, 3), { kind: "alert", timestamp: 4, body: { state: "open", description: "dry" } }]);

  assert.deepEqual(steps.map((step) => step.text), ["Soil moisture from 0.26 to 0.24 m³/m³: 3 readings from s", "Open: dry"]);
  assert.equal(steps[0].body.length, 3);
});
