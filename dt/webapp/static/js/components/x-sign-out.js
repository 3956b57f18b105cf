import { make, PageElement } from "../element.js";

/** A button for those who signed in; nothing where no password is asked for. */
class SignOut extends PageElement {
  /** @param {AbortSignal} signal */
  mounted(signal) {
    const button = make("button", { type: "button", class: "text-button" }, "Sign out");
    button.addEventListener("click", () => void this.#leave(), { signal });
    document.addEventListener("session", (event) => {
      this.replaceChildren(...(/** @type {CustomEvent} */ (event).detail.signed_in ? [button] : []));
    }, { signal });
  }

  async #leave() {
    await this.api.logout();
    location.assign("/");
  }
}

customElements.define("x-sign-out", SignOut);
