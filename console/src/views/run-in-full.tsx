/** One run: what it was, what it has read and what came of it, its figures, curves, notes and files. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { useMe } from "../access";
import * as api from "../api";
import { curve } from "../charts/data";
import { LineChart } from "../charts/lazy";
import { Facts, Loading, NotFound, Tag } from "../components/basics";
import { Detail } from "../components/detail";
import { ago, capitalised, duration, number, secondsBetween, words } from "../format";
import { ApiError } from "../http";
import { usePolling } from "../polling";
import { linkTo } from "../routing";
import type { RunDetail } from "../schema";
import { lastPart } from "./data";
import { nameOf } from "./leaderboard";
import { RunFiles } from "./run-files";
import { programTags, RunNotes } from "./run-notes";
import { shownCurves } from "./side-by-side";

const INTERVAL = 5000;
const RUNNING = ["running", "scheduled"];
/** Metrics of classes, of which a run can have hundreds. */
/** Metrics of one class, by its position; of runs of earlier versions, `precision_0`. */
const OF_CLASSES = /^(?:class\/(\d+)\/(precision|recall)|(precision|recall)_(\d+))$/;

interface Properties {
  experiment: string;
  runId: string;
  onClose: () => void;
}

export function RunInFull({ experiment, runId, onClose }: Properties) {
  const [run, setRun] = useState<RunDetail | null>();
  usePolling(
    async (signal) => {
      const found = await runOf(experiment, runId, signal);
      setRun(found);
      return found !== null && RUNNING.includes(found.status);
    },
    INTERVAL,
    [experiment, runId],
  );
  return (
    <Detail label="Run" title={run ? `Run ${nameOf(run)}` : "Run"} closing="Close the run" onClose={onClose}>
      {run === undefined ? (
        <Loading />
      ) : run === null ? (
        <NotFound kind="run" name={runId} />
      ) : (
        <Shown run={run} onChanged={(tags) => setRun({ ...run, tags })} />
      )}
    </Detail>
  );
}

/** Null where there is no run of that id, or where the key is not for it. */
export async function runOf(experiment: string, runId: string, signal: AbortSignal): Promise<RunDetail | null> {
  try {
    return await api.run(experiment, runId, { signal });
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 422)) return null;
    throw error;
  }
}

function Shown({ run, onChanged }: { run: RunDetail; onChanged: (tags: Record<string, string>) => void }) {
  const curves = shownCurves([run]);
  const metrics = Object.entries(run.metrics);
  const tags = programTags(run.tags);
  return (
    <div class="body stack">
      <div class="halves">
        <div class="stack">
          <h3>Run</h3>
          <Facts of={factsOf(run)} />
          <MlflowLink run={run} />
          <h3>Parameters</h3>
          <Facts of={Object.entries(run.params).map(figure)} />
        </div>
        <div class="stack">
          <h3>Metrics</h3>
          <Facts of={metrics.filter(([name]) => !OF_CLASSES.test(name)).map(figure)} />
          <More title="metrics of classes" of={classFigures(run)} />
        </div>
      </div>
      <RunNotes run={run} onChanged={onChanged} />
      {curves.length ? (
        <div class="halves">
          {curves.map(([label, metric]) => (
            <div key={metric}>
              <h3>{capitalised(label)}</h3>
              <LineChart label={label} lines={[{ name: nameOf(run), points: curve(run.metric_history[metric]) }]} />
            </div>
          ))}
        </div>
      ) : null}
      <RunFiles run={run} />
      <More title="tags of MLflow and the platform" of={tags.map(([name, value]) => [name, value.slice(0, 300)])} />
    </div>
  );
}

const figure = ([name, value]: [string, number | string]): [string, string] => [words(name), number(value)];

/** The precision and recall of each class, with its label where the run says it. */
export function classFigures({ metrics, tags }: Pick<RunDetail, "metrics" | "tags">): [string, string][] {
  const labels = labelsOf(tags["mlops.labels"]);
  return Object.entries(metrics).flatMap(([name, value]): [string, string][] => {
    const [, place, kind, formerKind, formerPlace] = OF_CLASSES.exec(name) ?? [];
    const position = place ?? formerPlace;
    if (position === undefined) return [];
    return [[`${kind ?? formerKind} of ${labels[Number(position)] ?? `class ${position}`}`, number(value)]];
  });
}

function labelsOf(tag: string | undefined): unknown[] {
  try {
    const labels: unknown = JSON.parse(tag ?? "[]");
    return Array.isArray(labels) ? labels : [];
  } catch {
    return [];
  }
}

const More = ({ title, of }: { title: string; of: [string, string][] }) =>
  of.length ? (
    <details>
      <summary>{`${of.length} ${title}`}</summary>
      <Facts of={of} />
    </details>
  ) : null;

/** The run's place between its data and its versions, as links. */
function factsOf(run: RunDetail): [string, ComponentChildren][] {
  const [jobId, sweepId] = [run.tags["mlops.job_id"], run.tags["mlops.sweep_id"]];
  const { datasets = [], versions = [] } = run;
  return [
    ["Status", <Tag key="status" status={run.status} />],
    ["Id", <code key="id">{run.run_id}</code>],
    ["Started", ago(run.started_at)],
    ["Duration", run.started_at && run.ended_at ? duration(secondsBetween(run.started_at, run.ended_at)) : null],
    ...datasets.map(({ name, digest, context }): [string, ComponentChildren] => [
      context ? `Data for ${context}` : "Data",
      <>
        <a href={linkTo("data", { search: digest })} title={name}>
          {lastPart(name)}
        </a>{" "}
        <code title={digest}>{digest.slice(0, 10)}</code>
      </>,
    ]),
    ["Job", jobId ? <a href={linkTo("jobs", { job: jobId })}>{jobId}</a> : null],
    ["Sweep", sweepId ? <a href={linkTo("jobs", { sweep: sweepId })}>{sweepId}</a> : null],
    ...versions.map(({ model_name, version, stage }): [string, ComponentChildren] => [
      `Version, in ${stage}`,
      <a key={version} href={linkTo("models", { model: model_name, version })}>{`${model_name} version ${version}`}</a>,
    ]),
    ["Why it failed", run.tags["mlops.error"]],
  ];
}

function MlflowLink({ run }: { run: RunDetail }) {
  const { mlflow_url } = useMe();
  if (!mlflow_url)
    return (
      <p class="faint">
        <code>mlops ui</code> opens MLflow, which has the run too.
      </p>
    );
  return (
    <p>
      <a href={mlflowAddress(mlflow_url, run)} target="_blank" rel="noopener noreferrer">
        Open the run in MLflow
      </a>
    </p>
  );
}

/** Without the type of workflow MLflow 3 shows a run among those of GenAI. */
export const mlflowAddress = (base: string, { experiment_id, run_id }: Pick<RunDetail, "experiment_id" | "run_id">) =>
  `${base.replace(/\/+$/, "")}/#/experiments/${experiment_id}/runs/${run_id}?workflowType=machine_learning`;
