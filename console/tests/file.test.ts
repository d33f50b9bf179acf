import { expect, it } from "vitest";
import { ApiError } from "../src/http";
import { readerOf } from "../src/predicting/file/cells";
import { tableOf as read, readTable, TO_PREDICT, withColumns } from "../src/predicting/file/csv";
import { listed, placeOf, refusal, rowsOf, unknownColumns } from "../src/predicting/file/file-rows";
import type { ContractColumn } from "../src/schema";
import { column } from "./contract-column";
import cases from "./csv-cells.json";

const tableOf = (text: string) => read(text, TO_PREDICT);
const COLUMNS = [column("income", "double"), column("age", "long", { proved: ["null"] }), column("member", "boolean")];

// tests/unit/client/test_csv_cells.py asks the client's reader the same.
it.each(cases as [ContractColumn["type"], string | null, string, unknown][])("a %s in the form %s: %s", (...asked) => {
  const [type, form, cell, value] = asked;
  // Beyond a double, which JSON does not have: what the API would refuse.
  expect(readerOf({ type, form })(cell)).toEqual(value === "inf" ? cell : value);
});

it.each([",", ";", "\t", "|"])("a file with %s between its cells is read with the lines of its rows", (mark) => {
  const text = ["age,job", '41,"a', 'b"', "", "7,x", " , ", "8,y"].join("\n").replaceAll(",", mark);
  const table = tableOf(text);
  expect(table).toEqual({
    delimiter: mark,
    header: ["age", "job"],
    rows: [
      ["41", "a\nb"],
      ["7", "x"],
      ["8", "y"],
    ],
    lines: [2, 5, 7],
  });
});

it("lines are counted with every end of a line", () => {
  expect(tableOf("a,b\r\n1,2\r\n\r\n3,4\r\n").lines).toEqual([2, 4]);
  expect(tableOf("a\n1\n2").lines).toEqual([2, 3]);
});

it.each([
  ["", "The file has no rows"],
  ["a,b\n", "The file has no rows"],
  ["a,a\n1,2", "Line 1: the column a is there twice"],
  ["a,b\n1,2\n3\n", "Line 3 has 1 cells, and the header has 2"],
  ['a,b\n1,2\n"3,4\n', "Line 3: "],
  ['a,b\n1,"2" x\n3,4\n', "Line 2: "],
  [`a\n${"1\n".repeat(20_001)}`, "The file has 20,001 rows, and at most 20000 fit"],
])("what is wrong with a file is said: %j", (text, message) => {
  expect(() => tableOf(text)).toThrow(message);
});

it("a file is UTF-8, with or without its mark", async () => {
  expect((await readTable(new Blob(["\ufeffname\ngröße"]), TO_PREDICT)).header).toEqual(["name"]);
  await expect(readTable(new Blob([Uint8Array.from([110, 10, 0xf6])]), TO_PREDICT)).rejects.toThrow(
    "Save it as CSV (UTF-8)",
  );
});

it("rows have the values that the contract says, and ids", () => {
  const table = tableOf("id,income,age,member,leaves\n7,1.5,,true,yes\n");
  expect(unknownColumns(table, COLUMNS)).toEqual(["leaves"]);
  expect(rowsOf(table, COLUMNS, ["leaves"])).toEqual([{ id: "7", income: 1.5, age: null, member: true }]);
});

it("what the model does not take is said with line and column, before anything is sent", () => {
  const table = tableOf("income,age,member\n1.5,1,true\na lot,2,yes\n,3,false\n");
  expect(() => rowsOf(table, COLUMNS, [])).toThrow(
    [
      'Line 3, column income: "a lot" is not a number. An empty cell is a missing value.',
      'Line 3, column member: "yes" is not true or false. An empty cell is a missing value.',
      "Line 4, column income: it is empty, and the model needs a value.",
    ].join("\n"),
  );
  const comma = [column("income", "double", { form: "decimal comma" })];
  expect(() => rowsOf(tableOf("income;\n1.5;"), comma, [])).toThrow("the files of this model have decimal comma");
  expect(() => rowsOf(tableOf("income,leaves\n1,2"), COLUMNS, [])).toThrow("the model does not have leaves");
  expect(() => rowsOf(tableOf("prediction\n1"), COLUMNS, [])).toThrow("Rename it");
});

it("what the API says about a row is said about its line", () => {
  const table = tableOf("age\n1\n\n2\n3\n");
  const error = new ApiError(422, {}, { errors: [{ field: "rows.1.age", message: "must be less" }] });
  expect(refusal(error, table, 1)).toBe("Line 5, column age: must be less");
  expect(refusal(new ApiError(0, { detail: "away" }), table, 1)).toBe("away");
  expect(placeOf("rows.0.a.b: new", table, 0)).toBe("Line 2, column a.b: new");
  expect(placeOf("of all rows", table, 0)).toBe("of all rows");
  expect(listed(["a", "b", "a", "c", "d", "e", "f"])).toBe("a\nb\nc\nd\ne\nAnd 1 more.");
});

it("answers are written beside the cells as the file has them", () => {
  const table = tableOf('job;age\n"a;b";41\nc;7\n');
  expect(
    withColumns(
      table,
      ["prediction", "confidence"],
      [
        ["yes", 0.5],
        ["no", 0.75],
      ],
    ),
  ).toBe('job;age;prediction;confidence\r\n"a;b";41;yes;0.5\r\nc;7;no;0.75');
});
