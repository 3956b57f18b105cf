import { confirmed } from "./x-confirm-dialog.js";
import { make, PageElement } from "../element.js";

/** Says that the emergency stop is on, and lets a person release it. */
class StopBanner extends PageElement {
  #text = make("p");
  #button = make("button", { type: "button", class: "text-button" }, "Release…");
  #said = make("p", { class: "said" });

  /** @param {AbortSignal} signal */
  mounted(signal) {
    this.setAttribute("role", "alert");
    this.replaceChildren(make("div", { class: "row" }, this.#text, this.#button), this.#said);
    this.#button.addEventListener("click", () => void this.#release(), { signal });
    this.listen(["control"], () => this.#show(), signal);
    this.#show();
  }

  #show() {
    const stop = this.store.control?.emergency_stop;
    this.hidden = !stop?.active;
    const text = stop?.active ? `Emergency stop, pressed by ${stop.by || "somebody"}: everything stays off until a person releases it.` : "";
    if (this.#text.textContent !== text) this.#text.textContent = text;
    if (!stop?.active) this.#said.textContent = "";
  }

  async #release() {
    const isSure = await confirmed({
      title: "Release the emergency stop?",
      lines: ["Outputs may start again at once: policies in automatic act as soon as their limits allow.", "Look at pumps, hoses and heaters first."],
      action: "Release",
      danger: true,
      isStopped: true,
    });
    if (!isSure) return;
    this.#said.textContent = "";
    try {
      await this.api.releaseStop();
    } catch (error) {
      this.#said.textContent = /** @type {any} */ (error).status === 401 ? "Sign in to release it." : /** @type {Error} */ (error).message;
    }
    document.dispatchEvent(new CustomEvent("control-changed"));
  }
}

customElements.define("x-stop-banner", StopBanner);
