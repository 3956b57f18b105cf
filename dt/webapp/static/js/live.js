/** The live feed: Socket.IO while it holds, the same values by polling while it does not. */

const READING_EVENTS = ["temperature", "humidity", "soil_moisture", "light_intensity", "derived"];
const POLL_EVERY_MS = 5000;

/**
 * @typedef {object} SocketLike
 * @property {(event: string, handler: (...args: any[]) => void) => unknown} on
 * @property {() => unknown} connect
 * @property {() => unknown} disconnect
 */

export class LiveFeed {
  #store;
  #api;
  #socket;
  #timers;
  /** @type {any} */
  #poll = null;

  /**
   * @param {import("./store.js").Store} store @param {import("./api.js").Api} api
   * @param {SocketLike} socket of the default namespace, not yet connected
   * @param {{setInterval: Function, clearInterval: Function}} timers
   */
  constructor(store, api, socket, timers = globalThis) {
    this.#store = store;
    this.#api = api;
    this.#socket = socket;
    this.#timers = timers;
  }

  start() {
    const socket = this.#socket;
    socket.on("connect", () => this.#connected());
    socket.on("disconnect", () => this.#fallBack());
    socket.on("connect_error", () => this.#fallBack());
    for (const event of READING_EVENTS) this.#listen(event, (reading) => this.#store.acceptReading(reading));
    this.#listen("camera_image", (frame) => this.#store.acceptFrame(frame));
    this.#listen("alert", (alert) => this.#store.acceptAlert(alert));
    this.#listen("action", (action) => this.#store.acceptAction(action));
    this.#listen("health", (report) => this.#store.acceptHealth(report));
    this.#listen("dead_letter", (letter) => this.#store.acceptDeadLetter(letter));
    this.#listen("prediction", () => {});
    socket.connect();
  }

  stop() {
    this.#stopPolling();
    this.#socket.disconnect();
  }

  /** Every event is acknowledged once it is taken in: that is what lets the server send the next. */
  #listen(/** @type {string} */ event, /** @type {(payload: any) => void} */ take) {
    this.#socket.on(event, (payload, acknowledge) => {
      take(payload);
      if (typeof acknowledge === "function") acknowledge();
    });
  }

  #connected() {
    this.#stopPolling();
    this.#store.setConnection("live");
  }

  #fallBack() {
    if (this.#poll !== null) return;
    this.#poll = this.#timers.setInterval(() => this.poll(), POLL_EVERY_MS);
    void this.poll();
  }

  #stopPolling() {
    if (this.#poll !== null) this.#timers.clearInterval(this.#poll);
    this.#poll = null;
  }

  /** Fetch the latest of everything once; public so that a test can take one step. */
  async poll() {
    try {
      this.#takeAll(await this.#api.live());
      if (this.#poll !== null) this.#store.setConnection("polling");
    } catch {
      if (this.#poll !== null) this.#store.setConnection("disconnected");
    }
  }

  /** @param {Record<string, any[]>} latest */
  #takeAll(latest) {
    for (const event of READING_EVENTS) for (const reading of latest[event] ?? []) this.#store.acceptReading(reading);
    for (const frame of latest.camera_image ?? []) this.#store.acceptFrame(frame);
    for (const alert of latest.alert ?? []) this.#store.acceptAlert(alert);
    for (const action of latest.action ?? []) this.#store.acceptAction(action);
    for (const report of latest.health ?? []) this.#store.acceptHealth(report);
  }
}
