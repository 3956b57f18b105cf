import { make, PageElement } from "../element.js";

/** Asks for the dashboard's password and goes on to the page. */
class LoginForm extends PageElement {
  #password = /** @type {HTMLInputElement} */ (make("input", { type: "password", id: "password", autocomplete: "current-password", required: "" }));
  #button = /** @type {HTMLButtonElement} */ (make("button", { type: "submit" }, "Sign in"));
  #problem = make("p", { class: "problem", role: "alert" });

  /** @param {AbortSignal} signal */
  mounted(signal) {
    const name = make("input", { type: "text", autocomplete: "username", value: "dashboard", hidden: "" }); // for password managers
    const form = make("form", {}, name, make("label", { for: "password" }, "Password"), this.#password, this.#button, this.#problem);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#signIn();
    }, { signal });
    this.replaceChildren(form);
    this.#password.focus();
  }

  async #signIn() {
    this.#button.disabled = true;
    this.#problem.textContent = "";
    try {
      await this.api.session();
      await this.api.login(this.#password.value);
      location.assign("/");
    } catch (error) {
      this.#problem.textContent = /** @type {Error} */ (error).message;
      this.#password.select();
    }
    this.#button.disabled = false;
  }
}

customElements.define("x-login-form", LoginForm);
