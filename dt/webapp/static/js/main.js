/** Assembles the page: store, API, live feed and elements. */
import { io } from "../vendor/socket.io.esm.min.js";
import { Api, ApiError } from "./api.js";
import { ControlFeed } from "./control-feed.js";
import { LiveFeed } from "./live.js";
import { Store } from "./store.js";
import "./components/x-action-list.js";
import "./components/x-actuator-controls.js";
import "./components/x-alert-list.js";
import "./components/x-camera-picture.js";
import "./components/x-connection-banner.js";
import "./components/x-connection-state.js";
import "./components/x-emergency-stop.js";
import "./components/x-notice-list.js";
import "./components/x-plant-picker.js";
import "./components/x-range-picker.js";
import "./components/x-reading-chart.js";
import "./components/x-reading-tile.js";
import "./components/x-sign-out.js";
import "./components/x-stop-banner.js";
import "./components/x-system-health.js";
import "./components/x-theme-toggle.js";
import "./components/x-trace-dialog.js";
import "./components/x-vacation.js";
import "./components/x-water-ledger.js";

const RETRY_MS = 3000;
const PLANTS_EVERY_MS = 30_000;
const store = new Store();
const api = new Api();

for (const element of document.querySelectorAll("*")) {
  if (element.localName.startsWith("x-")) /** @type {any} */ (element).context = { store, api };
}

setInterval(() => store.tick(Date.now() / 1000), 1000);
store.addEventListener("selection", loadPlant);
store.addEventListener("connection", () => {
  if (store.connection !== "live") return;
  void loadPlants();
  loadPlant();
});

const socket = io({ transports: ["websocket"], autoConnect: false, reconnectionDelayMax: 15_000 });
const feed = new LiveFeed(store, api, socket);
feed.start();
const control = new ControlFeed(store, api, () => document.visibilityState === "visible");
control.start();
document.addEventListener("control-changed", () => void control.refresh());
void begin();

async function begin() {
  try {
    const session = await api.session();
    store.setSignedIn(session.signed_in);
    document.dispatchEvent(new CustomEvent("session", { detail: session }));
  } catch {
    setTimeout(begin, RETRY_MS);
    return;
  }
  await loadPlants();
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let plantsTimer;

/** Plants come and go rarely: one is added by hand, or a file is replayed. */
async function loadPlants() {
  clearTimeout(plantsTimer);
  let again = RETRY_MS;
  try {
    const plants = await api.plants();
    store.setPlants(plants);
    if (plants.length) again = PLANTS_EVERY_MS;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return location.assign("/login");
  }
  clearTimeout(plantsTimer);
  plantsTimer = setTimeout(loadPlants, again);
  return undefined;
}

/** Fill in what the live feed has not brought yet, each part on its own: one that fails leaves the others whole. */
function loadPlant() {
  const plant = store.plant;
  if (!plant) return;
  for (const load of [loadAlerts, loadActions, loadFrame, loadReadings]) void untilDone(load, plant);
}

async function untilDone(load, plant) {
  if (!isShown(plant)) return;
  try {
    await load(plant);
  } catch {
    setTimeout(untilDone, RETRY_MS, load, plant);
  }
}

/** The plant's own alerts and its zone's. */
async function loadAlerts(plant) {
  const whose = [{ plant_id: plant.plant_id }, { zone_id: plant.zone_id }];
  const pages = await Promise.all(whose.map((query) => api.records("alerts", { ...query, limit: 50 })));
  for (const alert of pages.flat()) store.acceptAlert(alert);
  if (isShown(plant)) store.setLoaded("alerts");
}

async function loadActions(plant) {
  for (const action of await api.records("actions", { plant_id: plant.plant_id, limit: 100 })) store.acceptAction(action);
  if (isShown(plant)) store.setLoaded("actions");
}

async function loadFrame(plant) {
  for (const frame of await api.records("frames", { zone_id: plant.zone_id, limit: 1 })) store.acceptFrame(frame);
  if (isShown(plant)) store.setLoaded("frame");
}

async function loadReadings(plant) {
  const sensors = (await api.sensors()).filter((sensor) => store.concerns(sensor));
  for (const sensor of sensors) store.setInterval(sensor.sensor_id, sensor.read_interval);
  const ids = new Set(sensors.filter((sensor) => sensor.data_type !== "camera_image").map((sensor) => sensor.sensor_id));
  for (const sensor of sensors) if (sensor.data_type === "humidity") ids.add(`${sensor.plant_id ?? sensor.zone_id}/vpd`);
  const answers = await Promise.allSettled([...ids].map((id) => api.latest(id, 1)));
  for (const answer of answers) {
    if (answer.status === "fulfilled") for (const reading of answer.value) store.acceptReading(reading);
  }
}

function isShown(plant) {
  return store.plant?.plant_id === plant.plant_id;
}
