/** A CSV file as a table of text, with the line on which each row begins. */

import papa from "papaparse";

export interface Table {
  delimiter: string;
  header: string[];
  rows: string[][];
  /** Of each row, from 1. */
  lines: number[];
}

const DELIMITERS = [",", ";", "\t", "|"];
const MOST_BYTES = 20 << 20;

export interface Limit {
  rows: number;
  /** What to do with a larger file. */
  remedy: string;
}

/** More rows are for a batch prediction: each hundred are a request. */
export const TO_PREDICT: Limit = {
  rows: 20_000,
  remedy: "Ask for more with mlops score, or with a batch prediction.",
};
/** What a page can hold. */
export const TO_DESCRIBE: Limit = { rows: 200_000, remedy: "Describe a larger one with mlops data describe." };

/** Read a file in UTF-8, whose first line has the names of the columns. Throws an Error that says what is wrong. */
export async function readTable(file: Blob, limit: Limit): Promise<Table> {
  if (file.size > MOST_BYTES) throw new Error(`The file has more than ${MOST_BYTES >> 20} MB. ${limit.remedy}`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw new Error("This is not UTF-8 text. Save it as CSV (UTF-8).");
  }
  return tableOf(text, limit);
}

export function tableOf(text: string, limit: Limit): Table {
  const first = text.slice(0, text.search(/[\r\n]|$/));
  const count = (mark: string) => first.split(mark).length;
  const delimiter = DELIMITERS.reduce((best, mark) => (count(mark) > count(best) ? mark : best));
  const records = recordsOf(text, delimiter);
  const [head, ...body] = records;
  if (!head || !body.length)
    throw new Error("The file has no rows. It needs a line with the names of the columns, and lines with rows.");
  if (body.length > limit.rows)
    throw new Error(
      `The file has ${body.length.toLocaleString("en")} rows, and at most ${limit.rows} fit. ${limit.remedy}`,
    );
  const header = head.cells;
  const twice = header.find((name, place) => name && header.indexOf(name) < place);
  if (twice !== undefined)
    throw new Error(`Line ${head.line}: the column ${twice} is there twice. Rename or remove one of them.`);
  const ragged = body.find(({ cells }) => cells.length !== header.length);
  if (ragged)
    throw new Error(
      `Line ${ragged.line} has ${ragged.cells.length} cells, and the header has ${header.length}. ` +
        `Put quotation marks around cells that hold "${delimiter}".`,
    );
  return { delimiter, header, rows: body.map(({ cells }) => cells), lines: body.map(({ line }) => line) };
}

interface CsvRecord {
  line: number;
  cells: string[];
}

/** The records that are not empty. */
function recordsOf(text: string, delimiter: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  let [line, read, wrong] = [1, 0, ""];
  papa.parse(text, {
    delimiter,
    step: ({ data, errors, meta }, parser) => {
      const cells = data.map((cell) => cell.trim());
      if (errors[0]) {
        wrong = `Line ${line}: ${errors[0].message}. Is a quotation mark missing, or one too many?`;
        parser.abort();
        return;
      }
      if (cells.some(Boolean)) records.push({ line, cells });
      line += breaksIn(text.slice(read, meta.cursor));
      read = meta.cursor;
    },
  });
  if (wrong) throw new Error(wrong);
  return records;
}

const breaksIn = (text: string): number => text.match(/\r\n|\r|\n/g)?.length ?? 0;

/** The table with more columns, as the text of a file. */
export const withColumns = ({ delimiter, header, rows }: Table, names: string[], more: unknown[][]): string =>
  papa.unparse(
    { fields: [...header, ...names], data: rows.map((row, place) => [...row, ...(more[place] ?? [])]) },
    { delimiter, newline: "\r\n" },
  );
