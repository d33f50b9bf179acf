/** What is where, and what needs you; on an empty stack the first four steps. */

import { useState } from "preact/hooks";
import { refused, useMe } from "../access";
import * as api from "../api";
import { Card, Headings, Loading, PageHead, Scroll, Tag } from "../components/basics";
import { defaultFirst } from "../components/model-choice";
import { ago, words } from "../format";
import { ApiError } from "../http";
import { usePolling } from "../polling";
import { linkTo } from "../routing";
import type { DriftStatus, Job, Model, Rollout } from "../schema";
import { type Need, needs } from "./needs";
import { NewRun } from "./new-run";

const INTERVAL = 5000;
/** Until each model that serves was looked at once. */
const FIRST_INTERVAL = 2000;
/** Models that a look asks about; the first one, which the view waits for, asks about one. */
const AT_ONCE = 3;
/** Of the newest jobs, those that have failed are told. */
const JOBS = 50;
const SHOWN_JOBS = 6;

/** What is known of a model that serves; each look asks for some more of them, in turn. */
export interface Served {
  drift: (Pick<DriftStatus, "status"> & { what: string }) | null;
  rollout: Rollout | null;
}

interface Seen {
  models: Model[];
  jobs: Job[];
  served: Record<string, Served>;
}

export function Start() {
  const [seen, setSeen] = useState<Seen>();
  const [turn, setTurn] = useState(0);
  const [known, setKnown] = useState(false);
  usePolling(
    async (signal) => {
      const listed = await api.allModels({ signal });
      const { jobs } = await api.jobs({ limit: JOBS }, { signal });
      const names = defaultFirst(
        listed.filter((model) => model.servable && model.production_version).map(({ name }) => name),
      );
      const start = turn < names.length ? turn : 0;
      const next = names.slice(start, start + (seen ? AT_ONCE : 1));
      const found = await Promise.all(next.map((name) => lookAt(name, signal)));
      const served = Object.fromEntries(next.map((name, index) => [name, found[index] as Served]));
      setSeen((before) => ({ models: listed, jobs, served: { ...before?.served, ...served } }));
      setTurn(start + next.length);
      setKnown(known || start + next.length >= names.length);
      return undefined;
    },
    known ? INTERVAL : FIRST_INTERVAL,
    [],
  );
  return (
    <>
      <PageHead title="Start" text="What is where, and what needs you." />
      {seen ? <Shown {...seen} /> : <Loading />}
    </>
  );
}

async function lookAt(name: string, signal: AbortSignal): Promise<Served> {
  const rollout = (await api.rollouts(name, { signal })).rollouts[0] ?? null;
  return { drift: await driftOf(name, signal), rollout };
}

async function driftOf(name: string, signal: AbortSignal): Promise<Served["drift"]> {
  try {
    const { status, signal: moved, column } = await api.driftStatus(name, 24, { signal });
    return { status, what: column ?? (moved ? words(moved) : "") };
  } catch (error) {
    // Of a version that has just left Production.
    if (error instanceof ApiError && (error.status === 404 || error.status === 409)) return null;
    throw error;
  }
}

function Shown({ models, jobs, served }: Seen) {
  const found = needs(models, jobs, served);
  return (
    <div class="stack">
      {models.some((model) => model.production_version) ? null : <FirstSteps models={models} jobs={jobs} />}
      <Card title="What needs you">{found.length ? <Needs needs={found} /> : <p class="quiet">Nothing now.</p>}</Card>
      <div class="halves">
        <Card title="Models">
          {models.length ? <ModelTable models={models} served={served} /> : <p class="quiet">There is none yet.</p>}
        </Card>
        <Card title="Latest jobs">
          {jobs.length ? <LatestJobs jobs={jobs.slice(0, SHOWN_JOBS)} /> : <p class="quiet">There is none yet.</p>}
        </Card>
      </div>
    </div>
  );
}

const Needs = ({ needs }: { needs: Need[] }) => (
  <ul class="needs">
    {needs.map(({ href, kind, text, status }) => (
      <li key={`${kind} ${href}`}>
        <Tag status={status} />
        <a href={href}>{text}</a>
      </li>
    ))}
  </ul>
);

function FirstSteps({ models, jobs }: { models: Model[]; jobs: Job[] }) {
  const no = refused(useMe(), "train", "To start a run");
  const [starting, setStarting] = useState(false);
  const trained = jobs.some(({ status }) => status === "completed");
  const steps: [name: string, text: string, href: string | null, done: boolean][] = [
    ["Train", "Start a run on the digits that come with the platform, or on your table.", null, trained],
    ["Compare", "Runs stand side by side, with their metrics and curves.", linkTo("runs"), false],
    ["Promote", "The gates check a version, then it serves.", linkTo("models"), false],
    ["Predict", "Ask what serves, and copy the request.", linkTo("predict"), false],
  ];
  const next = trained || models.length ? 1 : 0;
  return (
    <Card title="The first four steps">
      <ol class="steps">
        {steps.map(([name, text, href, done], index) => {
          const looks = index === next ? "button primary" : "button";
          return (
            <li key={name}>
              {href === null ? (
                no ? (
                  <strong>{name}</strong>
                ) : (
                  <button class={looks} type="button" onClick={() => setStarting(true)}>
                    {name}
                  </button>
                )
              ) : (
                <a class={looks} href={href}>
                  {name}
                </a>
              )}
              <span class="quiet">{done ? `Done. ${text}` : href === null ? (no ?? text) : text}</span>
            </li>
          );
        })}
      </ol>
      {starting ? (
        <NewRun
          onStarted={({ jobId, sweepId }) => {
            location.hash = linkTo("jobs", { job: jobId, search: sweepId, sweep: sweepId });
          }}
          onClosed={() => setStarting(false)}
        />
      ) : null}
    </Card>
  );
}

const ModelTable = ({ models, served }: { models: Model[]; served: Record<string, Served> }) => (
  <Scroll label="Table of models">
    <table>
      <thead>
        <tr>
          <Headings text={["Model"]} numbers={["Production", "Versions"]} />
          <Headings text={["Drift, 24 h"]} />
        </tr>
      </thead>
      <tbody>
        {models.map(({ name, production_version, versions }) => {
          const drift = served[name]?.drift?.status;
          return (
            <tr key={name}>
              <th scope="row" class="long" title={name}>
                <a href={linkTo("models", { model: name })}>{name}</a>
              </th>
              <td class="number">{production_version ?? "–"}</td>
              <td class="number">{versions}</td>
              <td>
                {drift ? (
                  <a href={linkTo("watching", { model: name })}>
                    <Tag status={drift} />
                  </a>
                ) : null}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  </Scroll>
);

const LatestJobs = ({ jobs }: { jobs: Job[] }) => (
  <Scroll label="Table of the latest jobs">
    <table>
      <thead>
        <tr>
          <Headings text={["Job", "Status", "Experiment", "Created"]} />
        </tr>
      </thead>
      <tbody>
        {jobs.map((job) => (
          <tr key={job.job_id}>
            <th scope="row">
              <a class="mono" href={linkTo("jobs", { job: job.job_id })}>
                {job.job_id.slice(0, 12)}
              </a>
            </th>
            <td>
              <Tag status={job.status} />
            </td>
            <td class="long" title={job.experiment_name}>
              {job.experiment_name}
            </td>
            <td class="faint">{ago(job.created_at)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </Scroll>
);
