import { budgetWords, endWords, ml, spentShare } from "../control.js";
import { clockTime, fullTime } from "../format.js";
import { make, PageElement } from "../element.js";

const EVERY_MS = 15_000;

/** What was given, what each plant's day still allows, and what the reservoirs hold. */
class WaterLedger extends PageElement {
  #budgets = make("div", { class: "budgets" });
  #list = make("ul", { class: "records" });
  #said = make("p", { class: "empty", role: "status" });

  /** @param {AbortSignal} signal */
  mounted(signal) {
    this.replaceChildren(make("h2", {}, "Water"), this.#budgets, this.#list, this.#said);
    this.listen(["actions", "selection"], () => void this.#load(signal), signal);
    const timer = setInterval(() => { if (document.visibilityState === "visible") void this.#load(signal); }, EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
    void this.#load(signal);
  }

  async #load(signal) {
    try {
      this.#show(await this.api.ledger(signal));
    } catch (error) {
      if (!signal.aborted) this.#said.textContent = /** @type {Error} */ (error).message;
    }
  }

  #show({ items, budgets }) {
    const shown = new Map(this.store.actuators().map((actuator) => [actuator.actuator_id, actuator]));
    const rows = Object.entries(budgets).filter(([id]) => shown.has(id) || shown.size === 0);
    this.#budgets.replaceChildren(...rows.map(([id, budget]) => this.#budget(shown.get(id)?.name || id, budget)), ...this.#reservoirs(rows, shown));
    const entries = items.filter((item) => shown.size === 0 || shown.has(item.actuator_id)).slice(0, 5);
    this.#list.replaceChildren(...entries.map(entry));
    this.#said.textContent = entries.length ? "" : "No water was given yet.";
  }

  #budget(name, budget) {
    const bar = make("progress", { max: "1", value: String(spentShare(budget)), "aria-label": `${name}: ${budgetWords(budget)}` });
    return make("div", { class: "budget" }, make("div", { class: "line" }, make("span", {}, name), make("strong", {}, budgetWords(budget))), bar);
  }

  /** One line a reservoir, however many pumps draw from it. */
  #reservoirs(rows, shown) {
    const left = new Map(rows.filter(([id]) => shown.get(id)?.reservoir).map(([id, budget]) => [shown.get(id).reservoir, budget.reservoir_left_ml]));
    return [...left].map(([name, rest]) => {
      const refill = make("button", { type: "button", class: "text-button" }, "It is full again");
      refill.addEventListener("click", () => void this.#refill(name));
      refill.toggleAttribute("disabled", !this.store.isSignedIn);
      return make("div", { class: "line" }, make("span", {}, `Reservoir ${name}: ${ml(rest)} left`), refill);
    });
  }

  async #refill(name) {
    try {
      await this.api.refill(name);
      this.#show(await this.api.ledger());
      this.#said.textContent = `Reservoir ${name} counts as full.`;
    } catch (error) {
      this.#said.textContent = /** @type {any} */ (error).status === 401 ? "Sign in first." : /** @type {Error} */ (error).message;
    }
  }
}

function entry(item) {
  const given = make("strong", {}, ml(item.kept_ml ?? item.charged_ml));
  const time = make("time", { title: fullTime(item.wall) }, clockTime(item.wall));
  const foot = make("div", { class: "foot" }, make("span", {}, `${item.outcome ?? "running"}${item.why ? `: ${endWords(item.why)}` : ""}`), time);
  return make("li", {}, make("div", { class: "body" }, make("div", { class: "head" }, given, make("span", {}, item.actuator_id)), foot));
}

customElements.define("x-water-ledger", WaterLedger);
