import { Api } from "./api.js";
import { Store } from "./store.js";
import "./components/x-login-form.js";

for (const form of document.querySelectorAll("x-login-form")) {
  /** @type {any} */ (form).context = { api: new Api(), store: new Store() };
}
