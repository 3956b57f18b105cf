import { age, day, fullTime, number } from "../format.js";
import { QUANTITIES, unitSign } from "../quantities.js";
import { make, PageElement } from "../element.js";

const VERDICTS = { good: "good", suspect: "suspect", bad: "bad" };

/** One quantity now: value, unit, verdict and age. Attribute `quantity`. */
class ReadingTile extends PageElement {
  #value = make("span", { class: "value" });
  #unit = make("span", { class: "unit" });
  #badge = make("span", { class: "badge" });
  #age = make("span", { class: "age" });

  /** @param {AbortSignal} signal */
  mounted(signal) {
    const view = QUANTITIES[this.#quantity];
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", view.label);
    this.style.setProperty("--tile", `var(${view.color})`);
    this.replaceChildren(
      make("h3", {}, view.label),
      make("p", { class: "now" }, this.#value, this.#unit),
      make("p", { class: "foot" }, this.#badge, this.#age),
    );
    this.listen(["reading", "selection", "connection"], () => this.#show(), signal);
    this.listen(["tick"], () => this.#showAge(), signal);
    this.#show();
  }

  get #quantity() {
    return this.getAttribute("quantity") ?? "";
  }

  #show() {
    const reading = this.store.reading(this.#quantity);
    this.#value.textContent = reading ? number(reading.value, this.#quantity) : "–";
    this.#unit.textContent = unitSign(reading?.unit ?? QUANTITIES[this.#quantity].unit);
    this.#showVerdict(reading);
    this.#showAge();
  }

  /** @param {import("../store.js").Reading | null} reading */
  #showVerdict(reading) {
    const verdict = VERDICTS[reading?.quality?.verdict ?? ""] ?? "none";
    this.dataset.verdict = verdict;
    this.#badge.hidden = !reading;
    this.#badge.textContent = verdict === "none" ? "unchecked" : verdict;
    const why = reading?.quality?.why ?? "";
    this.#badge.title = why;
    if (why) this.#badge.setAttribute("aria-label", `${verdict}: ${why}`);
    else this.#badge.removeAttribute("aria-label");
  }

  #showAge() {
    const reading = this.store.reading(this.#quantity);
    this.toggleAttribute("data-stale", Boolean(reading) && !this.store.plant?.archived && this.store.isStale(reading));
    this.#age.textContent = reading ? this.#when(reading) : this.#absence();
    this.#age.title = reading ? fullTime(reading.timestamp) : "";
  }

  /** @param {import("../store.js").Reading} reading */
  #when(reading) {
    return this.store.plant?.archived ? day(reading.timestamp) : age(this.store.now - reading.timestamp);
  }

  #absence() {
    if (this.store.plant?.archived) return "not in the record";
    return this.store.plants === null ? "loading…" : "no reading yet";
  }
}

customElements.define("x-reading-tile", ReadingTile);
