/**
 * What the page knows: one place, told by the live feed and the API, heard by the components.
 * It knows neither DOM nor socket. Every change is an event named after what changed.
 *
 * @typedef {{sensor_id: string, data_type: string, value: number, unit: string, timestamp: number, correlation_id: string,
 *   zone_id: string, plant_id: string | null, revision?: number, quality?: {verdict: string, check?: string | null, why?: string | null} | null}} Reading
 * @typedef {{plant_id: string, zone_id: string, name?: string, species?: string, archived?: boolean,
 *   limits?: {soil_moisture_low: number, soil_moisture_target: number, soil_moisture_high: number}}} Plant
 * @typedef {Record<string, any> & {timestamp: number, correlation_id: string}} Event_
 * @typedef {{items: Record<string, any>[], emergency_stop: {active: boolean, by: string | null}, guard: string}} Control
 * @typedef {"connecting" | "live" | "polling" | "disconnected"} Connection
 */

const MAX_RECORDS = 100;

export class Store extends EventTarget {
  /** @type {Connection} */
  #connection = "connecting";
  /** @type {Plant[] | null} */
  #plants = null;
  /** @type {string | null} */
  #plantId = null;
  #range = "24h";
  #now;
  /** @type {Map<string, Reading>} */
  #readings = new Map();
  /** @type {Map<string, Event_>} */
  #alerts = new Map();
  /** @type {Map<string, Event_>} */
  #actions = new Map();
  /** @type {Map<string, Event_>} */
  #frames = new Map();
  /** @type {Map<string, Event_>} */
  #health = new Map();
  /** @type {Map<string, number>} */
  #intervals = new Map();
  /** @type {Control | null} */
  #control = null;
  #controlWhy = "";
  #isSignedIn = false;
  /** @type {Set<string>} */
  #deadLetters = new Set();
  /** @type {Set<string>} */
  #loaded = new Set();

  /** @param {number} now epoch seconds */
  constructor(now = Date.now() / 1000) {
    super();
    this.#now = now;
  }

