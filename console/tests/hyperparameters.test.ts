import { expect, it } from "vitest";
import { parsed } from "../src/views/hyperparameters";

it("what is typed is sent as the value that it means", () => {
  expect(["31", "0.5", "1e-3", "true", "false", "l2", "sqrt"].map(parsed)).toEqual([
    31,
    0.5,
    0.001,
    true,
    false,
    "l2",
    "sqrt",
  ]);
});
