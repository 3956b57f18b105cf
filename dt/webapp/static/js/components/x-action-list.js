import { age, fullTime } from "../format.js";
import { commandWords, outcomeWords, refusalRows } from "../records.js";
import { make, PageElement, whyButton } from "../element.js";

const SHOWN = 5;

/** What the actuators were asked for, and what became of it. */
class ActionList extends PageElement {
  #list = make("ul", { class: "records" });
  #empty = make("p", { class: "empty" });

  /** @param {AbortSignal} signal */
  mounted(signal) {
    this.replaceChildren(make("h2", {}, "Recent actions"), this.#list, this.#empty);
    this.listen(["actions", "selection"], () => this.#show(), signal);
    this.listen(["tick"], () => this.#showAges(), signal);
    this.#show();
  }

  #show() {
    const actions = this.store.actions().slice(0, SHOWN);
    this.#list.replaceChildren(...actions.map((action) => this.#item(action)));
    this.#empty.hidden = actions.length > 0;
    this.#empty.textContent = this.store.isLoaded("actions") ? "Nothing has been done yet." : "Loading…";
    this.#showAges();
  }

  #item(action) {
    const what = commandWords(action.command);
    const head = make("div", { class: "head" }, make("strong", {}, what), badge(action.outcome), whyButton(action.correlation_id, what));
    const time = make("time", { title: fullTime(action.timestamp), "data-at": String(action.timestamp) });
    const body = make("div", { class: "body" }, head);
    const done = outcomeWords(action);
    if (done) body.append(make("p", {}, done));
    if (action.refusal) body.append(refusal(action.refusal));
    if (action.command?.reason) body.append(make("p", { class: "reason" }, action.command.reason));
    body.append(make("div", { class: "foot" }, make("span", {}, by(action)), time));
    return make("li", { "data-outcome": action.outcome }, body);
  }

  #showAges() {
    for (const time of this.#list.querySelectorAll("time")) {
      time.textContent = age(this.store.now - Number(time.dataset.at));
    }
  }
}

function badge(outcome) {
  return make("span", { class: "badge" }, outcome);
}

function by(action) {
  return action.command?.issuer ? `${action.actuator_id} · by ${action.command.issuer}` : action.actuator_id;
}

function refusal(refused) {
  const rows = refusalRows(refused).map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
  const box = make("div", { class: "refusal" });
  if (refused.why) box.append(make("p", {}, refused.why));
  box.append(make("dl", {}, ...rows));
  return box;
}

customElements.define("x-action-list", ActionList);
