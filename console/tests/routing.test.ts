import { expect, it } from "vitest";
import { path, query } from "../src/api";
import { readRoute } from "../src/routing";
import { nextTheme } from "../src/theme";

it.each([
  ["#/runs?experiment=a%20b", "runs", { experiment: "a b" }],
  ["#models?model=digits", "models", { model: "digits" }],
  ["", "start", {}],
  ["#/draw?model=a", "predict", { model: "a" }],
  ["#/unknown?job=1", undefined, { job: "1" }],
])("the address %s is the view %s", (hash, view, params) => {
  const route = readRoute(hash);
  expect([route.view, Object.fromEntries(route.params)]).toEqual([view, params]);
});

it("encodes each part of a path, and leaves out what is not given", () => {
  expect(path("models", "a/b c", 3)).toBe("models/a%2Fb%20c/3");
  expect(query({ limit: 0, status: "", cursor: null, name: "a&b" })).toBe("?limit=0&name=a%26b");
  expect(query({ cursor: undefined })).toBe("");
});

it("goes through all themes", () => {
  expect([nextTheme("system"), nextTheme("light"), nextTheme("dark")]).toEqual(["light", "dark", "system"]);
});
