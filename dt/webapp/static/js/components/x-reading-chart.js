import { clockTime, fullTime, number } from "../format.js";
import { figure, summary } from "../figure.js";
import { commandWords, outcomeWords } from "../records.js";
import { emptySeries, extremes, since, tableRows, withReading, withRevision } from "../series.js";
import { recordSpan } from "../record-span.js";
import { QUANTITIES, RANGES, unitSign } from "../quantities.js";
import { make, PageElement } from "../element.js";

const REDRAW_EVERY_MS = 1000;
const REFETCH_AFTER_S = [5, 10, 20, 40, 80, 160, 300]; // history may still be arriving; later it only heals gaps
const REVISED_AFTER_S = 2; // until the database has what the live feed told
const OPTIONS = { displayModeBar: false, responsive: false, scrollZoom: false };

/** History and present of one quantity. Attribute `quantity`. */
class ReadingChart extends PageElement {
  #plot = make("div", { class: "plot" });
  #note = make("p", { class: "note", role: "status" });
  #sign = make("small");
  #table = make("details", { class: "table" });
  #series = emptySeries();
  #until = 0;
  #fetchedAt = 0;
  #fetches = 0;
  /** When to fetch anew because of a revision that only the database can place; null when there is none. @type {number | null} */
  #revisedAt = null;
  /** @type {"loading" | "ready" | "failed"} */
  #state = "loading";
  #problem = "";
  /** @type {AbortController | null} */
  #request = null;
  /** @type {ReturnType<typeof setTimeout> | null} */
  #redraw = null;

