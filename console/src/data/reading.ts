/**
 * How the cells of a column would be read for training: as numbers, booleans, datetimes or categories. The rules are those
 * of mlops_data/tables/inference.py, and tests of both read the same cases.
 */

import { isMissing, NUMBER, readerOf } from "../predicting/file/cells";

export type Kind = "number" | "whole number" | "boolean" | "datetime" | "category";

export interface Reading {
  kind: Kind;
  /** How the cells are written, as a contract says it; null is the usual way. */
  form: string | null;
  /** Its numbers increase by one from each row to the next. */
  countsRows: boolean;
  /** A sentence, if there was a choice. */
  note?: string;
  /** The place of the first cell that does not fit, and what is wrong with it: training refuses the table. */
  misfit?: { row: number; text: string };
}

const LARGEST = 3.4028234663852886e38;
/** Up to it, float32 has all whole numbers. */
export const LARGEST_WHOLE = 2 ** 24;
const PAIRS = [
  ["yes", "no"],
  ["true", "false"],
  ["t", "f"],
  ["y", "n"],
];
const TIME = "( [0-9]{1,2}:[0-9]{2}(:[0-9]{2})?)?";
const ISO =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?( ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?))?)?$/;
const DOTTED = new RegExp(`^[0-9]{1,2}\\.[0-9]{1,2}\\.[0-9]{4}${TIME}$`);
const SLASHED = new RegExp(`^([0-9]{1,2})/([0-9]{1,2})/[0-9]{4}${TIME}$`);
const ANY_DATE =
  /^([0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.]([0-9]{2}|[0-9]{4}))([ T].*)?$/;
