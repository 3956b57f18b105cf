import { make, PageElement } from "../element.js";

const WORDS = {
  connecting: ["Connecting", "Waiting for the live feed"],
  live: ["Live", "Values arrive as they are measured"],
  polling: ["Every 5 s", "No live feed; the page asks every 5 s"],
  disconnected: ["Disconnected", "The dashboard does not answer; the values shown are old"],
};

/** Says whether what is shown is live. */
class ConnectionState extends PageElement {
  #label = make("span");

  /** @param {AbortSignal} signal */
  mounted(signal) {
    this.setAttribute("role", "status");
    this.replaceChildren(make("span", { class: "dot", "aria-hidden": "true" }), this.#label);
    this.listen(["connection"], () => this.#show(), signal);
    this.#show();
  }

  #show() {
    const [label, title] = WORDS[this.store.connection];
    this.dataset.state = this.store.connection;
    this.title = title;
    this.#label.textContent = label;
  }
}

customElements.define("x-connection-state", ConnectionState);