  /** @param {AbortSignal} signal */
  mounted(signal) {
    const view = QUANTITIES[this.#quantity];
    this.#plot.setAttribute("role", "img");
    this.replaceChildren(make("h3", {}, view.label, this.#sign), this.#frame(), this.#table);
    this.#table.addEventListener("toggle", () => this.#fillTable(), { signal });
    this.listen(["selection"], () => this.#forget(), signal);
    this.listen(["selection", "range"], () => this.#loadAnew(), signal);
    this.listen(["connection"], () => { if (this.store.connection === "live") this.#loadAnew(); }, signal);
    this.listen(["alerts", "actions"], () => this.#drawSoon(), signal);
    for (const name of ["reading", "revision"]) {
      this.store.addEventListener(name, (event) => this.#take(/** @type {CustomEvent} */ (event).detail), { signal });
    }
    this.listen(["tick"], () => this.#refresh(), signal);
    document.addEventListener("theme", () => this.#draw(), { signal });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw(), { signal });
    const resized = new ResizeObserver(() => this.#drawSoon());
    resized.observe(this.#plot);
    signal.addEventListener("abort", () => resized.disconnect());
    document.getElementById("plotly")?.addEventListener("load", () => this.#draw(), { signal });
    void this.load();
  }

  unmounted() {
    this.#request?.abort();
    if (this.#redraw !== null) clearTimeout(this.#redraw);
    this.#redraw = null;
    globalThis.Plotly?.purge(this.#plot);
  }

  /** Fetch the chosen range anew; the newest request wins. */
  async load() {
    const plant = this.store.plant;
    this.#request?.abort();
    if (!plant) return this.#show(this.store.plants === null ? "loading" : "ready", emptySeries());
    this.#request = new AbortController();
    const { signal } = this.#request;
    this.#revisedAt = null;
    if (this.#state === "failed") this.#show("loading", emptySeries());
    if (this.#fetches === 0) this.setAttribute("aria-busy", "true");
    try {
      const [from, until] = await this.#window(plant, signal);
      const fetched = await this.api.series({ ...this.#whose(plant), data_type: this.#quantity, since: from, until, points: this.#points() }, signal);
      this.#until = until;
      this.#fetchedAt = this.store.now;
      this.#fetches += 1;
      this.#show("ready", fetched);
    } catch (error) {
      if (signal.aborted) return;
      this.#problem = /** @type {Error} */ (error).message;
      this.#fetchedAt = this.store.now;
      if (this.#fetches === 0) this.#show("failed", emptySeries()); // else the history that is here stays
    }
    this.removeAttribute("aria-busy");
  }

  /** Another plant's line must not stand under this one's name. */
  #forget() {
    this.#show("loading", emptySeries());
  }

  #loadAnew() {
    this.#fetches = 0;
    this.#fetchedAt = 0;
    void this.load();
  }

  get #quantity() {
    return this.getAttribute("quantity") ?? "";
  }

  #frame() {
    const frame = make("div", { class: "frame" }, this.#plot, this.#note);
    if (this.#quantity !== "soil_moisture") return frame;
    const signs = [["dose", "▲", "pump dose"], ["alert", "◆", "alert"], ["over", "◇", "alert resolved"]];
    const legend = signs.map(([name, sign, text]) => make("span", {}, make("span", { class: name, "aria-hidden": "true" }, sign), ` ${text}`));
    return make("div", {}, frame, make("p", { class: "legend" }, ...legend));
  }

  /** A plant has its own soil; air and light are its zone's. An archived plant has all of its own. */
  #whose(plant) {
    if (QUANTITIES[this.#quantity].own || plant.archived) return { plant_id: plant.plant_id };
    return { zone_id: plant.zone_id };
  }

  /** @returns {Promise<[number, number]>} what to fetch: up to now, or up to an archived plant's last reading */
  async #window(plant, signal) {
    const seconds = RANGES[this.store.range].seconds;
    if (!plant.archived) return [this.store.now - seconds, this.store.now];
    const query = { ...this.#whose(plant), data_type: this.#quantity, points: 200 };
    const span = await recordSpan((since, until) => this.api.series({ ...query, since, until }, signal), this.store.now);
    if (!span) return [this.store.now - 86_400, this.store.now];
    const [first, end] = span;
    return [Math.max(first, end - seconds), end];
  }

  #points() {
    return Math.max(100, Math.min(600, Math.round(this.#plot.clientWidth || 400)));
  }

  /** @param {"loading" | "ready" | "failed"} state */
  #show(state, series) {
    this.#state = state;
    this.#series = series;
    this.#draw();
  }

  /** @param {import("../store.js").Reading} reading */
  #take(reading) {
    if (reading.data_type !== this.#quantity || !this.store.concerns(reading) || this.store.plant?.archived) return;
    if (this.#state !== "ready") return;
    if (reading.revision) return this.#revise(reading);
    if (reading.quality?.verdict === "bad" || reading.timestamp <= this.#until) return;
    this.#series = withReading(this.#series, reading);
    this.#drawSoon();
  }

  /** Put a revision in its reading's place; where the page cannot, the next fetch does. */
  #revise(reading) {
    const revised = withRevision(this.#series, reading);
    if (revised === null) this.#revisedAt ??= this.store.now + REVISED_AFTER_S;
    else this.#series = revised;
    this.#drawSoon();
  }

  #refresh() {
    if (this.#state === "loading" || this.store.connection === "disconnected") return;
    const wait = REFETCH_AFTER_S[Math.min(this.#fetches, REFETCH_AFTER_S.length - 1)];
    const isRevised = this.#revisedAt !== null && this.store.now >= this.#revisedAt;
    if (isRevised || this.store.now - this.#fetchedAt > wait) void this.load();
  }

  #drawSoon() {
    this.#redraw ??= setTimeout(() => {
      this.#redraw = null;
      this.#draw();
    }, REDRAW_EVERY_MS);
  }

  #draw() {
    const range = RANGES[this.store.range];
    const window = this.#shown(range.seconds);
    const series = since(this.#series, window[0]);
    const found = extremes(series);
    this.#say(found);
    this.#sign.textContent = unitSign(this.#unit);
    this.#plot.setAttribute("aria-label", summary(this.#quantity, this.#unit, range.words, found, (t) => clockTime(t, this.store.now)));
    if (this.#table.hasAttribute("open")) this.#fillTable();
    else if (!this.#table.firstChild) this.#table.append(make("summary", {}, "Show as table"));
    if (!globalThis.Plotly || !this.isConnected) return;
    const { data, layout } = figure({
      quantity: this.#quantity, unit: this.#unit, series, window, palette: this.#palette(), ...this.#marks(window), isArchived: Boolean(this.store.plant?.archived),
    });
    const size = { width: this.#plot.clientWidth, height: this.#plot.clientHeight };
    void globalThis.Plotly.react(this.#plot, data, { ...layout, ...size }, OPTIONS);
  }

  /** @param {number} seconds @returns {[number, number]} */
  #shown(seconds) {
    if (!this.store.plant?.archived) return [this.store.now - seconds, this.store.now];
    const end = this.#until || this.store.now;
    const first = this.#series.t[0] ?? end - 86_400;
    return [Math.max(first, end - seconds), end];
  }

  get #unit() {
    return this.#series.unit ?? this.store.reading(this.#quantity)?.unit ?? QUANTITIES[this.#quantity].unit;
  }

  #say(found) {
    if (this.#state === "loading") this.#note.textContent = "Loading…";
    else if (this.#state === "failed") this.#note.textContent = this.#problem;
    else this.#note.textContent = found ? "" : "No readings in this range";
    this.#note.hidden = this.#note.textContent === "";
  }

  #marks(window) {
    const shown = (/** @type {number} */ t) => t >= window[0] && t <= window[1];
    if (this.#quantity !== "soil_moisture") return { doses: [], alerts: [], dryLimit: null };
    const doses = this.store.actions()
      .filter((action) => (action.delivered_ml ?? 0) > 0 && shown(action.timestamp))
      .map((action) => ({ t: action.timestamp, label: `${commandWords(action.command)}: ${outcomeWords(action)}` }));
    const alerts = this.store.alerts()
      .filter((alert) => shown(alert.timestamp))
      .map((alert) => ({ t: alert.timestamp, label: `Alert ${alert.state}: ${alert.description}`, isOver: alert.state === "resolved" }));
    return { doses, alerts, dryLimit: this.#dryLimit() };
  }

  /** The limit is a water content; a probe that gives only a share of its range has none. */
  #dryLimit() {
    if (this.#unit !== "m3/m3") return null;
    return this.store.plant?.limits?.soil_moisture_low ?? null;
  }

  #palette() {
    const style = getComputedStyle(this);
    const css = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    const color = QUANTITIES[this.#quantity].color;
    return {
      color: css(color), band: css(`${color}-band`), grid: css("--grid"), text: css("--muted"), dose: css("--c-dose"), alert: css("--bad"),
      limit: css("--warn"), hover: css("--surface"), edge: css("--line"), font: style.fontFamily,
    };
  }

  #fillTable() {
    const rows = tableRows(since(this.#series, this.#shown(RANGES[this.store.range].seconds)[0]), 24);
    const cells = rows.map((row) => make("tr", {}, make("th", { scope: "row" }, fullTime(row.t)),
      ...[row.min, row.mean, row.max].map((value) => make("td", {}, number(value, this.#quantity)))));
    const head = make("tr", {}, ...["Time", "Lowest", "Mean", "Highest"].map((name) => make("th", { scope: "col" }, name)));
    const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...cells));
    this.#table.replaceChildren(make("summary", {}, "Show as table"), make("div", { class: "scroll" }, table));
  }
}

customElements.define("x-reading-chart", ReadingChart);
