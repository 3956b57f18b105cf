import "./x-pump-routines.js";
import { MODES, doseProblem, duration, failureWords, ml, policyWords, stateWords, takenBackWords, takesDoses, takesLevels, whyNotWords } from "../control.js";
import { commandWords, outcomeWords } from "../records.js";
import { confirmed } from "./x-confirm-dialog.js";
import { make, PageElement } from "../element.js";
import { PolicyForm } from "../policy-form.js";

const MANUAL_S = 3600;
const MINUTES = [1, 5, 15, 60, 240];

/** One actuator: what it is to do and does, why it would not start, and the controls of a person. */
class Actuator extends PageElement {
  /** @type {Record<string, any> | null} */
  #actuator = null;
  /** @type {any} */
  #routines = null;
  #wasStopped = false;
  #name = make("h3");
  #badge = make("span", { class: "badge" });
  #state = make("p", { class: "state" });
  #lock = make("div", { class: "lock" });
  #mode = /** @type {HTMLSelectElement} */ (make("select"));
  #modeWords = make("p", { class: "hint" });
  #policy = make("span");
  #whyNot = make("details", { class: "why-not" }, make("summary"), make("ul"));
  #said = make("p", { class: "said", role: "status" });
  #controls = /** @type {HTMLFieldSetElement} */ (make("fieldset", {}));
  #dose = /** @type {HTMLInputElement} */ (make("input", { type: "number", min: "1", step: "1", inputmode: "numeric" }));
  #level = /** @type {HTMLInputElement} */ (make("input", { type: "range", min: "0", max: "100", step: "5", value: "50" }));
  #levelShown = make("output", {}, "50 %");
  #minutes = /** @type {HTMLSelectElement} */ (make("select", { "aria-label": "For how long" }));

