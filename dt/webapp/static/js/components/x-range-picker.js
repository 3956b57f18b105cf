import { RANGES } from "../quantities.js";
import { make, PageElement } from "../element.js";

/** How far back the charts go. */
class RangePicker extends PageElement {
  /** @param {AbortSignal} signal */
  mounted(signal) {
    const inputs = Object.entries(RANGES).map(([key, range]) => this.#choice(key, range, signal));
    this.replaceChildren(make("fieldset", {}, make("legend", { class: "sr-only" }, "Range of the charts"), ...inputs));
    this.listen(["range", "selection", "plants"], () => this.#show(), signal);
    this.#show();
  }

  #choice(key, range, signal) {
    const input = make("input", { type: "radio", name: "range", value: key });
    input.addEventListener("change", () => this.store.setRange(key), { signal });
    return make("label", { title: range.words }, input, make("span", {}, range.label));
  }

  /** The whole record is offered for plants whose record has an end. */
  #show() {
    const archived = Boolean(this.store.plant?.archived);
    if (!archived && this.store.range === "all") this.store.setRange("24h");
    for (const input of this.querySelectorAll("input")) {
      input.checked = input.value === this.store.range;
      if (input.value === "all" && input.parentElement) input.parentElement.hidden = !archived;
    }
  }
}

customElements.define("x-range-picker", RangePicker);
