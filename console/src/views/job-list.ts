/** The jobs that were read so far, over several pages, while new ones start. */

import type { Job } from "../schema";

/**
 * What is known after reading a page. If none of the page's jobs was known, more have started meanwhile than a page has,
 * and what was known before would leave a gap.
 */
export function merged(known: readonly Job[], page: readonly Job[], isNewest: boolean): Job[] {
  const ids = new Set(page.map(({ job_id }) => job_id));
  const rest = known.filter(({ job_id }) => !ids.has(job_id));
  if (isNewest && known.length && rest.length === known.length) return [...page];
  return [...page, ...rest].sort(newestFirst);
}

const newestFirst = (a: Job, b: Job): number =>
  b.created_at.localeCompare(a.created_at) || b.job_id.localeCompare(a.job_id);

/** Jobs that still change and that the newest page does not have. */
export const unsettled = (known: readonly Job[], page: readonly Job[], most: number): Job[] => {
  const ids = new Set(page.map(({ job_id }) => job_id));
  return known.filter((job) => !hasEnded(job) && !ids.has(job.job_id)).slice(0, most);
};

const ENDED = ["completed", "failed", "cancelled", "pruned"];

export const hasEnded = (job: Pick<Job, "status">): boolean => ENDED.includes(job.status);

/** Whether a job has each word of the text in its name, model, experiment or error. */
export function mentions(job: Job, text: string): boolean {
  const told = [job.job_id, job.experiment_name, job.model_name, job.sweep_id, job.error, job.params.model_type];
  const all = told.join(" ").toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => all.includes(word));
}
