/** The dashboard's own `/api`: JSON in and out, problems as errors with words for people. */

export class ApiError extends Error {
  /** @param {string} message @param {number} status 0 when nobody answered @param {any} [problem] the answer's own words */
  constructor(message, status, problem = null) {
    super(message);
    this.problem = problem;
    this.name = "ApiError";
    this.status = status;
  }
}

export class Api {
  #fetch;
  #csrf = "";

  /** @param {typeof fetch} fetcher */
  constructor(fetcher = (...args) => globalThis.fetch(...args)) {
    this.#fetch = fetcher;
  }

  /** @param {AbortSignal} [signal] */
  async session(signal) {
    const session = await this.#ask("/api/session", { signal });
    this.#csrf = session.csrf;
    return session;
  }

  /** @param {string} password */
  login(password) {
    return this.#send("/api/login", { password });
  }

  logout() {
    return this.#send("/api/logout", {});
  }

  /** @param {AbortSignal} [signal] */
  async plants(signal) {
    return itemsOf(await this.#ask("/api/plants", { signal }));
  }

  /** @param {AbortSignal} [signal] */
  async sensors(signal) {
    return itemsOf(await this.#ask("/api/sensors", { signal }));
  }

  /** Records, newest first. @param {"alerts" | "actions" | "frames"} kind @param {Record<string, string | number>} query @param {AbortSignal} [signal] */
  async records(kind, query, signal) {
    return itemsOf(await this.#ask(`/api/${kind}?${new URLSearchParams(strings(query))}`, { signal }));
  }

  /** @param {Record<string, string | number>} query @param {AbortSignal} [signal] */
  series(query, signal) {
    return this.#ask(`/api/series?${new URLSearchParams(strings(query))}`, { signal });
  }

  /** The newest readings of one sensor. @param {string} sensorId @param {number} limit @param {AbortSignal} [signal] */
  latest(sensorId, limit, signal) {
    return this.#send("/api/data/id", { sensor_id: sensorId, limit }, signal);
  }

  /** What the live feed would have sent on connecting. @param {AbortSignal} [signal] */
  live(signal) {
    return this.#ask("/api/live", { signal });
  }

  /** @param {string} correlationId @param {AbortSignal} [signal] */
  async trace(correlationId, signal) {
    return (await this.#ask(`/api/trace/${encodeURIComponent(correlationId)}`, { signal })).events;
  }

  /** Every actuator with its state, and the emergency stop. @param {AbortSignal} [signal] */
  control(signal) {
    return this.#ask("/api/actuators", { signal });
  }

  /** What was charged, of one actuator or of all, and what is left. @param {AbortSignal} [signal] @param {string} [actuatorId] */
  ledger(signal, actuatorId = "") {
    const query = new URLSearchParams({ limit: "5", ...(actuatorId ? { actuator_id: actuatorId } : {}) });
    return this.#ask(`/api/ledger?${query}`, { signal });
  }

  /** The policies that there are, with their parameters. @param {AbortSignal} [signal] */
  async policies(signal) {
    return (await this.#ask("/api/policies", { signal })).known;
  }

  /** @param {string} actuatorId @param {Record<string, unknown>} command without ids */
  command(actuatorId, command) {
    return this.#send(`/api/actuators/${encodeURIComponent(actuatorId)}/commands`, command);
  }

  /** @param {string} actuatorId @param {Record<string, unknown>} mode */
  setMode(actuatorId, mode) {
    return this.#send(`/api/actuators/${encodeURIComponent(actuatorId)}/mode`, mode, undefined, "PUT");
  }

  /** @param {string} actuatorId */
  releaseLock(actuatorId) {
    return this.#send(`/api/actuators/${encodeURIComponent(actuatorId)}/release`, {});
  }

  /** @param {string} place plant or zone @param {Record<string, unknown>} policy */
  setPolicy(place, policy) {
    return this.#send(`/api/policies/${encodeURIComponent(place)}`, policy, undefined, "PUT");
  }

  /** @param {string} reservoir */
  refill(reservoir) {
    return this.#send(`/api/reservoirs/${encodeURIComponent(reservoir)}/refill`, {});
  }

  /** @param {string} actuatorId @param {"prime" | "calibrate"} routine */
  runRoutine(actuatorId, routine) {
    return this.#send(`/api/actuators/${encodeURIComponent(actuatorId)}/${routine}`, {});
  }

  /** @param {string} actuatorId @param {{ml: number, on_s: number}} measured */
  setFlow(actuatorId, measured) {
    return this.#send(`/api/actuators/${encodeURIComponent(actuatorId)}/flow`, measured, undefined, "PUT");
  }

  /** The vacation that is on, and each plant's share of the water. @param {AbortSignal} [signal] */
  vacation(signal) {
    return this.#ask("/api/vacation", { signal });
  }

  /** @param {number} until epoch seconds */
  startVacation(until) {
    return this.#send("/api/vacation", { until });
  }

  endVacation() {
    return this.#send("/api/vacation", {}, undefined, "DELETE");
  }

  stopAll() {
    return this.#send("/api/emergency_stop", {});
  }

  releaseStop() {
    return this.#send("/api/emergency_stop", {}, undefined, "DELETE");
  }

  /** @param {string} alertId @param {"acknowledge" | "resolve"} step */
  decideAlert(alertId, step) {
    return this.#send(`/api/alerts/${encodeURIComponent(alertId)}/${step}`, { by: "dashboard" });
  }

  /** Whom alerts are told to. @param {AbortSignal} [signal] */
  notices(signal) {
    return this.#ask("/api/notices", { signal });
  }

  testNotices() {
    return this.#send("/api/notices/test", {});
  }

  /** @param {string} path @param {unknown} body @param {AbortSignal} [signal] @param {string} [method] */
  #send(path, body, signal, method = "POST") {
    const headers = { "Content-Type": "application/json", "X-CSRF-Token": this.#csrf };
    return this.#ask(path, { method, headers, body: JSON.stringify(body), signal });
  }

  /** @param {string} path @param {RequestInit} options */
  async #ask(path, options) {
    let response;
    try {
      response = await this.#fetch(path, { credentials: "same-origin", ...options });
    } catch (error) {
      if (/** @type {Error} */ (error).name === "AbortError") throw error;
      throw new ApiError("The dashboard does not answer.", 0);
    }
    const body = await response.json().catch((/** @type {Error} */ error) => {
      if (error.name === "AbortError") throw error; // given up while the body came
      if (response.ok) throw new ApiError("The dashboard answered no JSON.", response.status);
      return null;
    });
    if (!response.ok) throw new ApiError(body?.detail ?? body?.title ?? `The dashboard answered ${response.status}.`, response.status, body);
    return body;
  }
}

/** Lists come as `{"items": []}` or as bare arrays. @param {any} answer @returns {any[]} */
export function itemsOf(answer) {
  return Array.isArray(answer) ? answer : (answer?.items ?? []);
}

/** The page's address of a picture that the database serves. @param {string} url @returns {string} */
export function pictureUrl(url) {
  const name = url.split("/").pop() ?? "";
  return `/api/frames/${encodeURIComponent(name)}`;
}

/** @param {Record<string, string | number>} query @returns {Record<string, string>} */
function strings(query) {
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)]));
}
