import { DAY_S, MOST_DAYS, daysWords, idleLines, planLines, reservoirsOf, shareWords, tripWords } from "../away.js";
import { failureWords } from "../control.js";
import { confirmed } from "./x-confirm-dialog.js";
import { make, PageElement } from "../element.js";

const EVERY_MS = 15_000;

/** What the reservoirs hold made to last until somebody is back. */
class VacationCard extends PageElement {
  #badge = make("span", { class: "badge" });
  #words = make("p", { class: "empty" });
  #plan = make("ul", { class: "plan" });
  #days = /** @type {HTMLInputElement} */ (make("input", { type: "number", min: "1", max: String(MOST_DAYS), step: "1", value: "7", required: "", inputmode: "numeric" }));
  #full = make("div", { class: "full" });
  #form = make("form");
  #controls = /** @type {HTMLFieldSetElement} */ (make("fieldset"));
  #end = /** @type {HTMLButtonElement} */ (make("button", { type: "button", class: "text-button" }, "End it…"));
  #said = make("p", { class: "said", role: "status" });
  /** @type {{name: string, left_ml: number | null}[]} */
  #reservoirs = [];
  /** @type {any} */
  #answer = null;

  /** @param {AbortSignal} signal */
  mounted(signal) {
    this.#controls.append(make("legend", { class: "sr-only" }, "Begin a vacation"), make("label", {}, make("span", {}, "Away for"), this.#days, "days"),
      this.#full, make("button", { type: "submit", class: "act" }, "Begin…"));
    this.#form.append(this.#controls);
    this.replaceChildren(make("h2", {}, "Vacation", this.#badge), this.#words, this.#plan, this.#form, this.#end, this.#said);
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#begin();
    }, { signal });
    this.#end.addEventListener("click", () => void this.#stop(), { signal });
    this.#days.addEventListener("input", () => this.#show(), { signal });
    this.listen(["control"], () => this.#show(), signal);
    const timer = setInterval(() => { if (document.visibilityState === "visible") void this.#load(signal); }, EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
    this.#form.hidden = this.#end.hidden = true;
    void this.#load(signal);
  }

  get #actuators() { return this.store.control?.items ?? []; }

  /** @param {AbortSignal} [signal] */
  async #load(signal) {
    try {
      const [answer, ledger] = await Promise.all([this.api.vacation(signal), this.api.ledger(signal)]);
      this.#answer = { ...answer, budgets: ledger.budgets };
      this.#show();
    } catch (error) {
      if (!signal?.aborted) this.#words.textContent = /** @type {Error} */ (error).message;
    }
  }

  #show() {
    if (!this.#answer) return;
    const { vacation: trip, shares, budgets } = this.#answer;
    const names = new Map(this.#actuators.map((one) => [one.actuator_id, one.name || one.actuator_id]));
    this.#reservoirs = reservoirsOf(this.#actuators, budgets);
    const isKnown = this.#reservoirs.some((one) => one.left_ml !== null);
    setText(this.#badge, trip ? "on" : "off");
    this.toggleAttribute("data-on", Boolean(trip));
    setText(this.#words, trip ? tripWords(trip, this.store.now) : isKnown ? "Makes what a reservoir holds last until you are back." : "Needs a pump with a reservoir: name it and its content in the rig.");
    const lines = trip ? [...Object.entries(shares).map(([id, share]) => shareWords(names.get(id) ?? id, share)), ...idleLines(this.#actuators)]
      : isKnown && this.#days.checkValidity() ? planLines(Number(this.#days.value), this.#reservoirs, []) : [];
    setList(this.#plan, lines);
    this.#showFull();
    this.#form.hidden = Boolean(trip) || !isKnown;
    this.#end.hidden = !trip;
    this.#controls.disabled = this.#end.disabled = !this.store.isSignedIn;
  }

  /** One tick a reservoir, kept while they stay the same. */
  #showFull() {
    const names = this.#reservoirs.map((one) => one.name);
    if (this.#full.dataset.names === names.join()) return;
    this.#full.dataset.names = names.join();
    this.#full.replaceChildren(...names.map((name) => make("label", { class: "check" }, make("input", { type: "checkbox", value: name }), `Reservoir ${name} is full`)));
  }

  async #begin() {
    if (!this.#days.reportValidity()) return;
    const days = Number(this.#days.value);
    const ticks = /** @type {NodeListOf<HTMLInputElement>} */ (this.#full.querySelectorAll("input:checked"));
    const full = [...ticks].map((tick) => tick.value);
    const isSure = await confirmed({
      title: `Away for ${daysWords(days)}?`,
      lines: [...planLines(days, this.#reservoirs, full), "Policies keep the soil drier than usual and give each plant no more than its share.", ...idleLines(this.#actuators)],
      action: "Begin",
    });
    if (!isSure) return;
    await this.#do(async () => {
      for (const name of full) await this.api.refill(name);
      await this.api.startVacation(Date.now() / 1000 + days * DAY_S);
      for (const tick of ticks) tick.checked = false;
      return "The vacation has begun.";
    });
  }

  async #stop() {
    const isSure = await confirmed({ title: "End the vacation?", lines: ["Policies water as always again; limits per day hold as ever."], action: "End it" });
    if (isSure) await this.#do(async () => { await this.api.endVacation(); return "The vacation is over."; });
  }

  /** @param {() => Promise<string>} act */
  async #do(act) {
    this.#said.textContent = "";
    this.#said.removeAttribute("data-bad");
    try {
      this.#said.textContent = await act();
    } catch (error) {
      this.#said.textContent = failureWords(error);
      this.#said.setAttribute("data-bad", "");
    }
    document.dispatchEvent(new CustomEvent("control-changed"));
    await this.#load();
  }
}

/** Text that stays the same is not written again: readers of the screen would hear it every two seconds. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setList(list, lines) {
  if (list.dataset.text === lines.join("|")) return;
  list.dataset.text = lines.join("|");
  list.replaceChildren(...lines.map((line) => make("li", {}, line)));
}

customElements.define("x-vacation", VacationCard);
