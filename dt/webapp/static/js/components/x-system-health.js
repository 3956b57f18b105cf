import { age } from "../format.js";
import { make, PageElement } from "../element.js";

/** How the services do, as they say themselves. */
class SystemHealth extends PageElement {
  #list = make("ul", { class: "services" });
  #empty = make("p", { class: "empty" });
  #letters = make("p", { class: "letters" });

  /** @param {AbortSignal} signal */
  mounted(signal) {
    this.replaceChildren(make("h2", {}, "System"), this.#list, this.#empty, this.#letters);
    this.listen(["health"], () => this.#show(), signal);
    this.#show();
  }

  #show() {
    const reports = this.store.health();
    this.#list.replaceChildren(...reports.map((report) => this.#item(report)));
    this.#empty.hidden = reports.length > 0;
    this.#empty.textContent = "No service has reported yet.";
    const letters = this.store.deadLetters;
    this.#letters.hidden = letters === 0;
    this.#letters.textContent = `${letters} unreadable ${letters === 1 ? "record" : "records"} since this page was opened`;
  }

  #item(report) {
    const name = report.sensor_id ? `${report.service} · ${report.sensor_id}` : report.service;
    const words = report.why ? `${report.status}: ${report.why}` : report.status;
    const title = `${words}, ${age(this.store.now - report.timestamp)}`;
    return make("li", { "data-status": report.status, title }, make("span", { class: "dot", "aria-hidden": "true" }),
      make("span", {}, name), make("span", { class: "status" }, words));
  }
}

customElements.define("x-system-health", SystemHealth);
