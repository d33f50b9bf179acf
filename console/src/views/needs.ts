/** What waits for somebody, the most urgent first. */

import { words } from "../format";
import { linkTo } from "../routing";
import type { Job, Model } from "../schema";
import { isOpen } from "./lifecycle";
import type { Served } from "./start";

export interface Need {
  kind: "drift" | "approval" | "rollout" | "job";
  status: string;
  text: string;
  href: string;
}

/** Milliseconds after which a failed job or an ended rollout is no news any more. */
const NEWS = 24 * 3_600_000;
const MOST_JOBS = 5;

export function needs(
  models: Pick<Model, "name" | "awaiting_approval">[],
  jobs: Pick<Job, "job_id" | "status" | "error" | "completed_at" | "created_at" | "experiment_name">[],
  served: Record<string, Served>,
): Need[] {
  const drifting = Object.entries(served).flatMap(([model, { drift }]): Need[] =>
    drift?.status === "alert" || drift?.status === "warning"
      ? [
          {
            kind: "drift",
            status: drift.status,
            text: drift.what ? `${model} drifts: ${drift.what}` : `${model} drifts`,
            href: linkTo("watching", { model }),
          },
        ]
      : [],
  );
  const waiting = models.flatMap(({ name, awaiting_approval = 0 }): Need[] => {
    // That of a rollout is told as the rollout's.
    const count = awaiting_approval - (served[name]?.rollout?.status === "awaiting_approval" ? 1 : 0);
    return count > 0
      ? [
          {
            kind: "approval",
            status: "awaiting_approval",
            text: `${name}: ${count === 1 ? "a version waits" : `${count} versions wait`} for approval`,
            href: linkTo("models", { model: name }),
          },
        ]
      : [];
  });
  const rollouts = Object.entries(served).flatMap(([model, { rollout }]): Need[] => {
    if (!rollout || !(isOpen(rollout) || (rollout.status !== "succeeded" && isNews(rollout.completed_at)))) return [];
    const text = `${model}: the rollout of version ${rollout.version} is ${words(rollout.status)}`;
    return [{ kind: "rollout", status: rollout.status, text, href: linkTo("models", { model }) }];
  });
  const failed = jobs
    .filter(({ status, completed_at, created_at }) => status === "failed" && isNews(completed_at ?? created_at))
    .slice(0, MOST_JOBS)
    .map(
      ({ job_id, experiment_name, error }): Need => ({
        kind: "job",
        status: "failed",
        text: `A run of ${experiment_name} has failed${error ? `: ${error}` : ""}`,
        href: linkTo("jobs", { job: job_id }),
      }),
    );
  drifting.sort((a, b) => Number(b.status === "alert") - Number(a.status === "alert"));
  return [...drifting, ...waiting, ...rollouts, ...failed];
}

const isNews = (moment: string | null | undefined): boolean =>
  moment !== null && moment !== undefined && Date.now() - Date.parse(moment) < NEWS;