  /** @param {Record<string, any>} actuator @param {boolean} isSignedIn */
  show(actuator, isSignedIn) {
    const isNew = this.#actuator === null;
    this.#actuator = actuator;
    if (isNew) this.#build(actuator);
    this.#showStop(Boolean(this.store.control?.emergency_stop.active));
    const state = stateWords(actuator);
    setText(this.#state, state.text);
    this.toggleAttribute("data-differs", !state.agrees);
    this.toggleAttribute("data-on", Boolean(actuator.reported?.on));
    setText(this.#badge, actuator.lock ? "locked out" : actuator.mode.mode);
    this.#badge.dataset.mode = actuator.lock ? "locked" : actuator.mode.mode;
    if (document.activeElement !== this.#mode) this.#mode.value = actuator.mode.mode;
    setText(this.#modeWords, MODES[actuator.mode.mode]?.words ?? "");
    setText(this.#policy, policyWords(actuator.policy));
    this.#controls.disabled = !isSignedIn;
    this.#showLock(actuator.lock);
    this.#showWhyNot(actuator.why_not);
    this.#routines?.show(actuator, isSignedIn);
  }

  #build(actuator) {
    const name = actuator.name || actuator.actuator_id;
    this.dataset.actuator = actuator.actuator_id;
    this.#name.textContent = name;
    this.#mode.append(...Object.entries(MODES).map(([value, { label }]) => make("option", { value }, label)));
    this.#mode.addEventListener("change", () => void this.#setMode());
    const change = button("Change…", () => this.#changePolicy(), "text-button");
    this.#controls.append(
      make("legend", { class: "sr-only" }, `Controls of ${name}`),
      make("label", { class: "mode" }, make("span", {}, "Mode"), this.#mode), this.#modeWords,
      make("div", { class: "policy" }, this.#policy, change), this.#byHand(actuator),
    );
    this.replaceChildren(make("div", { class: "head" }, this.#name, this.#badge), this.#state, this.#lock, this.#controls, this.#whyNot, this.#said);
    if (!takesDoses(actuator)) return;
    this.#routines = make("x-pump-routines");
    this.#routines.context = { store: this.store, api: this.api };
    this.append(this.#routines);
  }

  /** Doses for what waters, levels for what takes them, a time on for all else; off for everything. */
  #byHand(actuator) {
    const row = make("div", { class: "by-hand" });
    const off = button("Off", () => this.#command({ command: "off" }), "text-button");
    if (takesDoses(actuator)) {
      this.#dose.value = "50";
      this.#dose.max = String(Math.floor(actuator.limits.largest_dose_ml ?? 1000));
      row.append(make("label", {}, make("span", {}, "One dose"), this.#dose, "ml"), button("Give…", () => this.#giveDose(), "act"), off);
      return row;
    }
    const minutes = MINUTES.filter((minute) => minute * 60 <= actuator.limits.max_on_s);
    this.#minutes.append(...minutes.map((minute) => make("option", { value: String(minute * 60) }, `for ${duration(minute * 60)}`)));
    if (takesLevels(actuator)) {
      this.#level.addEventListener("input", () => { this.#levelShown.textContent = `${this.#level.value} %`; });
      row.append(make("label", { class: "level" }, make("span", {}, "Level"), this.#level, this.#levelShown));
    }
    row.append(this.#minutes, button("Switch on", () => this.#switchOn(actuator), "act"), off);
    return row;
  }

  #switchOn(actuator) {
    const duration_s = Number(this.#minutes.value);
    const level = Number(this.#level.value) / 100;
    if (!takesLevels(actuator)) return this.#command({ command: "on", duration_s });
    return this.#command(level > 0 ? { command: "level", level, duration_s } : { command: "off" });
  }

  async #giveDose() {
    const actuator = /** @type {Record<string, any>} */ (this.#actuator);
    const dose_ml = Number(this.#dose.value);
    const problem = this.#dose.validity.badInput ? "A dose is a number of ml." : doseProblem(this.#dose.value, Number(this.#dose.max));
    if (problem) {
      this.#say(problem, true);
      this.#dose.focus();
      return;
    }
    const lines = [`${ml(dose_ml)} go to ${actuator.plant_id} now, by ${actuator.name || actuator.actuator_id}.`,
      ...actuator.why_not.map((refusal) => `It would be refused now: ${whyNotWords(refusal)}.`)];
    if (await confirmed({ title: `Give ${ml(dose_ml)}?`, lines, action: "Give it" })) await this.#command({ command: "dose", dose_ml });
  }

  async #setMode() {
    const mode = this.#mode.value;
    const name = this.#actuator?.name || this.#actuator?.actuator_id;
    const isSure = mode !== "automatic" || await confirmed({
      title: `Let ${name} act by itself?`,
      lines: [`Its policy: ${policyWords(this.#actuator?.policy)}.`, "The guard's limits hold as ever: longest time on, pause, water per day."],
      action: "Let it act",
    });
    const until = mode === "manual" ? { until: Date.now() / 1000 + MANUAL_S } : {};
    if (isSure) await this.#do(() => this.api.setMode(this.#id, { mode, ...until }), () => `Mode is ${mode} now.`);
    this.#mode.value = this.#actuator?.mode.mode ?? mode;
  }

  async #release(lock) {
    const isSure = await confirmed({
      title: "Release the lock-out?", lines: [`${lock.why}.`, lock.advice || "Look at the device first.", "It may start again at once."], action: "Release", danger: true,
    });
    if (isSure) await this.#do(() => this.api.releaseLock(this.#id), () => "Released.");
  }

  #changePolicy() {
    const actuator = /** @type {Record<string, any>} */ (this.#actuator);
    const save = (policy) => this.#do(() => this.api.setPolicy(actuator.plant_id || actuator.zone_id, { ...policy, actuator_id: this.#id }), () => "The policy is saved.");
    return this.#do(async () => { const known = await this.api.policies(); new PolicyForm(actuator, known, save).open(this); }, () => "");
  }

  async #command(command) {
    let isTakenBack = false;
    await this.#do(() => this.api.command(this.#id, command), (answer) => {
      if (answer.outcome === "accepted") return `${commandWords(command)}: begun.`;
      const done = outcomeWords(answer);
      isTakenBack = Boolean(answer.taken_back_by);
      return `${commandWords(command)}: ${answer.outcome}${done ? `, ${done}` : ""}.${takenBackWords(answer)}`;
    });
    this.#said.toggleAttribute("data-warn", isTakenBack);
    if (isTakenBack) this.#said.append(" ", button("Manual for an hour", () => this.#byHandNow(command), "text-button"));
  }

  /** Manual ends what the policy holds; a level has to be set again. */
  #byHandNow({ command }) {
    const mode = { mode: "manual", until: Date.now() / 1000 + MANUAL_S };
    return this.#do(() => this.api.setMode(this.#id, mode), () => `Manual for an hour: ${command === "off" ? "it stays off" : "set the level again"}.`);
  }

  get #id() { return /** @type {Record<string, any>} */ (this.#actuator).actuator_id; }

  /** Do something, and say what came of it; returns whether it went well. */
  async #do(act, words) {
    this.#say("");
    try {
      this.#say(words(await act()));
      return true;
    } catch (error) {
      this.#say(failureWords(error), true);
      return false;
    } finally {
      document.dispatchEvent(new CustomEvent("control-changed"));
    }
  }

  #say(text, isBad = false) {
    this.#said.textContent = text;
    this.#said.removeAttribute("data-warn");
    this.#said.toggleAttribute("data-bad", isBad);
  }

  /** What was said before an emergency stop is true no more. */
  #showStop(isStopped) {
    if (isStopped && !this.#wasStopped) this.#say("");
    this.#wasStopped = isStopped;
  }

  #showLock(lock) {
    const text = lock ? `${lock.why}|${lock.advice}` : "";
    this.#lock.hidden = !lock;
    if (this.#lock.dataset.text === text) return;
    this.#lock.dataset.text = text;
    this.#lock.replaceChildren(...(lock ? [make("strong", {}, "Locked out"), make("p", {}, `${lock.why}.`), make("p", {}, lock.advice ?? ""), button("Release…", () => this.#release(lock), "text-button")] : []));
  }

  #showWhyNot(refusals) {
    const lines = refusals.map(whyNotWords);
    this.#whyNot.hidden = lines.length === 0;
    setText(/** @type {HTMLElement} */ (this.#whyNot.querySelector("summary")), `Would not start now: ${refusals.map((one) => one.invariant).join(", ")}`);
    const list = /** @type {HTMLElement} */ (this.#whyNot.querySelector("ul"));
    if (list.dataset.text === lines.join()) return;
    list.dataset.text = lines.join();
    list.replaceChildren(...lines.map((line) => make("li", {}, line)));
  }
}

function button(text, act, look) {
  const element = make("button", { type: "button", class: look }, text);
  element.addEventListener("click", () => void act());
  return element;
}

/** Text that stays the same is not written again: readers of the screen would hear it every two seconds. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

customElements.define("x-actuator", Actuator);
