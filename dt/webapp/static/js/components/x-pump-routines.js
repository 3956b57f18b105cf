import { chargedWords, flowOf, flowWords, routineSeconds } from "../away.js";
import { duration, failureWords, ml, whyNotWords } from "../control.js";
import { confirmed } from "./x-confirm-dialog.js";
import { make, PageElement } from "../element.js";

const SAID = { prime: "Priming has begun.", calibrate: "The pump runs; then enter what the jug holds." };

/** A pump's hose filled, and its flow measured with a jug. */
class PumpRoutines extends PageElement {
  /** @type {Record<string, any> | null} */
  #pump = null;
  #calibration = ""; // the action whose water is in the jug
  #flow = make("p", { class: "hint" });
  #caught = number("0.1", "10000", "0.1", "");
  #seconds = number("0.1", "120", "any", "");
  #controls = /** @type {HTMLFieldSetElement} */ (make("fieldset"));
  #said = make("p", { class: "told", role: "status" });

  /** @param {AbortSignal} signal */
  mounted(signal) {
    const measure = make("form", { class: "by-hand" },
      make("label", {}, make("span", {}, "Jug holds"), this.#caught, "ml"),
      make("label", {}, make("span", {}, "after"), this.#seconds, "s"),
      make("button", { type: "submit", class: "text-button" }, "Set flow…"));
    measure.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#setFlow();
    }, { signal });
    const run = make("div", { class: "by-hand" }, button("Prime…", () => this.#run("prime")), button("Calibrate…", () => this.#run("calibrate")));
    this.#controls.append(make("legend", { class: "sr-only" }, "Prime and calibrate"), run, measure);
    this.replaceChildren(make("details", {}, make("summary", {}, "Prime and calibrate"), make("div", { class: "inside" }, this.#flow, this.#controls, this.#said)));
    this.listen(["actions"], () => this.#takeSeconds(), signal);
  }

  /** @param {Record<string, any>} pump @param {boolean} isSignedIn */
  show(pump, isSignedIn) {
    const isNew = this.#pump === null;
    this.#pump = pump;
    const text = `It gives ${flowWords(pump.limits.flow_ml_s)}. To measure it: run it into a jug, and enter what the jug holds.`;
    if (this.#flow.textContent !== text) this.#flow.textContent = text;
    this.#controls.disabled = !isSignedIn;
    if (isNew) this.#seconds.value = String(routineSeconds(pump, "calibrate"));
  }

  /** @param {"prime" | "calibrate"} routine */
  async #run(routine) {
    const pump = /** @type {Record<string, any>} */ (this.#pump);
    const seconds = routineSeconds(pump, routine);
    const what = routine === "prime" ? "to fill its hose" : "into a jug: hold its hose there first";
    const lines = [`${pump.name || pump.actuator_id} runs for ${duration(seconds)} ${what}.`, chargedWords(pump, seconds),
      ...pump.why_not.map((refusal) => `It would be refused now: ${whyNotWords(refusal)}.`)];
    const title = routine === "prime" ? "Prime the pump?" : "Calibrate the pump?";
    if (!await confirmed({ title, lines, action: "Run it" })) return;
    await this.#do(async () => {
      const answer = await this.api.runRoutine(pump.actuator_id, routine);
      if (routine === "calibrate") {
        this.#calibration = answer.action_id;
        this.#seconds.value = String(answer.command?.duration_s ?? seconds);
        this.#caught.value = "";
        this.#caught.focus();
      }
      return SAID[routine];
    });
  }

  async #setFlow() {
    const pump = /** @type {Record<string, any>} */ (this.#pump);
    const [caught, seconds] = [Number(this.#caught.value), Number(this.#seconds.value)];
    if (!this.#caught.reportValidity() || !this.#seconds.reportValidity()) return;
    const flow = flowOf(pump, caught, seconds);
    if (flow === null) return this.#say(`The seconds must be more than the ${pump.priming_s} s of priming.`, true);
    const isSure = await confirmed({
      title: `Set the flow to ${flowWords(flow)}?`,
      lines: [`${ml(caught)} in ${seconds} s; it counted with ${flowWords(pump.limits.flow_ml_s)} so far.`, "Every dose is timed and charged by the flow."],
      action: "Set it",
    });
    if (!isSure) return;
    await this.#do(async () => {
      const answer = await this.api.setFlow(pump.actuator_id, { ml: caught, on_s: seconds });
      return `The flow is ${flowWords(answer.flow_ml_s)} now.`;
    });
  }

  /** A run that was cut short is measured by the seconds that it had. */
  #takeSeconds() {
    const ran = this.store.actions().find((action) => action.action_id === this.#calibration);
    if (!ran || typeof ran.on_s !== "number") return;
    this.#calibration = "";
    this.#seconds.value = String(Math.round(ran.on_s * 100) / 100);
    this.#say(`It ran for ${this.#seconds.value} s: enter what the jug holds.`);
  }

  /** @param {() => Promise<string>} act */
  async #do(act) {
    this.#say("");
    try {
      this.#say(await act());
    } catch (error) {
      this.#say(failureWords(error), true);
    }
    document.dispatchEvent(new CustomEvent("control-changed"));
  }

  #say(text, isBad = false) {
    this.#said.textContent = text;
    this.#said.toggleAttribute("data-bad", isBad);
  }
}

function number(min, max, step, value) {
  return /** @type {HTMLInputElement} */ (make("input", { type: "number", min, max, step, value, required: "", inputmode: "decimal" }));
}

function button(text, act) {
  const element = make("button", { type: "button", class: "text-button" }, text);
  element.addEventListener("click", () => void act());
  return element;
}

customElements.define("x-pump-routines", PumpRoutines);
