import { Api } from "./api.js";
import { ControlFeed } from "./control-feed.js";
import { Store } from "./store.js";
import "./components/x-emergency-stop.js";
import "./components/x-login-form.js";
import "./components/x-stop-banner.js";

const [api, store] = [new Api(), new Store()];
for (const form of document.querySelectorAll("x-login-form")) /** @type {any} */ (form).context = { api, store };
void showStop();

/** Whoever may see the page may press the stop; where that needs the password, there is none to press here. */
async function showStop() {
  const top = /** @type {HTMLElement} */ (document.querySelector(".top"));
  if ((await api.session()).login_needed) return;
  for (const element of top.querySelectorAll("x-emergency-stop, x-stop-banner")) /** @type {any} */ (element).context = { api, store };
  top.hidden = false;
  const control = new ControlFeed(store, api, () => document.visibilityState === "visible");
  document.addEventListener("control-changed", () => void control.refresh());
  control.start();
}
