import { age, clockTime, fullTime } from "../format.js";
import { pictureUrl } from "../api.js";
import { make, PageElement } from "../element.js";

/** The latest picture with its time. */
class CameraPicture extends PageElement {
  #image = /** @type {HTMLImageElement} */ (make("img", { alt: "" }));
  #time = make("span", { class: "time" });
  #note = make("p", { class: "note" });

  /** @param {AbortSignal} signal */
  mounted(signal) {
    this.replaceChildren(make("h2", {}, "Camera", this.#time), make("div", { class: "frame" }, this.#image, this.#note));
    this.#image.addEventListener("error", () => this.#missing("The picture cannot be fetched"), { signal });
    this.#image.addEventListener("load", () => this.#loaded(), { signal });
    this.listen(["frame", "selection"], () => this.#show(), signal);
    this.listen(["tick"], () => this.#showAge(), signal);
    this.#show();
  }

  #show() {
    const frame = this.store.frame();
    this.#showAge();
    if (!frame?.url) return this.#missing(this.store.isLoaded("frame") ? "No picture yet" : "Loading…");
    const url = pictureUrl(frame.url);
    if (this.#image.getAttribute("src") === url) return undefined;
    this.#image.src = url;
    this.#image.alt = `Picture of ${this.store.plant?.name || "the plant"}, ${fullTime(frame.timestamp)}`;
    return undefined;
  }

  #loaded() {
    this.#image.hidden = false;
    this.#note.hidden = true;
  }

  /** @param {string} words */
  #missing(words) {
    this.#image.removeAttribute("src");
    this.#image.hidden = true;
    this.#note.hidden = false;
    this.#note.textContent = words;
  }

  #showAge() {
    const frame = this.store.frame();
    this.#time.textContent = frame ? `${clockTime(frame.timestamp, this.store.now)} · ${age(this.store.now - frame.timestamp)}` : "";
  }
}

customElements.define("x-camera-picture", CameraPicture);
