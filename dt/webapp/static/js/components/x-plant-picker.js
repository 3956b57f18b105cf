import { make, PageElement } from "../element.js";

/** Chooses the plant that the page shows, archived ones in a group of their own. */
class PlantPicker extends PageElement {
  #select = /** @type {HTMLSelectElement} */ (make("select", { id: "plant", "aria-label": "Plant" }));

  /** @param {AbortSignal} signal */
  mounted(signal) {
    this.replaceChildren(this.#select);
    this.#select.addEventListener("change", () => this.store.selectPlant(this.#select.value), { signal });
    this.listen(["plants", "selection"], () => this.#show(), signal);
    this.#show();
  }

  #show() {
    const plants = this.store.plants;
    this.#select.disabled = !plants?.length;
    if (!plants?.length) {
      this.#select.replaceChildren(make("option", {}, plants ? "No plants yet" : "Loading plants…"));
      return;
    }
    const archived = plants.filter((plant) => plant.archived).map(option);
    const group = archived.length ? [make("optgroup", { label: "Archived" }, ...archived)] : [];
    this.#select.replaceChildren(...plants.filter((plant) => !plant.archived).map(option), ...group);
    this.#select.value = this.store.plant?.plant_id ?? "";
  }
}

/** @param {import("../store.js").Plant} plant */
function option(plant) {
  const name = plant.name || plant.plant_id;
  return make("option", { value: plant.plant_id }, plant.species ? `${name} · ${plant.species}` : name);
}

customElements.define("x-plant-picker", PlantPicker);
