import { age } from "../format.js";
import { make, PageElement } from "../element.js";

const EVERY_MS = 60_000;

/** Whom alerts are told to, and whether that works. */
class NoticeList extends PageElement {
  #list = make("ul", { class: "records" });
  #empty = make("p", { class: "empty" });
  #button = /** @type {HTMLButtonElement} */ (make("button", { type: "button", class: "text-button" }, "Send a test"));
  #said = make("p", { class: "empty", role: "status" });

  /** @param {AbortSignal} signal */
  mounted(signal) {
    this.replaceChildren(make("h2", {}, "Notices", this.#button), this.#list, this.#empty, this.#said);
    this.#button.addEventListener("click", () => void this.#test(signal), { signal });
    this.listen(["control"], () => { this.#button.disabled = !this.store.isSignedIn; }, signal);
    this.#button.disabled = !this.store.isSignedIn;
    this.#button.title = "To every address, at once; needs the password";
    const timer = setInterval(() => { if (document.visibilityState === "visible") void this.#load(signal); }, EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
    void this.#load(signal);
  }

  async #load(signal) {
    try {
      this.#show(await this.api.notices(signal));
    } catch (error) {
      if (!signal.aborted) this.#empty.textContent = /** @type {Error} */ (error).message;
    }
  }

  #show({ addresses, quiet_until: quietUntil }) {
    this.#list.replaceChildren(...addresses.map((address) => this.#item(address)));
    this.#button.hidden = addresses.length === 0;
    this.#empty.textContent = addresses.length ? (quietUntil ? "Quiet hours: only what is critical is told now." : "")
      : "Nobody is told of alerts. Set NOTICE_URLS, such as a mail or ntfy address.";
  }

  #item(address) {
    const well = (address.last_success_at ?? 0) >= (address.last_failure_at ?? 0);
    const parts = [];
    if (address.last_success_at) parts.push(`last taken ${age(this.store.now - address.last_success_at)}`);
    if (!well) parts.push(`failed ${age(this.store.now - address.last_failure_at)}: ${address.last_failure}`);
    if (address.waiting) parts.push(`${address.waiting} waiting`);
    const words = parts.join(", ") || "nothing sent yet";
    const kind = address.list === "escalation" ? make("span", { class: "badge" }, "second list") : "";
    return make("li", { "data-well": String(well) }, make("div", { class: "body" }, make("div", { class: "head" }, make("strong", {}, address.name), kind), make("p", {}, words)));
  }

  async #test(signal) {
    this.#button.disabled = true;
    this.#said.textContent = "Sending…";
    try {
      const { addresses } = await this.api.testNotices();
      const failed = addresses.filter((address) => !address.is_taken);
      this.#said.textContent = failed.length ? failed.map((address) => `${address.name}: ${address.why}`).join(" ") : "The test was taken by every address.";
    } catch (error) {
      this.#said.textContent = /** @type {any} */ (error).status === 401 ? "Sign in first." : /** @type {Error} */ (error).message;
    }
    this.#button.disabled = false;
    await this.#load(signal);
  }
}

customElements.define("x-notice-list", NoticeList);
