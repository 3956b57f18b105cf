/** Actuators, refusals and budgets in words. Pure functions on the controller's own JSON. */
import { plain } from "./format.js";
import { invariantWords } from "./records.js";

/** What a person lets an actuator do. @type {Readonly<Record<string, {label: string, words: string}>>} */
export const MODES = Object.freeze({
  off: { label: "Off", words: "Nothing switches it on." },
  manual: { label: "Manual for an hour", words: "Only people command it; in an hour the mode before comes back." },
  recommend: { label: "Recommend", words: "Policies say what they would do, and do nothing." },
  automatic: { label: "Automatic", words: "Its policy acts by itself, within the limits." },
});

/**
 * What the pin is to do and what it does.
 * @param {Record<string, any>} actuator @returns {{text: string, agrees: boolean}}
 */
export function stateWords(actuator) {
  const { desired, reported } = actuator;
  if (!desired) return { text: "Not known: the guard does not answer", agrees: false };
  const wanted = levelWords(desired);
  if (!reported || reported.on === null) return { text: `Should be ${wanted}; its pin has not been read`, agrees: false };
  const seen = levelWords(reported);
  if (seen === wanted) return { text: `${wanted.charAt(0).toUpperCase()}${wanted.slice(1)}${sinceWords(actuator)}`, agrees: true };
  return { text: `Should be ${wanted}, and is ${seen}`, agrees: false };
}

/**
 * One line for a refusal, with how far it is from being allowed.
 * @param {Record<string, any>} refusal @returns {string}
 */
export function whyNotWords(refusal) {
  const numbers = typeof refusal.value === "number" && typeof refusal.limit === "number"
    ? ` – ${plain(refusal.value)}, limit ${plain(refusal.limit)}${marginWords(refusal.margin)}` : "";
  return `${invariantWords(refusal.invariant)}: ${refusal.why || "refused"}${numbers}`;
}

/**
 * Why a ledger's entry ended as it did; a refusal stands there as JSON.
 * @param {string | null | undefined} why @returns {string}
 */
export function endWords(why) {
  if (!why?.startsWith("{")) return why ?? "";
  try {
    return whyNotWords(JSON.parse(why));
  } catch {
    return why;
  }
}

/**
 * What a person reads when the controller did not do it.
 * @param {any} error an ApiError @returns {string}
 */
export function failureWords(error) {
  if (error.status === 401) return "Sign in first.";
  return error.problem?.refusal ? `Refused. ${whyNotWords(error.problem.refusal)}.` : error.message;
}

/** @param {Record<string, any>} actuator @returns {boolean} whether it takes levels */
export function takesLevels(actuator) {
  return actuator.commands.includes("level");
}

/** @param {Record<string, any>} actuator @returns {boolean} */
export function takesDoses(actuator) {
  return actuator.commands.includes("dose");
}

/**
 * How much of a budget is spent, from 0 to 1.
 * @param {{spent_ml?: number, budget_ml?: number}} budget
 */
export function spentShare(budget) {
  return budget.budget_ml ? Math.min(1, Math.max(0, (budget.spent_ml ?? 0) / budget.budget_ml)) : 0;
}

/** @param {{spent_ml?: number, budget_ml?: number}} budget @returns {string} */
export function budgetWords(budget) {
  return `${ml(budget.spent_ml)} of ${ml(budget.budget_ml)} in 24 h`;
}

/**
 * What a policy does, such as "Recommendation" with its parameters.
 * @param {Record<string, any> | null} policy @returns {string}
 */
export function policyWords(policy) {
  if (!policy) return "No policy";
  const name = policy.policy.replaceAll("_", " ");
  const parameters = Object.entries(policy.parameters ?? {}).map(([key, value]) => `${key.replaceAll("_", " ")} ${Array.isArray(value) ? value.join(", ") : value}`);
  const rest = parameters.length ? `: ${parameters.join(", ")}` : "";
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}${rest}${policy.enabled === false ? " (switched off)" : ""}`;
}

/**
 * The newest entries of a ledger.
 * @param {Record<string, any>[]} entries @param {number} most
 */
export function newest(entries, most) {
  return [...entries].sort((a, b) => b.wall - a.wall).slice(0, most);
}

/**
 * What a person reads beside "done" when the policy undoes it at once; empty when it does not.
 * @param {Record<string, any>} answer @returns {string}
 */
export function takenBackWords(answer) {
  if (!answer.taken_back_by) return "";
  return ` But the mode is automatic: the policy ${answer.taken_back_by.replaceAll("_", " ")} takes it back within seconds.`;
}

/**
 * What is missing of a dose, in words; empty when nothing is.
 * @param {string} text as it was typed @param {number} most ml
 */
export function doseProblem(text, most) {
  const value = Number(text);
  if (text.trim() === "") return `Say how many ml: from 1 to ${plain(most)}.`;
  return value >= 1 && value <= most ? "" : `A dose is from 1 to ${plain(most)} ml, not ${text.trim()}.`;
}

/** @param {number} seconds @returns {string} */
export function duration(seconds) {
  if (seconds < 120 && seconds % 60 !== 0) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${plain(Math.round(seconds / 360) / 10)} h`;
}

/**
 * The value of a form field as its parameter's type wants it; throws with words for people.
 * @param {Record<string, any>} schema @param {string} text @returns {unknown}
 */
export function parameterOf(schema, text) {
  if (schema.type === "array") return text.split(/[,\s]+/).filter(Boolean);
  if (schema.type !== "number" && schema.type !== "integer") return text;
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new Error("must be a number");
  if (schema.minimum !== undefined && value < schema.minimum) throw new Error(`must be at least ${plain(schema.minimum)}`);
  if (schema.maximum !== undefined && value > schema.maximum) throw new Error(`must be at most ${plain(schema.maximum)}`);
  return value;
}

/** @param {number | null | undefined} value @returns {string} */
export function ml(value) {
  return typeof value === "number" ? `${plain(Math.round(value))} ml` : "–";
}

function levelWords({ on, level }) {
  if (!on) return "off";
  return typeof level === "number" && level > 0 && level < 1 ? `on at ${Math.round(level * 100)} %` : "on";
}

function sinceWords(actuator) {
  if (actuator.desired.on && actuator.on_s > 0) return ` for ${duration(actuator.on_s)}`;
  return actuator.pause_left_s > 0 ? `, may start again in ${duration(actuator.pause_left_s)}` : "";
}

function marginWords(margin) {
  return typeof margin === "number" && margin < 0 ? `, margin ${plain(margin)}` : "";
}
