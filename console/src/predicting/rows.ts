/** Rows of a table as people type them, by the columns of the model's contract. */

import type { ContractColumn } from "../schema";

export type Cell = string | number | boolean | null;
export type Row = Record<string, Cell>;
type Column = Pick<ContractColumn, "name" | "type" | "required" | "proved">;

/** What a field shows of a cell: nothing for a missing one. */
export const textOf = (cell: Cell | undefined): string => (cell === null || cell === undefined ? "" : String(cell));

/**
 * The row with a cell as it was typed. An empty one is null where the column takes that, and left out otherwise. What is
 * no number stays text, so that the API says what is wrong with it.
 */
export function withCell(row: Row, column: Column, text: string): Row {
  const { [column.name]: _before, ...rest } = row;
  if (text === "") return column.proved.includes("null") ? { ...rest, [column.name]: null } : rest;
  return { ...rest, [column.name]: cellOf(column, text) };
}

function cellOf({ type }: Column, text: string): Cell {
  if (type === "boolean") return text === "true" ? true : text === "false" ? false : text;
  if (type !== "double" && type !== "long") return text;
  const number = Number(text);
  return Number.isFinite(number) ? number : text;
}

/** A row from JSON text. Throws an Error that says what is wrong. */
export function rowFrom(text: string): Row {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Error('This is not JSON. A row looks like {"age": 41, "job": null}.');
  }
  // The body of a request, as it is in code that somebody copies from.
  const row = isObject(parsed) && isObject(parsed.row) ? parsed.row : parsed;
  if (!isObject(row)) throw new Error('A row is one object, such as {"age": 41, "job": null}.');
  for (const [name, cell] of Object.entries(row))
    if (typeof cell === "object" && cell !== null) throw new Error(`${name} is not one value: a cell has no parts.`);
  return row as Row;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What may stand in a column, in a few words. */
export function ruleOf(column: ContractColumn): string {
  const { low, high, type, required, proved } = column;
  const range = low !== null && high !== null ? `, ${low} to ${high} in training` : "";
  const missing = proved.includes("null") || !required ? ", may be empty" : "";
  return `${NAMES[type]}${range}${missing}`;
}

const NAMES: Record<ContractColumn["type"], string> = {
  double: "number",
  long: "whole number",
  boolean: "true or false",
  string: "text",
  datetime: "date, such as 2026-01-31T08:00:00",
};
