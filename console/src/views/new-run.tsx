/** The dialog that starts a run or a sweep. */

import type { TargetedEvent } from "preact";
import { useState } from "preact/hooks";
import { announce } from "../announce";
import * as api from "../api";
import { Field, type Option, Segments } from "../components/controls";
import { Dialog, useClose } from "../components/dialog";
import { DEFAULT_MODEL } from "../components/model-choice";
import * as defaults from "../defaults.json";
import { useLoaded } from "../polling";
import { reason } from "../problems";
import { HyperparameterFields, hyperparametersOf } from "./hyperparameters";

type Kind = "one" | "many";

const KINDS: Option[] = [
  ["one", "One run"],
  ["many", "A sweep"],
];
const USUAL_TYPE = "mlp";

interface Properties {
  /** Called with the new job; with undefined when a sweep has started. */
  onStarted: (jobId: string | undefined) => void;
  onClosed: () => void;
}

export const NewRun = ({ onStarted, onClosed }: Properties) => (
  <Dialog label="New run" onClosed={onClosed}>
    <Form onStarted={onStarted} />
  </Dialog>
);

function Form({ onStarted }: Pick<Properties, "onStarted">) {
  const [kind, setKind] = useState<Kind>("one");
  const [problem, setProblem] = useState("");
  const [chosen, setChosen] = useState(USUAL_TYPE);
  const types = useLoaded((signal) => api.modelTypes({ signal }))?.model_types ?? [];
  const modelType = types.find(({ name }) => name === chosen);
  const close = useClose();
  const submit = async (event: TargetedEvent<HTMLFormElement>) => {
    event.preventDefault();
    const request = { ...requestOf(event.currentTarget), ...hyperparametersOf(event.currentTarget) };
    try {
      const jobId = kind === "many" ? await startSweep(request) : await startRun(request);
      close();
      onStarted(jobId);
    } catch (error) {
      setProblem(reason(error));
    }
  };
  return (
    <form onSubmit={submit}>
      <h2>New run</h2>
      <Segments label="What to start" options={KINDS} chosen={kind} onChoose={(name) => setKind(name as Kind)} />
      {problem ? (
        <p class="banner" role="alert">
          {problem}
        </p>
      ) : null}
      <div class="fields">
        <Field label="Model type">
          <select name="model_type" value={chosen} onChange={(event) => setChosen(event.currentTarget.value)}>
            {types.map(({ name, description }) => (
              <option key={name} title={description}>
                {name}
              </option>
            ))}
          </select>
        </Field>
        {kind === "many" && modelType ? <HyperparameterFields modelType={modelType} only="epochs" /> : null}
      </div>
      {kind === "one" ? (
        <div class="fields">{modelType ? <HyperparameterFields key={chosen} modelType={modelType} /> : null}</div>
      ) : (
        <div class="fields">
          <NumberField label="Number of runs" name="num_runs" value={8} min={1} max={100} />
          <Field label="Promote the best run to">
            <select name="stage">
              <option value="">No stage</option>
              <option>Staging</option>
              <option>Production</option>
            </select>
          </Field>
        </div>
      )}
      <Field label="Data set" hint="digits, mnist, or the s3:// or https:// address of a table or an .npz file">
        <input name="dataset" defaultValue="digits" />
      </Field>
      <Field label="Target" hint="For tables: the column to predict, unless it is called label, target, class or y">
        <input name="target" />
      </Field>
      <div class="fields">
        <Field label="Experiment">
          <input name="experiment_name" defaultValue={defaults.experiment} />
        </Field>
        <Field label="Registered model">
          <input name="model_name" defaultValue={DEFAULT_MODEL} />
        </Field>
      </div>
      <div class="acts">
        <button class="button plain" type="button" onClick={close}>
          Cancel
        </button>
        <button class="button primary" type="submit">
          Start
        </button>
      </div>
    </form>
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

/** The filled fields of a form, numbers as numbers. */
function requestOf(form: HTMLFormElement): Record<string, string | number> {
  const fields = [...form.elements].filter(
    (element) => element instanceof HTMLInputElement || element instanceof HTMLSelectElement,
  );
  const filled = fields.filter(({ name, value }) => name && value !== "");
  return Object.fromEntries(filled.map(({ name, type, value }) => [name, type === "number" ? Number(value) : value]));
}

async function startRun(request: Request): Promise<string> {
  const { job_id } = await api.train(request);
  announce(`${job_id} started`);
  return job_id;
}

async function startSweep(request: Request): Promise<undefined> {
  const { sweep_id } = await api.sweep(request);
  announce(`${sweep_id} started`);
}
