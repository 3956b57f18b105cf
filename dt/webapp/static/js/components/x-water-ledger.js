import { budgetWords, endWords, ml, newest, spentShare, takesDoses } from "../control.js";
import { clockTime, fullTime } from "../format.js";
import { make, PageElement } from "../element.js";

const EVERY_MS = 15_000;
const MOST = 5;

/** What the shown plant's pumps gave, what each plant's day still allows, and what the reservoirs hold. */
class WaterLedger extends PageElement {
  #budgets = make("div", { class: "budgets" });
  #list = make("ul", { class: "records" });
  /** @type {string | null} the pumps whose entries were asked for last */
  #shown = null;
  #said = make("p", { class: "empty", role: "status" });

  /** @param {AbortSignal} signal */
  mounted(signal) {
    this.replaceChildren(make("h2", {}, "Water"), this.#budgets, this.#list, this.#said);
    this.listen(["actions", "selection"], () => void this.#load(signal), signal);
    this.listen(["control"], () => { if (this.#pumps.join() !== this.#shown) void this.#load(signal); }, signal);
    const timer = setInterval(() => { if (document.visibilityState === "visible") void this.#load(signal); }, EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
    void this.#load(signal);
  }

  get #pumps() { return this.store.actuators().filter(takesDoses).map((pump) => pump.actuator_id); }

  async #load(signal) {
    if (!this.store.control && !this.store.controlWhy) return; // whose pumps are shown is known soon
    const pumps = this.#shown = this.#pumps.join();
    try {
      const answer = await this.#asked(signal);
      if (pumps === this.#shown) this.#show(answer); // else another plant was chosen meanwhile
    } catch (error) {
      if (!signal?.aborted) this.#said.textContent = /** @type {Error} */ (error).message;
    }
  }

  /** The entries of each pump that is shown: in a list of all, other outputs would push them out. */
  async #asked(signal) {
    const pumps = this.#pumps;
    if (pumps.length === 0) return this.api.ledger(signal);
    const answers = await Promise.all(pumps.map((pump) => this.api.ledger(signal, pump)));
    return { budgets: answers[0].budgets, items: newest(answers.flatMap((answer) => answer.items), MOST) };
  }

  #show({ items, budgets }) {
    const shown = new Map(this.store.actuators().map((actuator) => [actuator.actuator_id, actuator]));
    const rows = Object.entries(budgets).filter(([id]) => shown.has(id) || shown.size === 0);
    this.#budgets.replaceChildren(...rows.map(([id, budget]) => this.#budget(shown.get(id)?.name || id, budget)), ...this.#reservoirs(rows, shown));
    const entries = items.filter((item) => shown.size === 0 || shown.has(item.actuator_id)).slice(0, MOST);
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
      this.#show(await this.#asked());
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
