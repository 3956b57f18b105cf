/** Assembles the page: store, API, live feed and elements. */
import { io } from "../vendor/socket.io.esm.min.js";
import { Api, ApiError } from "./api.js";
import { LiveFeed } from "./live.js";
import { Store } from "./store.js";
import "./components/x-action-list.js";
import "./components/x-alert-list.js";
import "./components/x-camera-picture.js";
import "./components/x-connection-banner.js";
import "./components/x-connection-state.js";
import "./components/x-plant-picker.js";
import "./components/x-range-picker.js";
import "./components/x-reading-chart.js";
import "./components/x-reading-tile.js";
import "./components/x-sign-out.js";
import "./components/x-system-health.js";
import "./components/x-theme-toggle.js";
import "./components/x-trace-dialog.js";

const RETRY_MS = 3000;
const store = new Store();
const api = new Api();

for (const element of document.querySelectorAll("*")) {
  if (element.localName.startsWith("x-")) /** @type {any} */ (element).context = { store, api };
}

setInterval(() => store.tick(Date.now() / 1000), 1000);
store.addEventListener("selection", () => void loadPlant());
store.addEventListener("connection", () => { if (store.connection === "live") void loadPlants(); });

const socket = io({ transports: ["websocket"], autoConnect: false, reconnectionDelayMax: 15_000 });
const feed = new LiveFeed(store, api, socket);
feed.start();
void begin();

async function begin() {
  try {
    const session = await api.session();
    document.dispatchEvent(new CustomEvent("session", { detail: session }));
  } catch {
    setTimeout(begin, RETRY_MS);
    return;
  }
  await loadPlants();
}

async function loadPlants() {
  try {
    store.setPlants(await api.plants());
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return location.assign("/login");
    setTimeout(loadPlants, RETRY_MS);
  }
  return undefined;
}

/** Fill in what the live feed has not brought yet, each part on its own: one that fails leaves the others whole. */
async function loadPlant() {
  const plant = store.plant;
  if (!plant) return;
  await Promise.allSettled([loadRecords("alerts", plant), loadRecords("actions", plant), loadFrame(plant), loadReadings(plant)]);
}

async function loadRecords(kind, plant) {
  const records = await api.records(kind, { plant_id: plant.plant_id, limit: 100 });
  for (const record of records) {
    if (kind === "alerts") store.acceptAlert(record);
    else store.acceptAction(record);
  }
  if (isShown(plant)) store.setLoaded(kind);
}

async function loadFrame(plant) {
  for (const frame of await api.records("frames", { zone_id: plant.zone_id, limit: 1 })) store.acceptFrame(frame);
  if (isShown(plant)) store.setLoaded("frame");
}

async function loadReadings(plant) {
  const sensors = (await api.sensors()).filter((sensor) => store.concerns(sensor));
  for (const sensor of sensors) store.setInterval(sensor.sensor_id, sensor.read_interval);
  const ids = [...new Set(sensors.map((sensor) => sensor.sensor_id)), `${plant.zone_id}/vpd`, `${plant.plant_id}/vpd`];
  const answers = await Promise.allSettled(ids.map((id) => api.latest(id, 4)));
  for (const answer of answers) {
    if (answer.status === "fulfilled") for (const reading of answer.value) store.acceptReading(reading);
  }
}

function isShown(plant) {
  return store.plant?.plant_id === plant.plant_id;
}
