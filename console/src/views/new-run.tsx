/** The dialog that starts a run or a sweep. */

import type { TargetedEvent } from "preact";
import { useState } from "preact/hooks";
import { may, useMe } from "../access";
import { announce } from "../announce";
import * as api from "../api";
import { Problem } from "../components/basics";
import { Field, type Option, Segments } from "../components/controls";
import { Acts, Dialog, useClose } from "../components/dialog";
import { DEFAULT_MODEL } from "../components/model-choice";
import * as defaults from "../defaults.json";
import { useLoaded } from "../polling";
import { reason } from "../problems";
import type { Job, ModelType } from "../schema";
import { HyperparameterFields, hyperparametersOf } from "./hyperparameters";

type Kind = "one" | "many";

const KINDS: Option[] = [
  ["one", "One run"],
  ["many", "A sweep"],
];
const STRATEGIES: Option[] = [
  ["random", "random values"],
  ["gp", "what the runs before promise"],
  ["tpe", "values that did well before"],
  ["grid", "every combination"],
];
const USUAL_TYPE = "mlp";

/** What has started: a run's job, or a sweep. */
export interface Started {
  jobId?: string;
  sweepId?: string;
}

interface Properties {
  /** A job whose values the form begins with. */
  like?: Job;
  onStarted: (started: Started) => void;
  onClosed: () => void;
}

export const NewRun = ({ onClosed, ...rest }: Properties) => (
  <Dialog label="New run" onClosed={onClosed}>
    <Form {...rest} />
  </Dialog>
);

function Form({ like, onStarted }: Omit<Properties, "onClosed">) {
  const before = (like?.params ?? {}) as Record<string, unknown>;
  const [kind, setKind] = useState<Kind>("one");
  const [problem, setProblem] = useState("");
  const [chosen, setChosen] = useState(text(before.model_type) || USUAL_TYPE);
  const types = useLoaded((signal) => api.modelTypes({ signal }))?.model_types ?? [];
  const modelType = types.find(({ name }) => name === chosen);
  const close = useClose();
  const submit = async (event: TargetedEvent<HTMLFormElement>) => {
    event.preventDefault();
    try {
      const request = { ...requestOf(event.currentTarget), ...hyperparametersOf(event.currentTarget) };
      const started = kind === "many" ? await startSweep(request) : await startRun(request);
      close();
      onStarted(started);
    } catch (error) {
      setProblem(reason(error));
    }
  };
  // Another type has other hyperparameters: only those of the same one are the job's.
  const values = chosen === before.model_type ? before : {};
  return (
    <form onSubmit={submit}>
      <h2>{like ? "Run again" : "New run"}</h2>
      <Segments label="What to start" options={KINDS} chosen={kind} onChoose={(name) => setKind(name as Kind)} />
      <Problem text={problem} />
      <Field label="Model type" hint={modelType?.description ?? ""}>
        <select name="model_type" value={chosen} onChange={(event) => setChosen(event.currentTarget.value)}>
          {types.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </Field>
      {!modelType ? (
        <p class="quiet">The model types are being read…</p>
      ) : kind === "one" ? (
        <div class="fields">
          <HyperparameterFields key={chosen} {...{ modelType, values }} />
        </div>
      ) : (
        <SweepFields key={chosen} modelType={modelType} />
      )}
      <Field label="Values that are left empty">
        <select name="preset">
          <option value="">The type's defaults</option>
          <option value="best">What is recommended for the type</option>
        </select>
      </Field>
      <Field label="Data set" hint="digits, mnist, or the s3:// or https:// address of a table or an .npz file">
        <input name="dataset" defaultValue={text(before.dataset) || "digits"} />
      </Field>
      <Field label="Target" hint="For tables: the column to predict, unless it is called label, target, class or y">
        <input name="target" defaultValue={text(before.target)} />
      </Field>
      <div class="fields">
        <Field label="Experiment">
          <input name="experiment_name" defaultValue={like?.experiment_name ?? defaults.experiment} />
        </Field>
        <Field label="Registered model">
          <input name="model_name" defaultValue={like?.model_name ?? DEFAULT_MODEL} />
        </Field>
      </div>
      <Acts verb="Start" />
    </form>
  );
}

const text = (value: unknown): string => (value === undefined || value === null ? "" : String(value));

function SweepFields({ modelType }: { modelType: ModelType }) {
  const me = useMe();
  return (
    <>
      <div class="fields">
        <NumberField label="Number of runs" name="num_runs" value={8} min={1} max={100} />
        <Field label="Strategy">
          <select name="strategy">
            {STRATEGIES.map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </select>
        </Field>
        <HyperparameterFields modelType={modelType} only="epochs" />
        {may(me, "approve") ? (
          <Field label="Promote the best run to">
            <select name="stage">
              <option value="">No stage</option>
              <option>Staging</option>
              <option>Production</option>
            </select>
          </Field>
        ) : null}
      </div>
      <Field
        label="Space"
        hint="The values to try, as JSON: a list, or a range with low, high and log. Empty: all of these."
      >
        <textarea class="mono" name="space" spellcheck={false} placeholder={JSON.stringify(modelType.space)} />
      </Field>
    </>
  );
}

interface NumberProperties {
  label: string;
  name: string;
  value: number;
  min: number;
  max: number;
  step?: string;
}

const NumberField = ({ label, value, ...more }: NumberProperties) => (
  <Field label={label}>
    <input type="number" defaultValue={String(value)} {...more} />
  </Field>
);

type Request = Parameters<typeof api.train>[0];

/** The filled fields of a form, numbers as numbers and the space as what its JSON says. Throws an Error. */
function requestOf(form: HTMLFormElement): Record<string, unknown> {
  const fields = [...form.elements].filter(
    (element) =>
      element instanceof HTMLInputElement ||
      element instanceof HTMLSelectElement ||
      element instanceof HTMLTextAreaElement,
  );
  const filled = fields.filter(({ name, value }) => name && value !== "");
  return Object.fromEntries(
    filled.map(({ name, type, value }) => [
      name,
      name === "space" ? spaceFrom(value) : type === "number" ? Number(value) : value,
    ]),
  );
}

/** A sweep's space from JSON text. Throws an Error that says what is wrong. */
export function spaceFrom(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(
      'The space is not JSON. One looks like {"learning_rate": {"low": 0.001, "high": 0.1, "log": true}}.',
    );
  }
}

async function startRun(request: Request): Promise<Started> {
  const { job_id: jobId } = await api.train(request);
  announce(`${jobId} started`);
  return { jobId };
}

async function startSweep(request: Request): Promise<Started> {
  const { sweep_id: sweepId } = await api.sweep(request);
  announce(`${sweepId} started`);
  return { sweepId };
}
