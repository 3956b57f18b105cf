/** A vacation and a pump's routines in words. Pure functions on the controller's own JSON. */
import { ml } from "./control.js";
import { day, plain } from "./format.js";

export const DAY_S = 86_400;
export const MOST_DAYS = 60;
export const PRIME_S = 5;
export const CALIBRATE_S = 10;

/**
 * What each reservoir holds; null where no pump says so.
 * @param {Record<string, any>[]} actuators @param {Record<string, any>} budgets by actuator
 * @returns {{name: string, left_ml: number | null}[]}
 */
export function reservoirsOf(actuators, budgets) {
  const found = new Map(actuators.filter((one) => one.reservoir).map((one) => [one.reservoir, budgets[one.actuator_id]?.reservoir_left_ml ?? null]));
  return [...found].map(([name, left_ml]) => ({ name, left_ml }));
}

/**
 * What a vacation of so many days comes to, for a person to agree to.
 * @param {number} days @param {{name: string, left_ml: number | null}[]} reservoirs @param {string[]} full those that were just filled up
 * @returns {string[]}
 */
export function planLines(days, reservoirs, full) {
  return reservoirs.map(({ name, left_ml }) => {
    if (full.includes(name)) return `Reservoir ${name} is full: what it holds is shared over ${daysWords(days)}.`;
    if (left_ml === null) return `What reservoir ${name} holds is not known, so it is not shared out.`;
    return `Reservoir ${name} holds ${ml(left_ml)}: ${ml(left_ml / Math.max(days, 1))} a day for all its plants together.`;
  });
}

/** Pumps that nobody waters with meanwhile. @param {Record<string, any>[]} actuators @returns {string[]} */
export function idleLines(actuators) {
  const idle = actuators.filter((one) => one.commands.includes("dose") && (one.lock || one.mode.mode !== "automatic"));
  return idle.map((one) => `${one.name || one.actuator_id} gives nothing by itself: ${one.lock ? "it is locked out" : `its mode is ${one.mode.mode}`}.`);
}

/** @param {{until: number, by: string}} trip @param {number} now epoch seconds @returns {string} */
export function tripWords(trip, now) {
  return `On until ${day(trip.until)} (${daysWords(Math.max(0, trip.until - now) / DAY_S)} to go), by ${trip.by}.`;
}

/** @param {string} name @param {{share_ml: number, left_ml: number}} share @returns {string} */
export function shareWords(name, share) {
  return `${name}: ${ml(share.share_ml)} a day, ${ml(share.left_ml)} of it left now`;
}

/** @param {number} days @returns {string} */
export function daysWords(days) {
  const shown = plain(Math.round(days * 10) / 10);
  return shown === "1" ? "1 day" : `${shown} days`;
}

/**
 * How long a pump runs for a routine, as the controller decides it (s).
 * @param {Record<string, any>} pump @param {"prime" | "calibrate"} routine @returns {number}
 */
export function routineSeconds(pump, routine) {
  const wanted = routine === "prime" ? Math.max(PRIME_S, pump.priming_s ?? 0) : CALIBRATE_S + (pump.priming_s ?? 0);
  return Math.min(wanted, pump.limits.max_on_s);
}

/** What is charged for it. @param {Record<string, any>} pump @param {number} seconds @returns {string} */
export function chargedWords(pump, seconds) {
  return `About ${ml(seconds * pump.limits.flow_ml_s)} count as given to ${pump.plant_id}, whether they reach the pot or a jug.`;
}

/** @param {number} flow ml/s @returns {string} */
export function flowWords(flow) {
  return `${plain(flow)} ml/s`;
}

/** The flow that a jug tells. @param {Record<string, any>} pump @param {number} caught_ml @param {number} on_s @returns {number | null} ml/s */
export function flowOf(pump, caught_ml, on_s) {
  const flowing = on_s - (pump.priming_s ?? 0);
  return caught_ml > 0 && flowing > 0 ? caught_ml / flowing : null;
}
