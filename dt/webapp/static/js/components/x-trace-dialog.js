import { fullTime } from "../format.js";
import { chain } from "../records.js";
import { make, PageElement } from "../element.js";
import { stopHere } from "../stop-here.js";

/** The causal chain behind an alert or action, opened by its "why?". */
class TraceDialog extends PageElement {
  #dialog = /** @type {HTMLDialogElement} */ (make("dialog", { "aria-labelledby": "trace-title" }));
  #title = make("h2", { id: "trace-title" });
  #content = make("div", { class: "content" });
  /** @type {AbortController | null} */
  #request = null;

  /** @param {AbortSignal} signal */
  mounted(signal) {
    const close = make("button", { type: "button", class: "icon-button", "aria-label": "Close" }, "✕");
    this.#dialog.replaceChildren(make("header", {}, this.#title, close, stopHere(this.#dialog)), this.#content);
    this.replaceChildren(this.#dialog);
    close.addEventListener("click", () => this.#dialog.close(), { signal });
    this.#dialog.addEventListener("click", (event) => { if (event.target === this.#dialog) this.#dialog.close(); }, { signal });
    this.#dialog.addEventListener("close", () => this.#request?.abort(), { signal });
    document.addEventListener("show-trace", (event) => void this.open(/** @type {CustomEvent} */ (event).detail), { signal });
  }

  unmounted() {
    this.#request?.abort();
  }

  /** @param {{correlationId: string, about: string}} what */
  async open({ correlationId, about }) {
    this.#request?.abort();
    this.#request = new AbortController();
    const { signal } = this.#request;
    this.#title.textContent = `Why? ${about}`;
    this.#content.replaceChildren(make("p", { class: "empty" }, "Loading the chain of causes…"));
    if (!this.#dialog.open) this.#dialog.showModal();
    try {
      const events = await this.api.trace(correlationId, signal);
      this.#content.replaceChildren(events.length ? steps(events) : make("p", { class: "empty" }, "Nothing is recorded under this id."));
      this.#content.append(make("p", { class: "id" }, "Correlation id ", make("code", {}, correlationId)));
    } catch (error) {
      if (!signal.aborted) this.#content.replaceChildren(make("p", { class: "empty" }, /** @type {Error} */ (error).message));
    }
  }
}

function steps(events) {
  return make("ol", { class: "chain" }, ...chain(events).map((step) => {
    const json = make("pre", {}, JSON.stringify(step.body, null, 2));
    const when = make("time", { title: fullTime(step.timestamp) }, step.since || fullTime(step.timestamp));
    return make("li", {}, make("div", { class: "kind" }, step.kind, when), make("p", {}, step.text),
      make("details", {}, make("summary", {}, "Record"), json));
  }));
}

customElements.define("x-trace-dialog", TraceDialog);
