/** What a sweep's leaderboard and its picture show of the runs. */

import type { Job, SweepState } from "../schema";

export type Run = Pick<Job, "job_id" | "status" | "params" | "metrics">;
type Value = string | number;

/** Differs between runs that are to differ by chance only. */
const SEED = "seed";

/**
 * The hyperparameters in which the runs differ; the seed only if they differ in nothing else. Until a run has begun, it
 * lacks those that are not chosen for it.
 */
export function differing(runs: Pick<Run, "params">[]): string[] {
  const names = [...new Set(runs.flatMap(({ params }) => Object.keys(params ?? {})))];
  const values = (name: string) => runs.flatMap(({ params }) => (params && name in params ? [params[name]] : []));
  const found = names.filter((name) => new Set(values(name)).size > 1);
  const chosen = found.filter((name) => name !== SEED);
  return chosen.length ? chosen : found;
}

/** A hyperparameter as a table shows it; undefined where the run has none. */
export function settingOf({ params }: Pick<Run, "params">, name: string): Value | undefined {
  const value = params?.[name];
  if (value === undefined || value === null) return undefined;
  return typeof value === "number" ? value : String(value);
}

/** The value that ranks a run; undefined while there is none, and of a run that has no rank. */
export function scoreOf(run: Run, { objective, unranked }: Pick<SweepState, "objective" | "unranked">) {
  return objective && !unranked?.[run.job_id] ? run.metrics?.[objective.name] : undefined;
}

/** An axis of the picture. */
export interface Axis {
  name: string;
  /** Where a value is, from 0 at the lower end to 1; undefined for a missing one. */
  place: (value: Value | undefined) => number | undefined;
  /** Values with a label. */
  marks: Value[];
}

/** From here on, numbers are shown by their logarithm. */
const WIDE = 100;

/** An axis for these values: a line of numbers, or a place for each word. */
export function axisOf(name: string, values: (Value | undefined)[]): Axis {
  const known = [...new Set(values.filter((value) => value !== undefined))];
  const numbers = known.filter((value) => typeof value === "number");
  if (numbers.length < known.length) {
    const marks = known.sort((a, b) => String(a).localeCompare(String(b), "en", { numeric: true }));
    const share = (value: Value) => (marks.length > 1 ? marks.indexOf(value) / (marks.length - 1) : 0.5);
    return { name, marks, place: (value) => (value === undefined ? undefined : share(value)) };
  }
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  const scaled = low > 0 && high / low >= WIDE ? Math.log : (value: number) => value;
  const width = scaled(high) - scaled(low);
  return {
    name,
    marks: low === high ? [low] : [low, high],
    place: (value) => (typeof value !== "number" ? undefined : width > 0 ? (scaled(value) - scaled(low)) / width : 0.5),
  };
}
