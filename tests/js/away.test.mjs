import assert from "node:assert/strict";
import { test } from "node:test";
import { chargedWords, daysWords, flowOf, idleLines, planLines, reservoirsOf, routineSeconds, shareWords, tripWords } from "../../dt/webapp/static/js/away.js";
import { endWords, failureWords } from "../../dt/webapp/static/js/control.js";
import { Api, ApiError } from "../../dt/webapp/static/js/api.js";

const PUMP = { actuator_id: "pump", name: "Pump", plant_id: "basil", reservoir: "can", commands: ["dose"], lock: null, mode: { mode: "automatic" }, priming_s: 2, limits: { max_on_s: 30, flow_ml_s: 5 } };

test("a reservoir is named once, with what it holds where that is known", () => {
  const pumps = [PUMP, { ...PUMP, actuator_id: "other" }, { ...PUMP, actuator_id: "third", reservoir: "barrel" }, { ...PUMP, actuator_id: "fan", reservoir: undefined }];
  const budgets = { pump: { reservoir_left_ml: 4200 }, other: { reservoir_left_ml: 4200 } };
  assert.deepEqual(reservoirsOf(pumps, budgets), [{ name: "can", left_ml: 4200 }, { name: "barrel", left_ml: null }]);
});

test("a plan says what the days come to, and what is not known", () => {
  const [can, barrel, full] = planLines(14, [{ name: "can", left_ml: 4200 }, { name: "barrel", left_ml: null }, { name: "tub", left_ml: 10 }], ["tub"]);
  assert.equal(can, "Reservoir can holds 4,200 ml: 300 ml a day for all its plants together.");
  assert.match(barrel, /barrel holds is not known/);
  assert.equal(full, "Reservoir tub is full: what it holds is shared over 14 days.");
});

test("pumps that give nothing by themselves are named with the reason", () => {
  const lines = idleLines([PUMP, { ...PUMP, name: "", mode: { mode: "recommend" } }, { ...PUMP, lock: {} }, { ...PUMP, commands: ["on"], mode: { mode: "off" } }]);
  assert.deepEqual(lines, ["pump gives nothing by itself: its mode is recommend.", "Pump gives nothing by itself: it is locked out."]);
});

test("a vacation that is on says until when, and each share what is left of it", () => {
  assert.match(tripWords({ until: 20 * 86_400, by: "ada" }, 19 * 86_400), /^On until .*1970.* \(1 day to go\), by ada\.$/);
  assert.equal(shareWords("Pump", { share_ml: 300.4, left_ml: 0 }), "Pump: 300 ml a day, 0 ml of it left now");
  assert.deepEqual([1, 2.54, 0].map(daysWords), ["1 day", "2.5 days", "0 days"]);
});

test("a routine runs as long as the controller lets it, and all of its water is charged", () => {
  assert.deepEqual([routineSeconds(PUMP, "prime"), routineSeconds(PUMP, "calibrate"), routineSeconds({ ...PUMP, limits: { max_on_s: 8 } }, "calibrate")], [5, 12, 8]);
  assert.match(chargedWords(PUMP, 12), /About 60 ml count as given to basil/);
});

test("a flow is what the jug holds over the seconds without priming", () => {
  assert.equal(flowOf(PUMP, 55, 12), 5.5);
  assert.deepEqual([flowOf(PUMP, 55, 2), flowOf(PUMP, 0, 12)], [null, null]);
});

test("a failure is a refusal with its margin, a missing login, or the words of the answer", () => {
  const refusal = { invariant: "S2", value: 41.4, limit: 600, margin: -558.6, why: "the pause is not over" };
  assert.match(failureWords(new ApiError("x", 409, { refusal })), /^Refused\. S2 .* margin −558\.6\.$/);
  assert.equal(failureWords(new ApiError("x", 401)), "Sign in first.");
  assert.equal(failureWords(new ApiError("until: lies in the past", 400, {})), "until: lies in the past");
});

test("a vacation and a pump's routines are asked for where the controller has them", async () => {
  const seen = [];
  const api = new Api(async (path, options) => {
    seen.push([options.method ?? "GET", path, options.body]);
    return new Response("{}");
  });
  await api.vacation();
  await api.startVacation(7);
  await api.endVacation();
  await api.runRoutine("pump 1", "prime");
  await api.setFlow("pump", { ml: 50, on_s: 10 });
  assert.deepEqual(seen, [["GET", "/api/vacation", undefined], ["POST", "/api/vacation", '{"until":7}'], ["DELETE", "/api/vacation", "{}"],
    ["POST", "/api/actuators/pump%201/prime", "{}"], ["PUT", "/api/actuators/pump/flow", '{"ml":50,"on_s":10}']]);
});

test("an entry of the ledger that was refused is told in words", () => {
  assert.equal(endWords('{"invariant": "S6", "value": 2, "limit": 1, "margin": -1, "why": "pump is on"}'), "S6 · exclusions: pump is on – 2, limit 1, margin −1");
  assert.deepEqual(["its time is over", null, "{no json"].map(endWords), ["its time is over", "", "{no json"]);
});
