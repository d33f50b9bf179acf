/** Whether the platform works, how busy it is, its approximate cost, its webhooks and its keys. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import * as api from "../api";
import { Card, Facts, Loading, PageHead, Scroll, Tag, Tile } from "../components/basics";
import { defaultFirst } from "../components/model-choice";
import { JOB, JOB_HOUR, PRICES, secondsTrained, trainingCost } from "../cost";
import { dollars, duration, number, percent } from "../format";
import { ApiError } from "../http";
import { usePolling } from "../polling";
import { reason } from "../problems";
import type { DriftStats, Job, Ready } from "../schema";
import { Keys } from "./keys";
import { Webhooks } from "./webhooks";

const INTERVAL = 5000;
const STATES = ["running", "pending", "completed", "failed", "cancelled", "pruned"] as const;
type State = (typeof STATES)[number];

interface Seen {
  ready: Ready;
  counts: Record<State, number>;
  jobs: Job[];
  /** Null where predictions are not counted, and then why. */
  stats: DriftStats | null;
  uncounted: string;
}

export function Operations({ params }: { params: URLSearchParams }) {
  const [seen, setSeen] = useState<Seen>();
  usePolling(
    async (signal) => {
      setSeen(await look(signal));
      return undefined;
    },
    INTERVAL,
    [],
  );
  return (
    <>
      <PageHead
        title="Operations"
        text="The services behind the API, their load and approximate cost, webhooks and keys."
      />
      <div class="stack">
        {seen ? <Shown {...seen} /> : <Loading />}
        <Webhooks params={params} />
        <Keys />
      </div>
    </>
  );
}

/** One after the other: at once, each request would start a Lambda environment of its own. */
async function look(signal: AbortSignal): Promise<Seen> {
  const ready = await readiness(signal);
  const { jobs } = await api.jobs({ limit: 100 }, { signal });
  const counts = { running: 0, pending: 0, completed: 0, failed: 0, cancelled: 0, pruned: 0 };
  for (const status of STATES) counts[status] = (await api.jobs({ limit: 1, status }, { signal })).total_count;
  return { ready, counts, jobs, ...(await predictions(signal)) };
}

async function readiness(signal: AbortSignal): Promise<Ready> {
  try {
    return await api.ready({ signal });
  } catch (error) {
    const body = error instanceof ApiError ? (error.body as Partial<Ready> | null) : null;
    if (body?.dependencies) return body as Ready;
    throw error;
  }
}

async function predictions(signal: AbortSignal): Promise<Pick<Seen, "stats" | "uncounted">> {
  const models = await api.allModels({ signal });
  const served = models.filter(({ servable, production_version }) => servable && production_version);
  const name = defaultFirst(served.map(({ name }) => name))[0];
  if (!name) return { stats: null, uncounted: "No version is in Production." };
  try {
    return { stats: await api.driftStats(name, 24, { signal }), uncounted: "" };
  } catch (error) {
    if (!(error instanceof ApiError) || error.transient) throw error;
    return { stats: null, uncounted: reason(error) };
  }
}

function Shown({ ready, counts, jobs, stats, uncounted }: Seen) {
  const p95 = stats?.latency.p95_ms ?? null;
  return (
    <div class="stack">
      <dl class="tiles">
        <Tile name="Platform" more="the services behind the API">
          <Tag status={ready.status} />
        </Tile>
        <Tile name="Jobs now" more={`${counts.running} running, ${counts.pending} waiting`}>
          {number(counts.running + counts.pending)}
        </Tile>
        <Tile
          name="Predictions, 24 h"
          more={stats ? `of ${stats.model_name}; ${number(stats.cache_hits)} from the cache` : "not counted yet"}
        >
          {stats ? number(stats.total_predictions) : "–"}
        </Tile>
        <Tile name="Latency, 95th percentile" more="within the function">
          {p95 === null ? "–" : `${number(p95)} ms`}
        </Tile>
      </dl>
      <div class="halves">
        <Card title="Services behind the API">
          <Dependencies ready={ready} />
        </Card>
        <Card title="Approximate cost on AWS">
          <Cost jobs={jobs} />
        </Card>
      </div>
      <Card title="Jobs by state">
        <dl class="tiles counts">
          {STATES.map((state) => (
            <div key={state}>
              <dt>
                <Tag status={state} />
              </dt>
              <dd>{number(counts[state])}</dd>
            </div>
          ))}
        </dl>
      </Card>
      {uncounted ? <p class="faint">{uncounted}</p> : null}
    </div>
  );
}

const Dependencies = ({ ready }: { ready: Ready }) => (
  <Scroll label="Table of services">
    <table>
      <tbody>
        {Object.entries(ready.dependencies).map(([name, dependency]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>
              <span class={`tag ${dependency.ok ? (dependency.warning ? "warn" : "good") : "bad"}`}>
                {dependency.ok ? "answers" : "down"}
              </span>
            </td>
            <td class="quiet wrap">{dependency.warning ?? dependency.detail}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </Scroll>
);

function Cost({ jobs }: { jobs: Job[] }) {
  const seconds = secondsTrained(jobs);
  const spent = trainingCost(seconds);
  const facts: [string, ComponentChildren][] = [
    ["At rest, per month", dollars(PRICES.rest_month)],
    [`Training, last ${jobs.length} jobs`, dollars(spent)],
    ["Training time", duration(seconds)],
    ["Average per job", jobs.length ? dollars(spent / jobs.length) : "–"],
  ];
  return (
    <div class="stack">
      <Facts of={facts} />
      <p class="faint">
        {`Assumed: list prices of ${PRICES.region}, looked up on ${PRICES.checked}. A job has ${JOB.vcpus} vCPUs and ${JOB.gb} GB on ` +
          `Fargate Spot, ${percent(1 - PRICES.spot_share, 0)} below the price of Fargate, and a public address: ` +
          `$${JOB_HOUR.toFixed(3)} per hour. A local stack costs nothing.`}
      </p>
    </div>
  );
}
