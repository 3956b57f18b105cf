/** The dialog that chooses a policy and its numbers; its fields are those that the policy itself declares. */
import { parameterOf, policyWords } from "./control.js";
import { make } from "./element.js";
import { stopHere } from "./stop-here.js";

export class PolicyForm {
  #actuator;
  #known;
  #save;
  #dialog = /** @type {HTMLDialogElement} */ (make("dialog", { "aria-labelledby": "policy-title" }));
  #policy = /** @type {HTMLSelectElement} */ (make("select"));
  #about = make("p", { class: "hint" });
  #fields = make("div", { class: "fields" });
  #enabled = /** @type {HTMLInputElement} */ (make("input", { type: "checkbox" }));
  #problem = make("p", { class: "problem", role: "alert" });

  /**
   * @param {Record<string, any>} actuator @param {Record<string, any>[]} known the policies that there are
   * @param {(policy: Record<string, unknown>) => Promise<boolean>} save says whether it went well
   */
  constructor(actuator, known, save) {
    this.#actuator = actuator;
    this.#known = known.filter((policy) => policy.kinds.includes(actuator.kind));
    this.#save = save;
  }

  /** @param {HTMLElement} place */
  open(place) {
    const now = this.#actuator.policy;
    this.#policy.append(...this.#known.map((policy) => make("option", { value: policy.policy }, policyWords({ policy: policy.policy }))));
    this.#policy.value = now?.policy ?? this.#known[0]?.policy ?? "";
    this.#policy.addEventListener("change", () => this.#showFields());
    this.#enabled.checked = now?.enabled !== false;
    const cancel = make("button", { type: "button", class: "text-button" }, "Cancel");
    cancel.addEventListener("click", () => this.#dialog.close());
    const form = make("form", {}, make("h2", { id: "policy-title" }, `Policy of ${this.#actuator.name || this.#actuator.actuator_id}`),
      make("label", {}, "Policy", this.#policy), this.#about, this.#fields, make("label", { class: "check" }, this.#enabled, "Switched on"),
      this.#problem, make("div", { class: "buttons" }, stopHere(this.#dialog), cancel, make("button", { type: "submit", class: "act" }, "Save")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    this.#dialog.append(form);
    this.#dialog.addEventListener("close", () => this.#dialog.remove());
    place.append(this.#dialog);
    this.#showFields();
    this.#dialog.showModal();
  }

  get #chosen() { return this.#known.find((policy) => policy.policy === this.#policy.value); }

  #showFields() {
    const now = this.#actuator.policy?.policy === this.#policy.value ? this.#actuator.policy.parameters : {};
    this.#about.textContent = this.#chosen?.description ?? "";
    this.#problem.textContent = "";
    const properties = Object.entries(this.#chosen?.parameters.properties ?? {});
    this.#fields.replaceChildren(...properties.map(([name, schema]) => field(name, schema, now?.[name] ?? schema.default)));
  }

  async #submit() {
    /** @type {Record<string, unknown>} */
    const parameters = {};
    for (const [name, schema] of Object.entries(this.#chosen?.parameters.properties ?? {})) {
      const input = /** @type {HTMLInputElement} */ (this.#fields.querySelector(`[name="${name}"]`));
      try {
        parameters[name] = input.type === "checkbox" ? input.checked : parameterOf(schema, input.value);
      } catch (error) {
        this.#problem.textContent = `${label(name)} ${/** @type {Error} */ (error).message}.`;
        input.focus();
        return;
      }
    }
    if (await this.#save({ policy: this.#policy.value, enabled: this.#enabled.checked, parameters })) this.#dialog.close();
    else {
      this.#problem.textContent = this.#dialog.parentElement?.querySelector(".said")?.textContent ?? "It was not saved.";
      this.#problem.scrollIntoView({ block: "center" }); // the row of buttons lies over the dialog's end
    }
  }
}

function field(name, schema, value) {
  const unit = schema.unit && !name.endsWith(`_${schema.unit}`) ? ` (${schema.unit})` : "";
  const hint = make("span", { class: "hint" }, schema.description ?? "");
  const attributes = { name, "aria-label": `${label(name)}${unit}` };
  let input;
  if (schema.enum) {
    input = make("select", attributes, ...schema.enum.map((choice) => make("option", { value: choice }, String(choice).replaceAll("_", " "))));
    /** @type {HTMLSelectElement} */ (input).value = String(value ?? "");
  } else if (schema.type === "boolean") {
    input = make("input", { ...attributes, type: "checkbox", ...(value ? { checked: "" } : {}) });
    return make("label", { class: "check" }, input, `${label(name)} `, hint);
  } else {
    input = make("input", { ...attributes, type: "text", inputmode: schema.type === "number" ? "decimal" : "text", value: Array.isArray(value) ? value.join(", ") : String(value ?? "") });
  }
  return make("label", {}, `${label(name)}${unit}`, input, hint);
}

function label(name) {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
