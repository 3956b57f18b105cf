import { clockTime } from "../format.js";
import { PageElement } from "../element.js";

/** One line across the page while what is shown may be old. */
class ConnectionBanner extends PageElement {
  /** @type {number | null} */
  #lostAt = null;

  /** @param {AbortSignal} signal */
  mounted(signal) {
    this.setAttribute("role", "alert");
    this.listen(["connection"], () => this.#show(), signal);
    this.#show();
  }

  #show() {
    const lost = this.store.connection === "disconnected";
    this.hidden = !lost;
    if (!lost) {
      this.#lostAt = null;
      return;
    }
    this.#lostAt ??= this.store.now;
    this.textContent = `No connection since ${clockTime(this.#lostAt, this.store.now)}. The values below are the last ones known; trying again.`;
  }
}

customElements.define("x-connection-banner", ConnectionBanner);
