import { age, clockTime, fullTime } from "../format.js";
import { pictureUrl } from "../api.js";
import { make, PageElement } from "../element.js";

// The word of a picture may be here before the database has stored it.
const RETRY_AFTER_MS = [500, 1000, 2000, 4000, 8000];

/** The latest picture with its time. */
class CameraPicture extends PageElement {
  #image = /** @type {HTMLImageElement} */ (make("img", { alt: "" }));
  #time = make("span", { class: "time" });
  #note = make("p", { class: "note" });
  #url = "";
  #tries = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;

  /** @param {AbortSignal} signal */
  mounted(signal) {
    this.replaceChildren(make("h2", {}, "Camera", this.#time), make("div", { class: "frame" }, this.#image, this.#note));
    this.listen(["frame", "selection"], () => this.#show(), signal);
    this.listen(["tick"], () => this.#showAge(), signal);
    this.#show();
  }

  unmounted() {
    clearTimeout(this.#retry);
    this.#url = "";
  }

  #show() {
    const frame = this.store.frame();
    this.#showAge();
    if (!frame?.url) {
      this.#url = "";
      return this.#missing(this.store.isLoaded("frame") ? "No picture yet" : "Loading…");
    }
    const url = pictureUrl(frame.url);
    if (this.#url === url) return undefined;
    this.#url = url;
    this.#tries = 0;
    this.#fetch();
    this.#image.alt = `Picture of ${this.store.plant?.name || "the plant"}, ${fullTime(frame.timestamp)}`;
    return undefined;
  }

  /** Load aside: the picture before this one stays in sight until the new one is whole. */
  #fetch() {
    clearTimeout(this.#retry);
    const url = this.#url;
    const aside = new Image();
    aside.addEventListener("load", () => { if (url === this.#url) this.#put(url); });
    aside.addEventListener("error", () => { if (url === this.#url) this.#failed(); });
    aside.src = url;
  }

  #failed() {
    const wait = RETRY_AFTER_MS[this.#tries];
    this.#tries += 1;
    if (wait !== undefined) this.#retry = setTimeout(() => this.#fetch(), wait);
    else this.#missing("The picture cannot be fetched");
  }

  /** @param {string} url */
  #put(url) {
    this.#image.src = url;
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
