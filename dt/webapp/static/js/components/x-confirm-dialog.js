import { make } from "../element.js";
import { stopHere } from "../stop-here.js";

/**
 * Ask before something moves; the answer is false for Escape, for a click beside it, and for "Cancel".
 * @param {{title: string, lines: string[], action: string, danger?: boolean, isStopped?: boolean}} question @returns {Promise<boolean>}
 */
export function confirmed({ title, lines, action, danger = false, isStopped = false }) {
  const dialog = /** @type {HTMLDialogElement} */ (make("dialog", { "aria-labelledby": "confirm-title" }));
  const no = make("button", { type: "button", class: "text-button" }, "Cancel");
  const yes = make("button", { type: "button", class: danger ? "act danger" : "act" }, action);
  dialog.append(make("h2", { id: "confirm-title" }, title), ...lines.map((line) => make("p", {}, line)), make("div", { class: "buttons" }, ...(isStopped ? [] : [stopHere(dialog)]), no, yes));
  const box = make("x-confirm-dialog", {}, dialog);
  document.body.append(box);
  return new Promise((answer) => {
    no.addEventListener("click", () => dialog.close(""));
    yes.addEventListener("click", () => dialog.close("yes"));
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(""); });
    dialog.addEventListener("close", () => {
      box.remove();
      answer(dialog.returnValue === "yes");
    });
    dialog.showModal();
    no.focus();
  });
}
