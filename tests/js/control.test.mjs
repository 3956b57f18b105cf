import assert from "node:assert/strict";
import { test } from "node:test";
import { ControlFeed } from "../../dt/webapp/static/js/control-feed.js";
import { budgetWords, doseProblem, duration, newest, parameterOf, policyWords, spentShare, stateWords, takenBackWords, takesDoses, takesLevels, whyNotWords } from "../../dt/webapp/static/js/control.js";
import { Api, ApiError } from "../../dt/webapp/static/js/api.js";
import { Store } from "../../dt/webapp/static/js/store.js";

const OFF = { on: false, level: 0 };

test("an actuator's state says what it is to do and whether it does", () => {
  assert.deepEqual(stateWords({ desired: OFF, reported: OFF, pause_left_s: 0, on_s: 0 }), { text: "Off", agrees: true });
  assert.equal(stateWords({ desired: OFF, reported: OFF, pause_left_s: 540, on_s: 0 }).text, "Off, may start again in 9 min");
  assert.equal(stateWords({ desired: { on: true, level: 0.5 }, reported: { on: true, level: 0.5 }, on_s: 90 }).text, "On at 50 % for 90 s");
  assert.deepEqual(stateWords({ desired: OFF, reported: { on: true, level: 1 } }), { text: "Should be off, and is on", agrees: false });
  assert.deepEqual(stateWords({ desired: OFF, reported: { on: null, level: null } }), { text: "Should be off; its pin has not been read", agrees: false });
  assert.equal(stateWords({ desired: null, reported: null }).agrees, false);
});

test("a refusal says its invariant, value, limit and margin", () => {
  const refusal = { invariant: "S2", value: 41.4, limit: 600, margin: -558.6, why: "the pause is not over" };
  assert.equal(whyNotWords(refusal), "S2 · pause between doses: the pause is not over – 41.4, limit 600, margin −558.6");
  assert.equal(whyNotWords({ invariant: "S9", value: null, limit: null, margin: null, why: "" }), "S9 · emergency stop: refused");
});

test("budgets, policies and times are words", () => {
  assert.equal(budgetWords({ spent_ml: 208.6, budget_ml: 400 }), "209 ml of 400 ml in 24 h");
  assert.equal(spentShare({ spent_ml: 500, budget_ml: 400 }), 1);
  assert.equal(spentShare({}), 0);
  assert.equal(policyWords({ policy: "light_deficit", enabled: false, parameters: { times: ["07:30", "sunset"], dose_ml: 50 } }), "Light deficit: times 07:30, sunset, dose ml 50 (switched off)");
  assert.equal(policyWords(null), "No policy");
  assert.deepEqual([59, 60, 90, 3600, 14_400].map(duration), ["59 s", "1 min", "90 s", "60 min", "4 h"]);
  assert.deepEqual([takesDoses({ commands: ["dose"] }), takesLevels({ commands: ["on", "off"] })], [true, false]);
});

test("a dose that is empty or out of range says what is missing", () => {
  assert.equal(doseProblem("", 250), "Say how many ml: from 1 to 250.");
  assert.equal(doseProblem("300", 250), "A dose is from 1 to 250 ml, not 300.");
  assert.equal(doseProblem("0", 250), "A dose is from 1 to 250 ml, not 0.");
  assert.equal(doseProblem("250", 250), "");
});

test("a command that the policy undoes says so", () => {
  assert.equal(takenBackWords({ outcome: "done", taken_back_by: "daily_light" }), " But the mode is automatic: the policy daily light takes it back within seconds.");
  assert.equal(takenBackWords({ outcome: "done" }), "");
});

test("the newest entries of several pumps are one list", () => {
  assert.deepEqual(newest([{ wall: 1 }, { wall: 3 }, { wall: 2 }], 2), [{ wall: 3 }, { wall: 2 }]);
});

test("a parameter is read as its policy declares it, within its limits", () => {
  assert.equal(parameterOf({ type: "number", minimum: 0, maximum: 1 }, "0.25"), 0.25);
  assert.deepEqual(parameterOf({ type: "array" }, "07:30, sunset-01:00"), ["07:30", "sunset-01:00"]);
  assert.equal(parameterOf({ type: "string" }, "vpd"), "vpd");
  assert.throws(() => parameterOf({ type: "number" }, "wet"), /must be a number/);
  assert.throws(() => parameterOf({ type: "number" }, " "), /must be a number/);
  assert.throws(() => parameterOf({ type: "number", minimum: 1 }, "0"), /at least 1/);
  assert.throws(() => parameterOf({ type: "number", maximum: 2 }, "3"), /at most 2/);
});

test("the controller's word stays when it falls silent, and is said to be old", async () => {
  const answers = [{ items: [{ actuator_id: "pump", plant_id: "basil" }, { actuator_id: "fan", zone_id: "box" }, { actuator_id: "other", plant_id: "mint" }], emergency_stop: { active: false, by: null }, guard: "ok" }];
  const fetcher = async () => {
    if (!answers.length) throw new TypeError("refused");
    return new Response(JSON.stringify(answers.shift()));
  };
  const store = new Store(0);
  store.setPlants([{ plant_id: "basil", zone_id: "box" }]);
  const feed = new ControlFeed(store, new Api(fetcher), () => true);

  await feed.refresh();
  assert.deepEqual(store.actuators().map((actuator) => actuator.actuator_id), ["pump", "fan"]);
  assert.equal(store.controlWhy, "");

  await feed.refresh();
  assert.equal(store.actuators().length, 2);
  assert.equal(store.controlWhy, "The dashboard does not answer.");
});

test("acting carries the method, the CSRF token and the answer's own problem", async () => {
  const asked = [];
  const fetcher = async (path, options = {}) => {
    asked.push([path, options.method, options.headers?.["X-CSRF-Token"]]);
    if (path === "/api/session") return new Response(JSON.stringify({ csrf: "t" }));
    return new Response(JSON.stringify({ detail: "S2: too soon", refusal: { invariant: "S2" } }), { status: 409 });
  };
  const api = new Api(fetcher);
  await api.session();

  await assert.rejects(api.command("pump a", { command: "off" }), (error) => error instanceof ApiError && error.problem.refusal.invariant === "S2");
  await assert.rejects(api.setMode("pump", { mode: "off" }));
  await assert.rejects(api.releaseStop());

  assert.deepEqual(asked.slice(1), [["/api/actuators/pump%20a/commands", "POST", "t"], ["/api/actuators/pump/mode", "PUT", "t"], ["/api/emergency_stop", "DELETE", "t"]]);
});