  get connection() { return this.#connection; }
  /** Plants, or null until they are known. */
  get plants() { return this.#plants; }
  get range() { return this.#range; }
  get now() { return this.#now; }
  get deadLetters() { return this.#deadLetters.size; }

  /** The plant that is shown, or null when there is none. @returns {Plant | null} */
  get plant() {
    return this.#plants?.find((plant) => plant.plant_id === this.#plantId) ?? null;
  }

  /** @param {Connection} state */
  setConnection(state) {
    if (state === this.#connection) return;
    this.#connection = state;
    this.#tell("connection");
  }

  /** The actuators as the controller last told them, or null. */
  get control() { return this.#control; }
  /** Why the controller's word is missing or old; empty while it is neither. */
  get controlWhy() { return this.#controlWhy; }
  get isSignedIn() { return this.#isSignedIn; }

  /** @param {boolean} isSignedIn */
  setSignedIn(isSignedIn) {
    this.#isSignedIn = isSignedIn;
    this.#tell("control");
  }

  /** @param {Control} control */
  acceptControl(control) {
    this.#control = control;
    this.#controlWhy = "";
    this.#tell("control");
  }

  /** Nobody answered: what is known stays, and is said to be old. @param {string} why */
  loseControl(why) {
    this.#controlWhy = why;
    this.#tell("control");
  }

  /** The shown plant's actuators and those of its zone. @returns {Record<string, any>[]} */
  actuators() {
    return (this.#control?.items ?? []).filter((actuator) => this.concerns(actuator));
  }

  /** @param {number} now epoch seconds */
  tick(now) {
    this.#now = now;
    this.#tell("tick");
  }

  /** Take the list of plants; the shown one stays, or becomes the first that is not archived. @param {Plant[]} plants */
  setPlants(plants) {
    this.#plants = plants;
    this.#tell("plants");
    if (this.plant) return;
    const first = plants.find((plant) => !plant.archived) ?? plants[0];
    this.#plantId = first?.plant_id ?? null;
    this.#tell("selection");
  }

  /** @param {string} plantId */
  selectPlant(plantId) {
    if (plantId === this.#plantId) return;
    this.#plantId = plantId;
    this.#loaded.clear();
    this.#tell("selection");
  }

  /** @param {string} range a key of RANGES */
  setRange(range) {
    if (range === this.#range) return;
    this.#range = range;
    this.#tell("range");
  }

  /** How often a sensor reports, in seconds: what is older than three times that is stale. @param {string} sensorId @param {number} seconds */
  setInterval(sensorId, seconds) {
    this.#intervals.set(sensorId, seconds);
  }

  /**
   * Keep a reading unless a newer one of the same sensor and quantity is known, or the same one of this revision.
   * A revision of an earlier reading is told, for whoever draws the past. @param {Reading} reading
   */
  acceptReading(reading) {
    const key = `${reading.sensor_id}/${reading.data_type}`;
    const known = this.#readings.get(key);
    if (known && known.timestamp > reading.timestamp) {
      if (reading.revision) this.#tell("revision", reading);
      return;
    }
    if (known && known.timestamp === reading.timestamp && (reading.revision ?? 0) <= (known.revision ?? 0)) return;
    this.#readings.set(key, reading);
    this.#tell("reading", reading);
  }

  /** @param {Event_} alert */
  acceptAlert(alert) {
    if (this.#keep(this.#alerts, alert.alert_id, alert)) this.#tell("alerts", alert);
  }

  /** @param {Event_} action */
  acceptAction(action) {
    if (this.#keep(this.#actions, action.action_id, action)) this.#tell("actions", action);
  }

  /** @param {Event_} frame */
  acceptFrame(frame) {
    if (this.#keep(this.#frames, frame.sensor_id, frame)) this.#tell("frame", frame);
  }

  /** @param {Event_} report */
  acceptHealth(report) {
    const key = report.sensor_id ? `${report.service}/${report.sensor_id}` : report.service;
    if (this.#keep(this.#health, key, report)) this.#tell("health", report);
  }

  /** @param {{topic: string, partition: number, offset: number}} letter */
  acceptDeadLetter(letter) {
    this.#deadLetters.add(`${letter.topic}/${letter.partition}/${letter.offset}`);
    this.#tell("health");
  }

  /** Say that a list has been fetched, so that "empty" can be told from "not yet known". @param {"alerts" | "actions" | "frame"} what */
  setLoaded(what) {
    this.#loaded.add(what);
    this.#tell(what);
  }

  /** @param {"alerts" | "actions" | "frame"} what */
  isLoaded(what) {
    return this.#loaded.has(what);
  }

  /** True when a reading is the shown plant's own or its zone's. @param {{plant_id?: string | null, zone_id?: string | null}} thing */
  concerns(thing) {
    const plant = this.plant;
    if (!plant) return false;
    if (thing.plant_id) return thing.plant_id === plant.plant_id;
    return !plant.archived && thing.zone_id === plant.zone_id;
  }

  /** The newest reading of a quantity for the shown plant. @param {string} quantity @returns {Reading | null} */
  reading(quantity) {
    let newest = null;
    for (const reading of this.#readings.values()) {
      if (reading.data_type !== quantity || !this.concerns(reading)) continue;
      if (!newest || reading.timestamp > newest.timestamp) newest = reading;
    }
    return newest;
  }

  /** True when a reading is older than its sensor's cadence explains. @param {Reading} reading */
  isStale(reading) {
    const interval = this.#intervals.get(reading.sensor_id) ?? 60;
    return this.#now - reading.timestamp > Math.max(3 * interval, 60);
  }

  /** Alerts that a person still has to see, of every plant that lives: worst and newest first. @returns {Event_[]} */
  openAlerts() {
    const rank = { critical: 0, warning: 1, info: 2 };
    const archived = new Set((this.plants ?? []).filter((plant) => plant.archived).map((plant) => plant.plant_id));
    const seen = this.plant?.archived ? this.#alertsHere() : [...this.#alerts.values()].filter((alert) => !archived.has(alert.plant_id));
    const open = seen.filter((alert) => alert.state !== "resolved");
    return open.sort((a, b) => (rank[a.severity] ?? 3) - (rank[b.severity] ?? 3) || b.timestamp - a.timestamp);
  }

  /** Every known alert of the shown plant, newest first. @returns {Event_[]} */
  alerts() {
    return this.#alertsHere().sort((a, b) => b.timestamp - a.timestamp);
  }

  /** Actions for the shown plant, newest first. @returns {Event_[]} */
  actions() {
    const here = [...this.#actions.values()].filter((action) => plantOf(action) === this.#plantId || !plantOf(action));
    return here.sort((a, b) => b.timestamp - a.timestamp);
  }

  /** The newest picture of the shown plant or its zone. @returns {Event_ | null} */
  frame() {
    const here = [...this.#frames.values()].filter((frame) => this.concerns(frame));
    return here.sort((a, b) => b.timestamp - a.timestamp)[0] ?? null;
  }

  /** What the services say of themselves, by name. @returns {Event_[]} */
  health() {
    return [...this.#health.entries()].sort(([a], [b]) => a.localeCompare(b)).map(([, report]) => report);
  }

  #alertsHere() {
    return [...this.#alerts.values()].filter((alert) => this.concerns(alert) || (!alert.plant_id && !alert.zone_id));
  }

  /** @param {Map<string, Event_>} map @param {string} key @param {Event_} record */
  #keep(map, key, record) {
    const known = map.get(key);
    if (known && known.timestamp > record.timestamp) return false;
    map.delete(key);
    map.set(key, record);
    if (map.size > MAX_RECORDS) map.delete(/** @type {string} */ (oldestKey(map)));
    return true;
  }

  /** @param {string} name @param {unknown} [detail] */
  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** @param {Event_} action @returns {string | null} */
function plantOf(action) {
  return action.plant_id ?? action.command?.plant_id ?? null;
}

/** @param {Map<string, Event_>} map @returns {string | null} */
function oldestKey(map) {
  let oldest = null;
  for (const [key, record] of map) {
    if (oldest === null || record.timestamp < /** @type {Event_} */ (map.get(oldest)).timestamp) oldest = key;
  }
  return oldest;
}
