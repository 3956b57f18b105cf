import { make } from "../element.js";

const SYSTEM_DARK = "(prefers-color-scheme: dark)";

/** Switches between light and dark; what was chosen is remembered by the browser. */
class ThemeToggle extends HTMLElement {
  /** @type {AbortController | null} */
  #lifetime = null;

  connectedCallback() {
    this.#lifetime = new AbortController();
    const { signal } = this.#lifetime;
    const button = make("button", { type: "button", class: "icon-button" }, sunAndMoon());
    button.addEventListener("click", () => this.#switch(button), { signal });
    matchMedia(SYSTEM_DARK).addEventListener("change", () => this.#say(button), { signal });
    this.replaceChildren(button);
    this.#say(button);
  }

  disconnectedCallback() {
    this.#lifetime?.abort();
  }

  /** @param {HTMLElement} button */
  #switch(button) {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem("theme", theme);
    } catch {
      button.title = "The browser does not allow the page to remember this";
    }
    this.#say(button);
    document.dispatchEvent(new CustomEvent("theme"));
  }

  /** @param {HTMLElement} button */
  #say(button) {
    button.setAttribute("aria-label", isDark() ? "Use the light theme" : "Use the dark theme");
  }
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia(SYSTEM_DARK).matches;
}

function sunAndMoon() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const disc = document.createElementNS(svg.namespaceURI, "circle");
  for (const [name, value] of Object.entries({ cx: "12", cy: "12", r: "8", fill: "none", stroke: "currentColor", "stroke-width": "2" })) {
    disc.setAttribute(name, value);
  }
  const half = document.createElementNS(svg.namespaceURI, "path");
  half.setAttribute("d", "M12 4a8 8 0 0 1 0 16z");
  half.setAttribute("fill", "currentColor");
  svg.append(disc, half);
  return svg;
}

customElements.define("x-theme-toggle", ThemeToggle);
