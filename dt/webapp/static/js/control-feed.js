/** Keeps the controller's word on its actuators fresh while somebody looks. */

const EVERY_MS = 2000;
const SELDOM_MS = 30_000; // while nobody answers

export class ControlFeed {
  #store;
  #api;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #isLooking;
  #pauseMs = EVERY_MS;

  /** @param {import("./store.js").Store} store @param {import("./api.js").Api} api @param {() => boolean} isLooking */
  constructor(store, api, isLooking) {
    this.#store = store;
    this.#api = api;
    this.#isLooking = isLooking;
  }

  start() {
    void this.#round();
  }

  /** Ask once, at once; never throws. */
  async refresh() {
    try {
      this.#store.acceptControl(await this.#api.control());
      this.#pauseMs = EVERY_MS;
    } catch (error) {
      this.#pauseMs = Math.min(2 * this.#pauseMs, SELDOM_MS);
      this.#store.loseControl(/** @type {Error} */ (error).message);
    }
  }

  async #round() {
    clearTimeout(this.#timer);
    if (this.#isLooking()) await this.refresh();
    this.#timer = setTimeout(() => void this.#round(), this.#pauseMs);
  }
}
