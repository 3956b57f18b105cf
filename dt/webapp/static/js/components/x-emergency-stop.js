import { make, PageElement } from "../element.js";

/** Everything off by one press, always in reach. */
class EmergencyStop extends PageElement {
  #button = /** @type {HTMLButtonElement} */ (make("button", { type: "button", "aria-describedby": "stop-said" }, make("span", { "aria-hidden": "true" }, "■"), "Stop all"));
  #said = make("span", { class: "said", role: "alert", id: "stop-said" });

  /** @param {AbortSignal} signal */
  mounted(signal) {
    this.replaceChildren(this.#said, this.#button);
    this.#button.addEventListener("click", () => void this.#press(), { signal });
    document.addEventListener("stop-all", () => void this.#press(), { signal });
    this.listen(["control"], () => this.#show(), signal);
    this.#show();
  }

  #show() {
    const isOn = this.store.control?.emergency_stop.active ?? false;
    this.toggleAttribute("data-on", isOn);
    this.#button.lastChild?.replaceWith(isOn ? "Stopped" : "Stop all");
    this.#button.title = isOn ? "The emergency stop is on; pressing again does no harm" : "Switch every output off now, and keep it off";
  }

  async #press() {
    this.#said.textContent = "";
    try {
      await this.api.stopAll();
    } catch (error) {
      this.#said.textContent = `Not stopped: ${/** @type {Error} */ (error).message} Pull the plug, or run dt stop-all.`;
    }
    document.dispatchEvent(new CustomEvent("control-changed"));
  }
}

customElements.define("x-emergency-stop", EmergencyStop);
