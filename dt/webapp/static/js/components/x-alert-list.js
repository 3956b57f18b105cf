import { age, fullTime, plain } from "../format.js";
import { make, PageElement, whyButton } from "../element.js";

const STEPS = { acknowledge: "I look after it", resolve: "It is over" };
const SIGNS = { critical: "!!", warning: "!", info: "i" };

/** What is wrong now, worst first. */
class AlertList extends PageElement {
  #count = make("span", { class: "count" });
  #list = make("ul", { class: "records" });
  #empty = make("p", { class: "empty" });

  /** @param {AbortSignal} signal */
  mounted(signal) {
    this.replaceChildren(make("h2", {}, "Alerts", this.#count), this.#list, this.#empty);
    this.#list.setAttribute("aria-live", "polite");
    this.listen(["alerts", "selection"], () => this.#show(), signal);
    this.listen(["tick"], () => this.#showAges(), signal);
    this.#show();
  }

  #show() {
    const alerts = this.store.openAlerts();
    this.#list.replaceChildren(...alerts.map((alert) => this.#item(alert)));
    this.#count.textContent = alerts.length ? String(alerts.length) : "";
    this.#empty.hidden = alerts.length > 0;
    this.#empty.textContent = this.store.isLoaded("alerts") ? "Nothing needs attention." : "Loading…";
    this.toggleAttribute("data-well", this.store.isLoaded("alerts") && alerts.length === 0);
    this.#showAges();
  }

  #item(alert) {
    const time = make("time", { title: fullTime(alert.timestamp), "data-at": String(alert.timestamp) });
    const head = make("div", { class: "head" }, make("strong", {}, alert.description), whyButton(alert.correlation_id, alert.description));
    const foot = make("div", { class: "foot" }, make("span", {}, words(alert)), time);
    const sign = make("span", { class: "sign", "aria-hidden": "true" }, SIGNS[alert.severity] ?? "i");
    const body = make("div", { class: "body" }, head);
    const advice = adviceOf(alert);
    if (advice) body.append(make("p", {}, advice));
    body.append(foot, this.#buttons(alert));
    return make("li", { "data-severity": alert.severity }, sign, body);
  }

  #buttons(alert) {
    const steps = alert.state === "acknowledged" ? ["resolve"] : ["acknowledge", "resolve"];
    const said = make("span", { class: "said", role: "status" });
    return make("div", { class: "steps" }, ...steps.map((step) => {
      const button = make("button", { type: "button", class: "text-button", "aria-label": `${STEPS[step]}: ${alert.description}` }, STEPS[step]);
      button.addEventListener("click", () => void this.#decide(alert, step, said));
      return button;
    }), said);
  }

  async #decide(alert, step, said) {
    said.textContent = "";
    try {
      this.store.acceptAlert(await this.api.decideAlert(alert.alert_id, step));
    } catch (error) {
      said.textContent = /** @type {any} */ (error).status === 401 ? "Sign in first." : /** @type {Error} */ (error).message;
    }
  }

  #showAges() {
    for (const time of this.#list.querySelectorAll("time")) {
      time.textContent = age(this.store.now - Number(time.dataset.at));
    }
  }
}

function words(alert) {
  const marks = [alert.state === "acknowledged" ? `acknowledged by ${alert.by}` : alert.state, alert.stale ? "its source is silent" : "", alert.flapping ? "comes and goes" : ""];
  return [alert.severity, ...marks].filter((word) => word && word !== "open").join(", ");
}

function adviceOf(alert) {
  if (alert.advice) return alert.advice;
  return alert.recommended_dose_ml ? `Recommended dose: ${plain(alert.recommended_dose_ml)} ml` : "";
}

customElements.define("x-alert-list", AlertList);