const SEPARATED = /^[+-]?[0-9]+([.,' \u00a0\u202f][0-9]{3})+([.,][0-9]*)?$/;
const WITH_COMMA = /^[+-]?([0-9]+,[0-9]*|,[0-9]+)([eE][+-]?[0-9]+)?$/;
const PERHAPS_THOUSANDS = /^[+-]?[1-9][0-9]{0,2},[0-9]{3}$/;
const WITH_POINT = /^[+-]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/;
const LAST_MONTH = 12;
const OTHERWISE = "or set the column to category or ignore.";

interface Counts {
  present: number;
  numbers: number;
  whole: number;
  codes: number;
  /** Whole numbers that float32 does not have. */
  beyond: number;
  steady: boolean;
}

/** How each column is read, from all of its cells. */
export function readingsOf(columns: string[][]): Reading[] {
  const comma = hasDecimalCommas(columns);
  return columns.map((cells) => readingOf(cells, comma));
}

/** The number that a cell holds, as float32 takes it; undefined if it holds none. */
function numberIn(cell: string, comma: boolean): number | undefined {
  const text = comma ? (/[._]/.test(cell) ? "" : cell.replaceAll(",", ".")) : cell;
  const value = NUMBER.test(text) ? Number(text) : Number.NaN;
  return Math.abs(value) <= LARGEST ? value : undefined;
}

function counted(cells: string[], comma: boolean): Counts {
  const counts: Counts = { present: 0, numbers: 0, whole: 0, codes: 0, beyond: 0, steady: true };
  let offset: number | undefined;
  for (const [row, cell] of cells.entries()) {
    const value = numberIn(cell, comma);
    if (value === undefined) {
      if (cell && !isMissing(cell)) counts.present += 1;
      continue;
    }
    counts.present += 1;
    counts.numbers += 1;
    offset ??= value - row;
    if (value - row !== offset) counts.steady = false;
    if (!Number.isInteger(value) || /[.,eE]/.test(cell)) continue;
    counts.whole += 1;
    if (/^-?0./.test(cell)) counts.codes += 1;
    if (Math.abs(value) > LARGEST_WHOLE) counts.beyond += 1;
  }
  counts.steady &&= offset !== undefined && Number.isInteger(offset);
  return counts;
}

const isNumeric = ({ present, numbers, codes, whole }: Counts): boolean =>
  numbers > 0 && numbers === present && !(codes > 0 && whole === present);

/** Whether commas are decimal marks: not if they can be thousands separators, or if there are points. */
function hasDecimalCommas(columns: string[][]): boolean {
  let [commas, thousands, points] = [0, 0, 0];
  const many = (cells: string[], pattern: RegExp) => cells.filter((cell) => pattern.test(cell)).length;
  const counts = columns.map((cells) => counted(cells, false));
  for (const [place, cells] of columns.entries()) {
    const { present, numbers } = counts[place] as Counts;
    if (numbers === present) continue;
    const found = many(cells, WITH_COMMA);
    if (!found || found + numbers <= present / 2) continue;
    commas += found;
    thousands += many(cells, PERHAPS_THOUSANDS);
    points += many(cells, WITH_POINT);
  }
  const pointed = columns.some((cells, place) => isNumeric(counts[place] as Counts) && many(cells, WITH_POINT) > 0);
  return commas > thousands && !points && !pointed;
}

function readingOf(cells: string[], comma: boolean): Reading {
  const counts = counted(cells, comma);
  const { present, numbers, whole, beyond, steady } = counts;
  if (isNumeric(counts) || !present) {
    const kind = whole > 0 && whole === present ? "whole number" : "number";
    const reading: Reading = {
      kind,
      form: comma ? "decimal comma" : null,
      countsRows: steady && present > 1 && present === cells.length,
    };
    return kind === "whole number" && beyond && !reading.countsRows
      ? { ...reading, misfit: tooLarge(cells, comma) }
      : reading;
  }
  if (numbers === present) return category("codes such as 007 begin with a zero, so the column is read as categories");
  const there = cells.filter((cell) => cell && !isMissing(cell));
  if (PAIRS.some((pair) => there.every((cell) => pair.includes(cell.toLowerCase())))) return booleans(there);
  const dates = there.filter((cell) => ANY_DATE.test(cell)).length;
  if (dates > present / 2) return datetimes(cells, there);
  const separated = there.filter((cell) => SEPARATED.test(cell) && numberIn(cell, comma) === undefined).length;
  if (numbers > present / 2 || separated > present / 2) {
    const row = cells.findIndex((cell) => cell && !isMissing(cell) && numberIn(cell, comma) === undefined);
    const text = `${JSON.stringify(cells[row])} is not a number. Correct it, leave it empty if it is missing, ${OTHERWISE}`;
    return { ...category(), kind: "number", misfit: { row, text } };
  }
  return category();
}

const category = (note?: string): Reading => ({
  kind: "category",
  form: null,
  countsRows: false,
  ...(note ? { note } : {}),
});

function tooLarge(cells: string[], comma: boolean): { row: number; text: string } {
  const row = cells.findIndex((cell) => Math.abs(numberIn(cell, comma) ?? 0) > LARGEST_WHOLE);
  const text = `${cells[row]} is beyond ${LARGEST_WHOLE.toLocaleString("en")}, up to which float32 has all whole numbers. If it is an id or a code, set the column to category or ignore; if it may be rounded, to number.`;
  return { row, text };
}

function booleans(there: string[]): Reading {
  const pair = PAIRS.find((words) => words.includes((there[0] ?? "").toLowerCase()))?.join("/") ?? null;
  return { kind: "boolean", form: pair === "true/false" ? null : pair, countsRows: false };
}

function datetimes(cells: string[], there: string[]): Reading {
  const count = (pattern: RegExp) => there.filter((cell) => pattern.test(cell)).length;
  const [iso, dotted, slashed] = [count(ISO), count(DOTTED), count(SLASHED)];
  const reading: Reading = { kind: "datetime", form: null, countsRows: false };
  if (slashed <= Math.max(iso, dotted)) reading.form = iso >= dotted ? null : "day.month.year";
  else {
    const largest = (part: number) => Math.max(...there.map((cell) => Number(SLASHED.exec(cell)?.[part] ?? 0)));
    const [first, second] = [largest(1) > LAST_MONTH, largest(2) > LAST_MONTH];
    if (!first && !second) {
      const text = `1/2/2025 can be two days, and no day above ${LAST_MONTH} shows which. Write dates as 2025-12-31, ${OTHERWISE}`;
      return { ...reading, misfit: { row: cells.findIndex((cell) => SLASHED.test(cell)), text } };
    }
    reading.form = first ? "day/month/year" : "month/day/year";
    reading.note = `it has dates whose first number is the ${first ? "day" : "month"}`;
  }
  const read = momentOf(reading.form);
  const row = cells.findIndex((cell) => cell && !isMissing(cell) && read(cell) === null);
  if (row < 0) return reading;
  const text = `${JSON.stringify(cells[row])} is not a date that can be read in one way only. Write dates as 2025-12-31, ${OTHERWISE}`;
  return { ...reading, misfit: { row, text } };
}

/** The function that gives a cell's moment in milliseconds; null if it is no date, or one that does not exist. */
export function momentOf(form: string | null): (cell: string) => number | null {
  const [pattern, read] = [
    form === null ? ISO : form.includes(".") ? DOTTED : SLASHED,
    readerOf({ type: "datetime", form }),
  ];
  return (cell) => {
    if (!pattern.test(cell)) return null;
    const text = String(read(cell));
    const [day = "", time = ""] = text.split("T");
    const midnight = Date.parse(`${day}T00:00:00Z`);
    if (Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== day) return null;
    const moment = time ? Date.parse(/Z|[+-]\d\d:\d\d$/.test(time) ? text : `${text}Z`) : midnight;
    return Number.isNaN(moment) ? null : moment;
  };
}

/** The function that gives a cell's number; null if it has none. */
export const quantityOf = (form: string | null): ((cell: string) => number | null) => {
  return (cell) => numberIn(cell, form !== null) ?? null;
};
