/** Keeps the controller's word on its actuators fresh while somebody looks. */

const EVERY_MS = 2000;

export class ControlFeed {
  #store;
  #api;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #isLooking;

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
    } catch (error) {
      this.#store.loseControl(/** @type {Error} */ (error).message);
    }
  }

  async #round() {
    clearTimeout(this.#timer);
    if (this.#isLooking()) await this.refresh();
    this.#timer = setTimeout(() => void this.#round(), EVERY_MS);
  }
}
