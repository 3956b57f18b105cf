import { age, clockTime, fullTime } from "../format.js";
import { pictureUrl } from "../api.js";
import { make, PageElement } from "../element.js";

// The word of a picture may be here before the database has stored it.
const RETRY_AFTER_MS = [500, 1000, 2000, 4000, 8000];
const STEP_S = 900;
const STEPS = 96; // a day; at its end stands the live picture
const BEFORE_S = 3600; // as far before the slider's time a picture may be

/** The latest picture with its time and flags, and a slider through the last day's. */
class CameraPicture extends PageElement {
  #image = /** @type {HTMLImageElement} */ (make("img", { alt: "" }));
  #time = make("span", { class: "time" });
  #flags = make("span", { class: "flags" });
  #note = make("p", { class: "note" });
  #slider = /** @type {HTMLInputElement} */ (make("input", {
    type: "range", min: "0", max: String(STEPS), value: String(STEPS), "aria-label": "Pictures of the last 24 hours",
  }));
  #url = "";
  #tries = 0;
  /** The picture of an earlier time that a person chose; null while the latest is shown. @type {any} */
  #chosen = null;
  /** @type {AbortController | null} */
  #search = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;

  /** @param {AbortSignal} signal */
  mounted(signal) {
    const frame = make("div", { class: "frame" }, this.#image, this.#flags, this.#note);
    this.replaceChildren(make("h2", {}, "Camera", this.#time), frame, this.#slider);
    this.listen(["frame"], () => this.#show(), signal);
    this.listen(["selection"], () => this.#showLatest(), signal);
    this.listen(["tick"], () => this.#showAge(), signal);
    this.#slider.addEventListener("input", () => void this.#choose(), { signal });
    this.#showLatest();
  }

  unmounted() {
    clearTimeout(this.#retry);
    this.#search?.abort();
    this.#url = "";
  }

  #showLatest() {
    this.#search?.abort();
    this.#chosen = null;
    this.#slider.value = String(STEPS);
    this.#slider.setAttribute("aria-valuetext", "the latest picture");
    this.#show();
  }

  /** Ask for the last picture before the slider's time. */
  async #choose() {
    this.#search?.abort();
    const back = STEPS - Number(this.#slider.value);
    const latest = this.store.frame();
    if (back === 0 || !latest) return this.#showLatest();
    const until = this.store.now - back * STEP_S;
    const { signal } = this.#search = new AbortController();
    this.#slider.setAttribute("aria-valuetext", fullTime(until));
    try {
      const [found] = await this.api.records("frames", { sensor_id: latest.sensor_id, since: until - BEFORE_S, until, limit: 1 }, signal);
      if (signal.aborted) return undefined;
      this.#chosen = found ?? { timestamp: until };
      this.#show();
    } catch (error) {
      if (!signal.aborted) this.#missing(/** @type {Error} */ (error).message);
    }
    return undefined;
  }

  #frame() {
    return this.#chosen ?? this.store.frame();
  }

  #show() {
    const frame = this.#frame();
    this.#slider.hidden = !this.store.frame();
    this.#showAge();
    this.#showFlags(frame?.flags ?? []);
    if (!frame?.url) {
      if (this.#chosen) return this.#missing("No picture of that time");
      return this.#missing(this.store.isLoaded("frame") ? "No picture yet" : "Loading…");
    }
    const url = pictureUrl(frame.url);
    if (this.#url === url) return undefined;
    this.#url = url;
    this.#tries = 0;
    this.#fetch();
    const flags = (frame.flags ?? []).map((/** @type {string} */ flag) => `, ${flag}`).join("");
    this.#image.alt = `Picture of ${this.store.plant?.name || "the plant"}, ${fullTime(frame.timestamp)}${flags}`;
    return undefined;
  }

  /** What is wrong with the picture, beside it. @param {string[]} flags */
  #showFlags(flags) {
    this.#flags.replaceChildren(...flags.map((flag) => make("span", { class: "flag" }, flag)));
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

  /** Show words instead; whichever picture comes next is fetched, also the one before. @param {string} words */
  #missing(words) {
    clearTimeout(this.#retry);
    this.#url = "";
    this.#image.removeAttribute("src");
    this.#image.alt = "";
    this.#image.hidden = true;
    this.#note.hidden = false;
    this.#note.textContent = words;
  }

  #showAge() {
    const frame = this.#frame();
    this.#time.textContent = frame ? `${clockTime(frame.timestamp, this.store.now)} · ${age(this.store.now - frame.timestamp)}` : "";
  }
}

customElements.define("x-camera-picture", CameraPicture);
