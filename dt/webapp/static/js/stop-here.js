/** The emergency stop inside a dialog, which keeps the header's own out of reach. */
import { make } from "./element.js";

/** A button that closes the dialog and presses the header's stop. @param {HTMLDialogElement} dialog */
export function stopHere(dialog) {
  const button = make("button", { type: "button", class: "stop-here" }, make("span", { "aria-hidden": "true" }, "■ "), "Stop all");
  button.addEventListener("click", () => {
    document.dispatchEvent(new CustomEvent("stop-all"));
    dialog.close("");
  });
  return button;
}
