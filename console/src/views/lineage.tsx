/** Where a version comes from, and what it does: its data, job, run and predictions, as links. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { ApiError } from "../http";
import { usePolling } from "../polling";
import { linkTo } from "../routing";
import type { RunDetail } from "../schema";
import { lastPart } from "./data";
import type { Version } from "./lifecycle";
import { runOf } from "./run-in-full";

interface Properties {
  model: string;
  version: Version;
}

export function Lineage({ model, version }: Properties) {
  const run = useRun(version);
  const steps = stepsOf(model, version, run);
  return (
    <nav aria-label="Lineage">
      <ol class="lineage">
        {steps.map(({ name, content }) => (
          <li key={name}>
            <span class="faint">{name}</span>
            {content}
          </li>
        ))}
      </ol>
    </nav>
  );
}

/** The version's run; null if it is not known, or if the key is not for its experiment. */
function useRun({ run_id, experiment_name }: Version): RunDetail | null {
  const [run, setRun] = useState<RunDetail | null>(null);
  usePolling(
    async (signal) => {
      if (!run_id || !experiment_name) return false;
      try {
        setRun(await runOf(experiment_name, run_id, signal));
      } catch (error) {
        // A key for the model only: the rest of the lineage is shown.
        if (!(error instanceof ApiError) || error.status !== 403) throw error;
      }
      return false;
    },
    0,
    [run_id],
  );
  return run;
}

interface Step {
  name: string;
  content: ComponentChildren;
}

/** From the data to the predictions; what is not known says so. */
export function stepsOf(
  model: string,
  { version, run_id, experiment_name, stage }: Version,
  run: RunDetail | null,
): Step[] {
  const jobId = run?.tags["mlops.job_id"];
  const unknown = <span class="quiet">not known</span>;
  const runName = run?.run_name ?? run_id?.slice(0, 8);
  const data = (run?.datasets ?? []).map(({ name, digest }) => (
    <a key={`${name} ${digest}`} href={linkTo("data", { search: digest })} title={`${name} ${digest}`}>
      {lastPart(name)}
    </a>
  ));
  const serves = stage === "Production" || stage === "Staging";
  return [
    { name: "Data", content: data.length ? data : unknown },
    { name: "Job", content: jobId ? <a href={linkTo("jobs", { job: jobId })}>{jobId}</a> : unknown },
    {
      name: "Run",
      content:
        run_id && experiment_name ? (
          <a href={linkTo("runs", { experiment: experiment_name, run: run_id })}>{runName}</a>
        ) : (
          (runName ?? unknown)
        ),
    },
    { name: "Version", content: <span aria-current="true">{`${model} version ${version}`}</span> },
    {
      name: "Predictions",
      content: serves ? (
        <a href={linkTo("watching", { model })}>{`as watched in ${stage}`}</a>
      ) : (
        <span class="quiet">{`none: it is ${stage}`}</span>
      ),
    },
  ];
}
