/** The rows of a file as the model takes them; what it does not take, with line and column. */

import { ApiError } from "../../http";
import { reason } from "../../problems";
import type { ContractColumn, Problem } from "../../schema";
import type { Row } from "../rows";
import { readerOf } from "./cells";
import type { Table } from "./csv";

/** Errors that are shown at once. */
const SHOWN = 5;
/** A row's own id, with which its label comes back. */
const ID = "id";
export const ADDED = ["prediction", "confidence"];

/** The rows of the file, without the columns `left`. Throws an Error with the places of what is wrong. */
export function rowsOf(table: Table, columns: ContractColumn[], left: string[]): Row[] {
  const taken = table.header.find((name) => ADDED.includes(name));
  if (taken) throw new Error(`Line 1: the answers get a column ${taken}, and the file has one. Rename it.`);
  const unknown = unknownColumns(table, columns).filter((name) => !left.includes(name));
  if (unknown.length)
    throw new Error(`Line 1: the model does not have ${unknown.join(", ")}. Leave that out above, or rename it.`);
  const known = new Map(columns.map((column) => [column.name, column]));
  const kept = table.header.flatMap((name, place) => (name && !left.includes(name) ? [{ name, place }] : []));
  const reads = kept.map(({ name, place }) => {
    const column = known.get(name);
    return { name, place, column, read: readerOf(column ?? { type: "string", form: null }) };
  });
  const wrong: string[] = [];
  const rows = table.rows.map((cells, index) => {
    const row: Row = {};
    for (const { name, place, column, read } of reads) {
      const cell = cells[place] ?? "";
      const value = read(cell);
      row[name] = value;
      const why = column && refusalOf(column, value, cell);
      if (why) wrong.push(`Line ${table.lines[index]}, column ${name}: ${why}`);
    }
    return row;
  });
  if (wrong.length) throw new Error(listed(wrong));
  return rows;
}

/** The columns of the file that the model does not have. */
export const unknownColumns = (table: Table, columns: ContractColumn[]): string[] =>
  table.header.filter((name) => name && name !== ID && !columns.some((column) => column.name === name));

const KINDS: Partial<Record<ContractColumn["type"], string>> = {
  double: "a number",
  long: "a whole number",
  boolean: "true or false",
};

function refusalOf({ type, form, proved }: ContractColumn, value: Row[string] | undefined, cell: string) {
  if (value === null && !proved.includes("null")) return "it is empty, and the model needs a value.";
  const kind = KINDS[type];
  if (!kind || typeof value !== "string") return null;
  const usual = form ? `; the files of this model have ${form}` : "";
  return `"${cell.slice(0, 40)}" is not ${kind}${usual}. An empty cell is a missing value.`;
}

/** Why the API has refused rows, of which the first one is the row `start` of the file. */
export function refusal(error: unknown, table: Table, start: number): string {
  const errors = error instanceof ApiError ? ((error.body as Partial<Problem> | null)?.errors ?? []) : [];
  const placed = errors.map(({ field, message }) => placeOf(`${field}: ${message}`, table, start));
  return placed.length ? listed(placed) : reason(error);
}

/** "rows.3.age: …" with the line and the column in place of the row's number. */
export function placeOf(text: string, table: Table, start: number): string {
  const found = /^rows\.(\d+)\.(.*?): (.*)$/s.exec(text);
  if (!found) return text;
  const [, index = "", name, message] = found;
  return `Line ${table.lines[start + Number(index)]}, column ${name}: ${message}`;
}

export function listed(texts: string[]): string {
  const unique = [...new Set(texts)];
  const more = unique.length - SHOWN;
  return [...unique.slice(0, SHOWN), ...(more > 0 ? [`And ${more.toLocaleString("en")} more.`] : [])].join("\n");
}
