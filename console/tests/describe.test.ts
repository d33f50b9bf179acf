import { expect, it } from "vitest";
import { type ColumnFound, described, proposals, usualTarget } from "../src/data/describe";
import { valuesOf } from "../src/data/described-file";
import { TO_DESCRIBE, tableOf } from "../src/predicting/file/csv";
import { lastPart } from "../src/views/data";
import cases from "./described-tables.json";

interface Case {
  what: string;
  header: string;
  row: string[];
  rows?: number;
  delimiter?: string;
  columns?: Record<string, string>;
  left_out?: Record<string, string>;
  task?: string;
  classes?: number;
  refused?: string;
  line?: number;
}

const describe = (text: string) => described(tableOf(text, TO_DESCRIBE));

/** The file of a case: tests/unit/client/test_described_tables.py writes the same. */
function fileOf({ header, row, rows = 60, delimiter = "," }: Case): string {
  const lines = Array.from({ length: rows }, (_, i) => {
    const values: Record<string, string> = {
      i: String(i + 1),
      i3: String(Math.floor(i / 3)),
      m9: String((i % 9) + 1),
      d: String((i % 28) + 1).padStart(2, "0"),
      yn: i % 2 ? "Yes" : "no",
      pq: i % 3 ? "p" : "q",
      abc: "abc"[i % 3] as string,
      u: `text ${i}`,
      na: i % 5 ? `${i}.5` : "NA",
      land: i % 5 ? "DE" : "NA",
      oops: i === 7 ? "oops" : String(i % 9),
      feb: i === 7 ? "2026-02-30" : "2026-02-20",
    };
    return row.map((cell) => cell.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "")).join(delimiter);
  });
  return [header, ...lines, ""].join("\n");
}

it.each(cases as unknown as Case[])("a table is described as training reads it: $what", (each) => {
  const columns = describe(fileOf(each));
  const target = usualTarget(columns) as ColumnFound;
  if (each.refused) {
    const problems = columns.flatMap(({ problem }) => problem ?? []);
    const said = problems[0] ?? target.target.what;
    expect(said).toContain(each.refused);
    if (each.line) expect(said).toContain(`Line ${each.line}:`);
    return;
  }
  const inputs = columns.filter((column) => column !== target);
  expect(columns.flatMap(({ problem }) => problem ?? [])).toEqual([]);
  const used = inputs.filter(({ leftOut }) => leftOut === null);
  expect(Object.fromEntries(used.map(({ name, kind }) => [name, kind]))).toEqual(each.columns);
  const left = inputs.filter(({ leftOut }) => leftOut !== null);
  expect(left.map(({ name }) => name)).toEqual(Object.keys(each.left_out ?? {}));
  for (const { name, leftOut } of left) expect(leftOut).toContain(each.left_out?.[name]);
  expect(target.target.task).toBe(each.task);
  if (each.classes) expect(target.target.what).toBe(`${each.classes} classes`);
});

it("missing cells and values are counted, rare ones together", () => {
  const rows = Array.from({ length: 20 }, (_, i) => `${i < 5 ? "" : i},${i < 17 ? "a" : `r${i}`},${i % 2}`);
  const [age, job] = describe(["age,job,label", ...rows].join("\n")) as [ColumnFound, ColumnFound, ColumnFound];
  expect(age.missing).toBe(0.25);
  expect(valuesOf(age, 5)).toBe("5 to 19, median 12");
  expect(valuesOf(job, 5)).toBe("4 values: a (17); rare values in 3 rows");
});

it("the columns that can be predicted are proposed, those with a usual name first, then the last one", () => {
  const rows = Array.from({ length: 12 }, (_, i) => `${i},${i % 2 ? "x" : "z"},${i % 3 ? "p" : "q"}`);
  const names = (header: string) => proposals(describe([header, ...rows].join("\n"))).map(({ name }) => name);
  expect(names("id,color,leaves")).toEqual(["leaves", "color"]);
  expect(names("id,Label,leaves")).toEqual(["Label", "leaves"]);
  expect(usualTarget(describe(["id,label,y", ...rows].join("\n")))).toBeUndefined();
});

it("of a data set's address the end is shown", () => {
  const names = ["digits", "s3://bucket/datasets/a.csv", "s3://bucket/parts/"];
  expect(names.map(lastPart)).toEqual(["digits", "a.csv", "parts/"]);
});
