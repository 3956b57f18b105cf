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
    const reports = this.store.health().filter((report) => !report.sensor_id || report.status !== "ok");
    this.#list.replaceChildren(...reports.map((report) => this.#item(report)));
    this.#empty.hidden = reports.length > 0;
    this.#empty.textContent = "No service has reported yet.";
    const letters = this.store.deadLetters;
    this.#letters.hidden = letters === 0;
    this.#letters.textContent = `${letters} unreadable ${letters === 1 ? "record" : "records"} since this page was opened`;
  }

  /** A service's sensors that are well are counted, not listed. */
  #sensorsOf(report) {
    if (report.sensor_id) return "";
    const sensors = this.store.health().filter((other) => other.sensor_id && other.service === report.service);
    const well = sensors.filter((other) => other.status === "ok").length;
    return sensors.length ? ` · ${well} of ${sensors.length} sensors` : "";
  }

  #item(report) {
    const name = report.sensor_id ? `${report.service} · ${report.sensor_id}` : report.service;
    const words = report.why ? `${report.status}: ${report.why}` : report.status + this.#sensorsOf(report);
    const title = `${words}, ${age(this.store.now - report.timestamp)}`;
    return make("li", { "data-status": report.status, title }, make("span", { class: "dot", "aria-hidden": "true" }),
      make("span", {}, name), make("span", { class: "status" }, words));
  }
}

customElements.define("x-system-health", SystemHealth);
