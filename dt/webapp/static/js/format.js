/** Numbers, times and ages as people read them. Local time exists only here. */
import { QUANTITIES, unitSign } from "./quantities.js";

/** As the charts' axes have it. */
const DAY_OF_24_HOURS = Object.freeze(/** @type {const} */ ({ hourCycle: "h23" }));

/**
 * A number with its quantity's decimals and thin grouping.
 * @param {number} value @param {string} quantity @returns {string}
 */
export function number(value, quantity) {
  const digits = QUANTITIES[quantity]?.digits ?? 2;
  return value.toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−");
}

/** @param {number} value @param {string} quantity @param {string} unit @returns {string} */
export function numberWithUnit(value, quantity, unit) {
  return `${number(value, quantity)} ${unitSign(unit)}`;
}

/**
 * How long ago, in the largest unit that fits.
 * @param {number} seconds @returns {string}
 */
export function age(seconds) {
  const s = Math.max(0, seconds);
  if (s < 2) return "just now";
  if (s < 60) return `${Math.floor(s)} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86_400)} d ago`;
}

/**
 * A span between two events of a chain.
 * @param {number} seconds @returns {string}
 */
export function span(seconds) {
  const sign = seconds < 0 ? "−" : "+";
  const s = Math.abs(seconds);
  if (s < 1) return `${sign}${Math.round(s * 1000)} ms`;
  if (s < 60) return `${sign}${s.toFixed(1)} s`;
  if (s < 3600) return `${sign}${Math.round(s / 60)} min`;
  return `${sign}${(s / 3600).toFixed(1)} h`;
}

/** @param {number} seconds epoch seconds @returns {string} time of day, with the day when it is not today's */
export function clockTime(seconds, now = Date.now() / 1000) {
  const at = new Date(seconds * 1000);
  const today = new Date(now * 1000).toDateString() === at.toDateString();
  const time = at.toLocaleTimeString([], { ...DAY_OF_24_HOURS, hour: "2-digit", minute: "2-digit" });
  if (today) return time;
  return `${at.toLocaleDateString([], { day: "numeric", month: "short" })}, ${time}`;
}

/** @param {number} seconds epoch seconds @returns {string} the whole instant in the browser's zone */
export function fullTime(seconds) {
  return new Date(seconds * 1000).toLocaleString([], { ...DAY_OF_24_HOURS, dateStyle: "medium", timeStyle: "medium" });
}

/** @param {number} seconds epoch seconds @returns {string} the day, with its year */
export function day(seconds) {
  return new Date(seconds * 1000).toLocaleDateString([], { dateStyle: "medium" });
}

/** @param {string} name a wire name such as `soil_moisture` @returns {string} "Soil moisture" */
export function words(name) {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** @param {number} value @returns {string} at most three significant decimals, no trailing zeros */
export function plain(value) {
  return Number(value.toPrecision(4)).toLocaleString("en-GB", { maximumFractionDigits: 3 }).replace("-", "−");
}
