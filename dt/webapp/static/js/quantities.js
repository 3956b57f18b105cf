/**
 * The quantities that the page shows, and how their numbers read.
 * @typedef {object} QuantityView
 * @property {string} key      name on the bus
 * @property {string} label    words for people
 * @property {string} unit     canonical unit as the bus writes it
 * @property {number} digits   decimals shown
 * @property {string} color    CSS custom property with the series' colour
 * @property {boolean} own     true when each plant has a sensor of its own; false when it shares its zone's
 * @property {number | null} floor  lowest value that can be, null where there is none worth drawing
 */

/** @type {Readonly<Record<string, QuantityView>>} */
export const QUANTITIES = Object.freeze({
  soil_moisture: { key: "soil_moisture", label: "Soil moisture", unit: "m3/m3", digits: 3, color: "--c-soil", own: true, floor: 0 },
  temperature: { key: "temperature", label: "Temperature", unit: "degC", digits: 1, color: "--c-temperature", own: false, floor: null },
  humidity: { key: "humidity", label: "Humidity", unit: "%", digits: 1, color: "--c-humidity", own: false, floor: 0 },
  light_intensity: { key: "light_intensity", label: "Light", unit: "lux", digits: 0, color: "--c-light", own: false, floor: 0 },
  vpd: { key: "vpd", label: "VPD", unit: "kPa", digits: 2, color: "--c-vpd", own: false, floor: 0 },
});

/** Units as people write them. @type {Readonly<Record<string, string>>} */
const UNIT_SIGNS = Object.freeze({
  degC: "°C", degF: "°F", "m3/m3": "m³/m³", lux: "lx", klux: "klx", "umol/m2/s": "µmol/m²/s", fraction: "of range",
});

/** @param {string} unit @returns {string} the unit as it is shown */
export function unitSign(unit) {
  return UNIT_SIGNS[unit] ?? unit;
}

/**
 * The ranges that the charts offer, in seconds. `all` exists for archived plants only.
 * @type {Readonly<Record<string, {label: string, words: string, seconds: number}>>}
 */
export const RANGES = Object.freeze({
  "1h": { label: "1 h", words: "last hour", seconds: 3600 },
  "24h": { label: "24 h", words: "last 24 hours", seconds: 86_400 },
  "7d": { label: "7 d", words: "last 7 days", seconds: 7 * 86_400 },
  "14d": { label: "14 d", words: "last 14 days", seconds: 14 * 86_400 },
  all: { label: "All", words: "whole record", seconds: Infinity },
});
