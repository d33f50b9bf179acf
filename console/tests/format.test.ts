import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  ago,
  dollars,
  duration,
  epochsText,
  number,
  objectiveHeading,
  objectiveText,
  percent,
  secondsBetween,
} from "../src/format";

const NOW = Date.parse("2026-01-02T00:00:00Z");
beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("numbers", () => {
  it.each([
    [12345, "12,345"],
    ["0.0030", "0.003"],
    [0.123456, "0.1235"],
    [0.00001234, "1.23e-5"],
    [-1234567.5, "-1.23e+6"],
    ["relu", "relu"],
    [Number.NaN, "NaN"],
    [0, "0"],
    [null, ""],
    [undefined, ""],
    ["", ""],
  ])("%s is shown as %s", (value, shown) => {
    expect(number(value)).toBe(shown);
  });

  it("shows a share of zero, and nothing for a missing one", () => {
    expect(percent(0)).toBe("0.0 %");
    expect(percent(0.98765, 2)).toBe("98.77 %");
    expect(percent(null)).toBe("");
  });

  it("does not round a small cost to nothing", () => {
    expect([dollars(0), dollars(0.004), dollars(1.005)]).toEqual(["$0.00", "less than a cent", "$1.00"]);
  });
});

describe("times", () => {
  it.each([
    ["2026-01-02T00:00:00Z", "just now"],
    ["2026-01-01T23:59:30Z", "30 s ago"],
    ["2026-01-01T23:30:00Z", "30 min ago"],
    ["2026-01-01T12:00:00Z", "12 h ago"],
    ["2025-12-30T00:00:00Z", "3 d ago"],
  ])("%s was %s", (moment, shown) => {
    expect(ago(moment)).toBe(shown);
  });

  it("counts what still runs up to now, and no time below zero", () => {
    expect(secondsBetween("2026-01-01T23:59:00Z", null)).toBe(60);
    expect(secondsBetween("2026-01-03T00:00:00Z", null)).toBe(0);
    expect([duration(119), duration(120)]).toEqual(["119 s", "2 min"]);
    const hours = [3540, 3600, 7500, 86_400, 100_000].map(duration);
    expect(hours).toEqual(["59 min", "1 h", "2 h 5 min", "1 d", "1 d 4 h"]);
  });
});

it("shows a run by its own objective, and by that of the last epoch until it has ended", () => {
  const rmse = { name: "rmse", direction: "minimise" };
  expect(objectiveText({ metrics: { val_accuracy: 0.5 } })).toBe("50.00 %");
  expect(objectiveText({ metrics: { val_accuracy: 0.5, accuracy: 0 } })).toBe("0.00 %");
  expect(objectiveText({ metrics: { accuracy: 0.5, rmse: 3.25 }, objective: rmse })).toBe("3.25");
  expect(objectiveText({ metrics: { rmse: 3.25 }, objective: rmse }, "Objective")).toBe("rmse 3.25");
  expect(objectiveText({ metrics: { accuracy: 0.5 }, objective: rmse })).toBe("");
  expect(objectiveHeading([{ objective: rmse }, { objective: rmse }])).toBe("Rmse");
  expect(objectiveHeading([{ objective: rmse }, {}])).toBe("Objective");
});

describe("epochsText", () => {
  it("says how many there are only if it is known", () => {
    expect(epochsText(3, 10)).toBe("3/10");
    expect(epochsText(0, 10)).toBe("0/10");
    expect(epochsText(3, 0)).toBe("3/?");
    expect(epochsText(0, 0)).toBe("");
  });
});
