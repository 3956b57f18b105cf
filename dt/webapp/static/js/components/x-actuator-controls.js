import "./x-actuator.js";
import { make, PageElement } from "../element.js";

/** The shown plant's actuators and those of its zone: state, mode, policy, and what a person can do. */
class ActuatorControls extends PageElement {
  #note = make("p", { class: "note" });
  #list = make("div", { class: "actuators" });
  #empty = make("p", { class: "empty" });
  /** @type {Map<string, any>} */
  #cards = new Map();

  /** @param {AbortSignal} signal */
  mounted(signal) {
    this.replaceChildren(make("h2", { id: "control-title" }, "Control"), this.#note, this.#list, this.#empty);
    this.setAttribute("role", "region");
    this.setAttribute("aria-labelledby", "control-title");
    this.listen(["control", "selection", "plants"], () => this.#show(), signal);
    this.#show();
  }

  #show() {
    const actuators = this.store.actuators();
    const ids = new Set(actuators.map((actuator) => actuator.actuator_id));
    for (const [id, card] of this.#cards) if (!ids.has(id)) {
      card.remove();
      this.#cards.delete(id);
    }
    for (const actuator of actuators) this.#cardOf(actuator.actuator_id).show(actuator, this.store.isSignedIn);
    this.#empty.hidden = actuators.length > 0;
    this.#empty.textContent = this.store.control ? "This plant has no actuator." : this.store.controlWhy || "Loading…";
    this.#showNote();
  }

  #showNote() {
    const { control, controlWhy, isSignedIn } = this.store;
    const lines = [];
    if (control && controlWhy) lines.push(make("span", { class: "bad" }, `What is shown may be old: ${controlWhy}`));
    if (control && control.guard !== "ok") lines.push(make("span", { class: "bad" }, `The guard of the outputs: ${control.guard}`));
    if (!isSignedIn) lines.push(make("span", {}, make("a", { href: "/login" }, "Sign in"), " to control; looking needs no password."));
    const text = lines.map((line) => line.textContent).join();
    if (this.#note.dataset.text === text) return;
    this.#note.dataset.text = text;
    this.#note.replaceChildren(...lines);
  }

  #cardOf(id) {
    let card = this.#cards.get(id);
    if (!card) {
      card = make("x-actuator");
      card.context = { store: this.store, api: this.api };
      this.#cards.set(id, card);
      this.#list.append(card);
    }
    return card;
  }
}

customElements.define("x-actuator-controls", ActuatorControls);
