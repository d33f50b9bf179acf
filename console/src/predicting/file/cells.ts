/**
 * The cells of a CSV file as the values of a row: read as the training's file was read, and never guessed. The rules are
 * those of mlops_contract/cells.py, and tests of both read the same cases.
 */

import type { ContractColumn } from "../../schema";
import type { Cell } from "../rows";

const MISSING = ["na", "n/a", "null", "none", "nan", "-"];
export const NUMBER = /^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$/;
const DATE = /^([0-9]{1,2})([./])([0-9]{1,2})\2([0-9]{4})(?: ([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?$/;
const ISO =
  /^([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2})(:[0-9]{2}(?:\.[0-9]+)?)?(?: ?(?:(Z|UTC)|([+-][0-9]{2})(?::?([0-9]{2}))?))?$/;

export const isMissing = (cell: string): boolean => MISSING.includes(cell.toLowerCase());

type Read = (text: string) => Cell;

/**
 * The function that turns a cell into a value of the column. A cell that does not have the column's form stays text, so
 * that the error has it.
 */
export function readerOf({ type, form }: Pick<ContractColumn, "type" | "form">): Read {
  if (type === "string") return (cell) => stripped(cell) || null;
  const read =
    type === "boolean" ? booleans(form ?? "true/false") : type === "datetime" ? dates(form) : form ? comma : number;
  return (cell) => {
    const text = stripped(cell);
    return text && !isMissing(text) ? read(text) : null;
  };
}

const stripped = (cell: string): string => cell.replace(/^[ \t\r\n\u00a0]+|[ \t\r\n\u00a0]+$/g, "");

function booleans(form: string): Read {
  const words = new Map<string, boolean>();
  for (const pair of form.split(" ")) {
    const [yes = "", no = ""] = pair.split("/");
    words.set(yes, true).set(no, false);
  }
  return (text) => words.get(text.toLowerCase()) ?? text;
}

const number: Read = (text) => {
  const value = NUMBER.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : text;
};

const comma: Read = (text) => {
  const value = text.includes(".") ? text : number(text.replace(",", "."));
  return typeof value === "number" ? value : text;
};

const dates = (form: string | null): Read => (form === null ? iso : (text) => written(text, form));

const iso: Read = (text) => {
  const found = ISO.exec(text);
  if (!found) return text;
  const [, day, minutes, seconds = ":00", utc, hours, rest = "00"] = found;
  return `${day}T${minutes}${seconds}${utc ? "Z" : hours ? `${hours}:${rest}` : ""}`;
};

function written(text: string, form: string): string {
  const found = DATE.exec(text);
  if (!found || found[2] !== (form.includes(".") ? "." : "/")) return text;
  const [, one = "", , two = "", year, hour, minute, second = "00"] = found;
  const [day, month] = form.startsWith("month") ? [two, one] : [one, two];
  const time = hour ? `T${hour.padStart(2, "0")}:${minute}:${second}` : "";
  return `${year}-${month.padStart(2, "0")}-${day.padStart(2, "0")}${time}`;
}
