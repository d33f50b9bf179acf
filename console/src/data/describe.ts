/** What training would find in a table: how each column is read, what is left out and why, and what can be predicted. */

import { isMissing } from "../predicting/file/cells";
import type { Table } from "../predicting/file/csv";
import { type Kind, momentOf, quantityOf, type Reading, readingsOf } from "./reading";

export interface ColumnFound {
  name: string;
  kind: Kind;
  /** Share of the rows without a value. */
  missing: number;
  /** Different values, the most frequent first, with their numbers of rows; of categories and booleans. */
  levels: [value: string, rows: number][];
  /** Of numbers, and of datetimes in milliseconds. */
  range: { low: number; median: number; high: number } | null;
  /** Why the model would not get it; null if it would. */
  leftOut: string | null;
  notes: string[];
  /** Line and reason, if training would refuse the table. */
  problem: string | null;
  /** What it would be as the column to predict. */
  target: AsTarget;
}

export type AsTarget = { task: "classification" | "regression"; what: string } | { task: null; what: string };

/** Names that training takes for the target's. */
const USUAL_TARGETS = ["label", "target", "class", "y"];
const ID_SHARE = 0.99;
/** A category is a level of its own if at least so many rows have it. */
export const LEAST_LEVEL_ROWS = 5;
const MOST_CLASSES = 1000;
const MOST_NUMBERED_CLASSES = 20;
const MOST_WHOLE_NUMBERS = 100;

export function described({ header, rows, lines }: Table): ColumnFound[] {
  const columns = header.map((_, place) => rows.map((row) => row[place] ?? ""));
  const readings = readingsOf(columns);
  return header.map((name, place) => found(name, place, columns[place] as string[], readings[place] as Reading, lines));
}

function found(name: string, place: number, cells: string[], reading: Reading, lines: number[]): ColumnFound {
  const worded = reading.kind === "category";
  const there = cells.filter((cell) => cell && (worded || !isMissing(cell)));
  const counts = new Map<string, number>();
  for (const cell of there) {
    const value = reading.kind === "boolean" ? cell.toLowerCase() : cell;
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  const levels = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const { misfit, note } = reading;
  const line = misfit ? `Line ${lines[misfit.row]}: ${misfit.text}` : null;
  const leftOut = line ? null : leftOutReason(reading, cells.length, there.length, levels, name);
  const unnamed = name || leftOut ? null : `Column ${place + 1} has no name. Give it one, or remove it.`;
  const notes = [
    ...(note ? [note] : []),
    ...(!leftOut && reading.kind === "whole number" && isUnique(levels.length, there.length)
      ? ["it has a different whole number in nearly each row; if it is an id, set it to ignore"]
      : []),
  ];
  return {
    name: name || `column ${place + 1}`,
    kind: reading.kind,
    missing: 1 - there.length / cells.length,
    levels: worded || reading.kind === "boolean" ? levels : [],
    range: worded || reading.kind === "boolean" ? null : rangeOf(there, reading),
    leftOut,
    notes,
    problem: line ?? unnamed,
    target: line ? { task: null, what: line } : asTarget(reading, there, levels.length),
  };
}

const isUnique = (different: number, filled: number): boolean => filled > 0 && different >= ID_SHARE * filled;

/** Why a column only says which row it is, or nothing at all. */
function leftOutReason(
  { kind, countsRows }: Reading,
  rows: number,
  filled: number,
  levels: [string, number][],
  name: string,
): string | null {
  if (countsRows) return "it counts the rows";
  if (!filled) return "it is empty";
  if (!name)
    return isUnique(levels.length, filled) && kind === "whole number"
      ? "it is an index, a different whole number in each row"
      : null;
  if (kind === "category" && isUnique(levels.length, filled))
    return `it is an id: ${levels.length.toLocaleString("en")} different texts in ${filled.toLocaleString("en")} rows`;
  if (levels.length === 1 && filled === rows) return "it has the same value in all rows";
  if (kind === "category" && (levels[0]?.[1] ?? 0) < LEAST_LEVEL_ROWS)
    return `none of its values is in ${LEAST_LEVEL_ROWS} or more rows`;
  return null;
}

function rangeOf(there: string[], { kind, form }: Reading): ColumnFound["range"] {
  const read = kind === "datetime" ? momentOf(form) : quantityOf(form);
  const values = there.map(read).filter((value) => value !== null);
  const sorted = Float64Array.from(values).sort();
  if (!sorted.length) return null;
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] as number;
  return { low: at(0), median: at(0.5), high: at(1) };
}

function asTarget({ kind, form }: Reading, there: string[], different: number): AsTarget {
  const classes = { task: "classification", what: `${different.toLocaleString("en")} classes` } as const;
  if (!different) return { task: null, what: "it is empty" };
  if (different === 1) return { task: null, what: "all rows have the same value" };
  if (kind === "category" || kind === "boolean" || kind === "datetime")
    return different > MOST_CLASSES ? { task: null, what: `more than ${MOST_CLASSES} classes` } : classes;
  const read = quantityOf(form);
  if (different > MOST_WHOLE_NUMBERS || there.some((cell) => !Number.isInteger(read(cell))))
    return { task: "regression", what: "a quantity" };
  if (different <= MOST_NUMBERED_CLASSES) return classes;
  return {
    task: null,
    what: `${different} different whole numbers can be classes or a quantity: set --task to classification or regression`,
  };
}

/** The columns that can be predicted, the likeliest first: those with a usual name, then the others from the last one. */
export function proposals(columns: ColumnFound[]): ColumnFound[] {
  const possible = columns.filter(({ target, leftOut }) => target.task !== null && leftOut === null);
  const usual = possible.filter(({ name }) => USUAL_TARGETS.includes(name.toLowerCase()));
  return [...usual, ...possible.filter((column) => !usual.includes(column)).reverse()];
}

/** The column that training takes when the request names none; undefined if it would refuse the table. */
export function usualTarget(columns: ColumnFound[]): ColumnFound | undefined {
  const usual = columns.filter(({ name }) => USUAL_TARGETS.includes(name.toLowerCase()));
  return usual.length === 1 ? usual[0] : undefined;
}
