/** Alerts, actions and causal chains in words. Pure functions on the messages' own JSON. */
import { plain, span, words } from "./format.js";
import { QUANTITIES, unitSign } from "./quantities.js";

/**
 * What was asked of an actuator.
 * @param {Record<string, any> | null | undefined} command @returns {string}
 */
export function commandWords(command) {
  if (!command) return "Command";
  if (command.command === "dose") return `Dose ${amount(command.dose_ml)} ml`;
  if (command.command === "on") return `On for ${amount(command.duration_s)} s`;
  if (command.command === "level") return `Level ${plain(command.level * 100)} %`;
  return words(command.command);
}

/**
 * What became of it.
 * @param {Record<string, any>} result an ActionResult @returns {string}
 */
export function outcomeWords(result) {
  const parts = [];
  if (typeof result.delivered_ml === "number") parts.push(`${amount(result.delivered_ml)} ml delivered`);
  if (typeof result.on_s === "number" && result.on_s > 0) parts.push(`on for ${amount(result.on_s)} s`);
  return parts.join(", ");
}

/** What an invariant protects, for people who do not know its number. @type {Readonly<Record<string, string>>} */
const INVARIANTS = Object.freeze({
  S1: "longest time on", S2: "pause between doses", S3: "water per day", S4: "trustworthy soil moisture", S5: "upper moisture limit",
  S6: "exclusions", S7: "effect of the last dose", S8: "heater cut-off", S9: "emergency stop", S10: "once only, and in time",
  S11: "control loop alive", S12: "trustworthy clock", S14: "a person's grant",
});

/** @param {string} invariant such as "S2" or "s02" @returns {string} */
export function invariantWords(invariant) {
  const id = invariant.toUpperCase().replace(/^S0+/, "S");
  return INVARIANTS[id] ? `${id} · ${INVARIANTS[id]}` : invariant;
}

/**
 * The numbers behind a refusal, as rows of name and value.
 * @param {Record<string, any>} refusal @returns {[string, string][]}
 */
export function refusalRows(refusal) {
  /** @type {[string, string][]} */
  const rows = [["Invariant", invariantWords(refusal.invariant)]];
  for (const name of ["value", "limit", "margin"]) {
    if (typeof refusal[name] === "number") rows.push([words(name), plain(refusal[name])]);
  }
  return rows;
}

/**
 * One line for one event of a trace.
 * @param {{kind: string, body: Record<string, any>}} event @returns {string}
 */
export function eventWords({ kind, body }) {
  if (typeof body?.data_type === "string" && typeof body.value === "number") return readingWords(body);
  if (body?.outcome) return `${commandWords(body.command)}: ${body.outcome}${suffix(outcomeWords(body) || body.refusal?.why)}`;
  if (body?.state && body.description) return `${words(body.state)}: ${body.description}`;
  if (body?.description) return body.description;
  if (typeof body?.command === "string") return `${commandWords(body)}${suffix(body.reason)}`;
  if (body?.width && body?.height) return `${body.width} × ${body.height} picture`;
  return words(kind);
}

/**
 * The chain with the time since its first event.
 * @param {{kind: string, timestamp: number, id: string, caused_by: unknown, body: any}[]} events
 */
export function chain(events) {
  const start = events.length ? Math.min(...events.map((event) => event.timestamp)) : 0;
  return runs(events).map((run, i) => ({
    kind: words(run[0].kind),
    text: run.length > 1 ? runWords(run) : eventWords(run[0]),
    timestamp: run[0].timestamp,
    since: i === 0 && run[0].timestamp === start ? "" : span(run[0].timestamp - start),
    body: run.length > 1 ? run.map((event) => event.body) : run[0].body,
  }));
}

/** Millilitres and seconds: tenths are as fine as a pump is. @param {number} value */
function amount(value) {
  return plain(Math.round(value * 10) / 10);
}

/** Readings of one sensor that follow each other are one step. */
function runs(events) {
  const found = [];
  for (const event of events) {
    const last = found.at(-1);
    if (last && isReading(event) && isReading(last[0]) && sameSeries(last[0].body, event.body)) last.push(event);
    else found.push([event]);
  }
  return found;
}

function isReading({ body }) {
  return typeof body?.data_type === "string" && typeof body.value === "number";
}

function sameSeries(one, other) {
  return one.sensor_id === other.sensor_id && one.data_type === other.data_type;
}

function runWords(run) {
  const [first, last] = [run[0].body, run.at(-1).body];
  const label = QUANTITIES[first.data_type]?.label ?? words(first.data_type);
  return `${label} from ${plain(first.value)} to ${plain(last.value)} ${unitSign(last.unit)}: ${run.length} readings from ${first.sensor_id}`;
}

/** @param {Record<string, any>} reading */
function readingWords(reading) {
  const label = QUANTITIES[reading.data_type]?.label ?? words(reading.data_type);
  const verdict = reading.quality?.verdict;
  return `${label} ${plain(reading.value)} ${unitSign(reading.unit)}${verdict ? ` (${verdict})` : ""} from ${reading.sensor_id}`;
}

/** @param {string | undefined} text */
function suffix(text) {
  return text ? ` – ${text}` : "";
}
