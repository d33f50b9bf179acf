/** The rows of a leaderboard that a filter keeps, in the order that a column gives. */

import type { RunRow } from "../schema";

const CONDITION = /^(?:(metrics|params)\.)?(.+?)\s*(<=|>=|!=|=|<|>)\s*(.+)$/;

type Filtered = Pick<RunRow, "run_id" | "run_name" | "status" | "metrics" | "params">;

/**
 * Whether a run is what a filter asks for: conditions such as "metrics.f1 > 0.9" and parts of names, separated by
 * "and" or commas. A metric or a parameter that the run does not have fits no condition.
 */
export function fits(run: Filtered, filter: string): boolean {
  const parts = filter.split(/\s+and\s+|,/i).map((part) => part.trim());
  return parts.filter(Boolean).every((part) => {
    const found = CONDITION.exec(part);
    if (!found) return `${run.run_name ?? ""} ${run.run_id} ${run.status}`.toLowerCase().includes(part.toLowerCase());
    const [, kind, name = "", operator = "", wanted = ""] = found;
    const value = measured(run, kind, name);
    return value !== undefined && holds(value, operator, wanted.replace(/^(["'])(.*)\1$/, "$2"));
  });
}

function measured(run: Filtered, kind: string | undefined, name: string): string | number | undefined {
  if (kind === "metrics") return run.metrics[name];
  if (kind === "params") return run.params[name];
  return run.metrics[name] ?? run.params[name];
}

function holds(value: string | number, operator: string, wanted: string): boolean {
  const [a, b] = [Number(value), Number(wanted)];
  const numbers = Number.isFinite(a) && Number.isFinite(b);
  const order = numbers ? a - b : String(value).localeCompare(wanted, "en");
  switch (operator) {
    case "=":
      return order === 0;
    case "!=":
      return order !== 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    default:
      return order >= 0;
  }
}

/** Sorted by a metric or a parameter, "-name" from the highest; runs without it last. As they are with "". */
export function sorted<Run extends Filtered>(runs: readonly Run[], by: string): Run[] {
  if (!by) return [...runs];
  const name = by.replace(/^-/, "");
  const sign = by.startsWith("-") ? -1 : 1;
  const known = runs.filter((run) => measured(run, undefined, name) !== undefined);
  const rest = runs.filter((run) => measured(run, undefined, name) === undefined);
  known.sort((a, b) => sign * compared(measured(a, undefined, name), measured(b, undefined, name)));
  return [...known, ...rest];
}

function compared(a: string | number | undefined, b: string | number | undefined): number {
  const difference = Number(a) - Number(b);
  return Number.isNaN(difference) ? String(a).localeCompare(String(b), "en") : difference;
}

/** What a click on a heading sorts by: first from the highest, then from the lowest, then as it was. */
export const nextSort = (now: string, name: string): string =>
  now === `-${name}` ? name : now === name ? "" : `-${name}`;
