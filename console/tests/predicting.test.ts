import { expect, it } from "vitest";
import { codeOf, pythonOf, quoted } from "../src/predicting/code";
import { numbersIn } from "../src/predicting/numbers-form";
import { rowFrom, ruleOf, withCell } from "../src/predicting/rows";
import { largestParts } from "../src/predicting/stage-answer";
import type { ContractColumn } from "../src/schema";
import { column as columnOf } from "./contract-column";

const column = (type: ContractColumn["type"], more: Partial<ContractColumn> = {}) => columnOf("a", type, more);

it.each([
  ["double", "1.5", 1.5],
  ["long", "7", 7],
  ["double", "a lot", "a lot"],
  ["boolean", "true", true],
  ["boolean", "perhaps", "perhaps"],
  ["string", "7", "7"],
  ["datetime", "2026-01-31", "2026-01-31"],
] as const)("a %s that is typed as %s is sent as %s", (type, text, cell) => {
  expect(withCell({ b: 1 }, column(type), text)).toEqual({ b: 1, a: cell });
});

it("an empty field is null where the column takes that, else it is left out", () => {
  expect(withCell({ a: 1, b: 2 }, column("double", { proved: ["null"] }), "")).toEqual({ b: 2, a: null });
  expect(withCell({ a: 1, b: 2 }, column("double"), "")).toEqual({ b: 2 });
});

it("a row is read from JSON, also from the body of a request", () => {
  expect(rowFrom('{"age": 41, "job": null}')).toEqual({ age: 41, job: null });
  expect(rowFrom('{"row": {"age": 41}, "model_name": "churn"}')).toEqual({ age: 41 });
  expect(() => rowFrom("age: 41")).toThrow("This is not JSON");
  expect(() => rowFrom("[1]")).toThrow("one object");
  expect(() => rowFrom('{"age": [41]}')).toThrow("age is not one value");
});

it("says what may stand in a column", () => {
  expect(ruleOf(column("long", { low: 0, high: 9 }))).toBe("whole number, 0 to 9 in training");
  expect(ruleOf(column("string", { required: false }))).toBe("text, may be empty");
});

it("code has the row as each language writes it", () => {
  const row = { job: "captain's", age: null, member: true };
  const { curl, python, cli } = codeOf(row, "churn eu", "Staging");
  expect(curl).toContain(`-d '{"row":{"job":"captain'\\''s","age":null,"member":true},"model_name":"churn eu"}'`);
  expect(curl).toContain('"$MLOPS_API_URL/predict/staging"');
  expect(python).toContain(
    `row={"job": "captain's", "age": None, "member": True}, model_name="churn eu", staging=True`,
  );
  expect(cli).toMatch(/ --model 'churn eu' --staging$/);
  expect(quoted("churn-eu.2")).toBe("churn-eu.2");
  expect(pythonOf({})).toBe("{}");
});

it("numbers are read from a list or from lines, and are as many as the model takes", () => {
  expect(numbersIn("[1, 2.5,\n-3e1]", 3)).toEqual([1, 2.5, -30]);
  expect(numbersIn("1 2", 3)).toBe("The model takes 3 numbers, and these are 2.");
  expect(numbersIn("1 two", 2)).toBe("two is not a number.");
});

it("shows what adds most, and the others as one", () => {
  expect(largestParts({ a: 0.1, b: -3, c: 2 }, 3)).toEqual([
    ["b", -3],
    ["c", 2],
    ["a", 0.1],
  ]);
  expect(largestParts({ a: 1, b: -3, c: 2, d: 0.5 }, 3)).toEqual([
    ["b", -3],
    ["c", 2],
    ["2 other columns", 1.5],
  ]);
});
