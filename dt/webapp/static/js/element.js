/**
 * Base of the page's elements: gets the store and the API once, and everything that `mounted` adds under the given signal is
 * removed when the element leaves the page.
 * @typedef {{store: import("./store.js").Store, api: import("./api.js").Api}} Context
 */
export class PageElement extends HTMLElement {
  /** @type {Context | null} */
  #context = null;
  /** @type {AbortController | null} */
  #lifetime = null;

  /** @param {Context} context */
  set context(context) {
    this.#context = context;
    this.#mount();
  }

  get store() { return /** @type {Context} */ (this.#context).store; }
  get api() { return /** @type {Context} */ (this.#context).api; }

  connectedCallback() {
    this.#mount();
  }

  disconnectedCallback() {
    this.#lifetime?.abort();
    this.#lifetime = null;
    this.unmounted();
  }

  /** Build the content and listen, always with the signal. @param {AbortSignal} _signal */
  mounted(_signal) {}

  /** Give back what no signal can. */
  unmounted() {}

  /** Hear several of the store's events with one handler. @param {string[]} names @param {() => void} handler @param {AbortSignal} signal */
  listen(names, handler, signal) {
    for (const name of names) this.store.addEventListener(name, handler, { signal });
  }

  #mount() {
    if (!this.isConnected || !this.#context || this.#lifetime) return;
    this.#lifetime = new AbortController();
    this.mounted(this.#lifetime.signal);
  }
}

/**
 * Make an element with attributes and children; text always goes in as text.
 * @param {string} tag @param {Record<string, string>} [attributes] @param {...(Node | string)} children
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A button that asks for the causal chain of a record. @param {string} correlationId @param {string} about words for the reader of the screen */
export function whyButton(correlationId, about) {
  const button = make("button", { type: "button", class: "why", "aria-label": `Why? ${about}` }, "why?");
  button.addEventListener("click", () => {
    button.dispatchEvent(new CustomEvent("show-trace", { bubbles: true, detail: { correlationId, about } }));
  });
  return button;
}
