/** The fields of a form for a model type's own hyperparameters, from the schema that the API publishes. */

import { Field } from "../components/controls";
import type { ModelType } from "../schema";

/** A property of the JSON Schema, as far as a form needs it. */
interface Schema {
  type?: string;
  enum?: (string | number)[];
  anyOf?: Schema[];
  default?: Value;
  description?: string;
  minimum?: number;
  maximum?: number;
}

type Value = string | number | boolean | null;

interface Properties {
  modelType: ModelType;
  /** The one hyperparameter to show, if the type has it. */
  only?: string;
  /** Values to begin with, such as those of another run. */
  values?: Record<string, unknown>;
}

export function HyperparameterFields({ modelType, only, values = {} }: Properties) {
  const properties = Object.entries((modelType.hyperparameters.properties ?? {}) as Record<string, Schema>);
  return (
    <>
      {properties
        .filter(([name]) => !only || name === only)
        .map(([name, schema]) => (
          <Field key={name} label={labelOf(name)}>
            <Control name={name} schema={schema} value={values[name]} />
          </Field>
        ))}
    </>
  );
}

/** Empty stands for the default, which the placeholder shows. */
function Control({ name, schema, value, ...more }: { name: string; schema: Schema; value: unknown; id?: string }) {
  const begun = value === undefined || value === null ? "" : String(value);
  const own = { ...more, "data-hyperparameter": name, title: schema.description ?? "", defaultValue: begun };
  const options = schema.anyOf ?? [schema];
  const byDefault = schema.default === undefined || schema.default === null ? "" : String(schema.default);
  const choices = options.flatMap((option) => option.enum ?? (option.type === "boolean" ? ["true", "false"] : []));
  const number = options.find(({ type }) => type === "integer" || type === "number");
  if (number && choices.length === 0) {
    const step = number.type === "integer" ? 1 : "any";
    return (
      <input type="number" {...own} min={number.minimum} max={number.maximum} step={step} placeholder={byDefault} />
    );
  }
  if (number || choices.length === 0) return <input {...own} placeholder={byDefault} />;
  return (
    <select {...more} data-hyperparameter={name} title={schema.description ?? ""}>
      <option value="">{byDefault}</option>
      {choices
        .filter((choice) => String(choice) !== byDefault)
        .map((choice) => (
          <option key={choice} selected={String(choice) === begun}>
            {choice}
          </option>
        ))}
    </select>
  );
}

/** "num_leaves" as "Num leaves". */
const labelOf = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");

/** The field `hyperparameters` of a request, from the filled fields of a form; nothing if none is filled. */
export function hyperparametersOf(form: HTMLFormElement): { hyperparameters?: Record<string, Value> } {
  const own: Record<string, Value> = {};
  for (const field of form.elements) {
    if (!(field instanceof HTMLInputElement || field instanceof HTMLSelectElement)) continue;
    const name = field.dataset.hyperparameter;
    if (name && field.value !== "") own[name] = parsed(field.value);
  }
  return Object.keys(own).length ? { hyperparameters: own } : {};
}

/** A number, true or false as such, and other text as it is. */
export function parsed(text: string): Value {
  if (text === "true" || text === "false") return text === "true";
  const number = Number(text);
  return text.trim() !== "" && Number.isFinite(number) ? number : text;
}
