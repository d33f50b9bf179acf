import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { matching } from "../src/palette";
import { linkTo } from "../src/routing";
import type { Job } from "../src/schema";
import { mentions, merged, unsettled } from "../src/views/job-list";
import { needs } from "../src/views/needs";
import { spaceFrom } from "../src/views/new-run";
import { liveOf, rangeText } from "../src/views/performance";
import { phaseName } from "../src/views/rollout-card";
import { stepsFrom } from "../src/views/rollout-dialog";
import { fits, nextSort, sorted } from "../src/views/run-rows";

const NOW = "2026-01-02T00:00:00Z";
beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse(NOW) });
});
afterEach(() => {
  vi.useRealTimers();
});

const job = (number: number, status: Job["status"] = "completed"): Job => ({
  job_id: `job_${number}`,
  status,
  created_at: `2026-01-01T00:00:0${number}Z`,
  experiment_name: "digits",
  metrics: {},
  params: { model_type: "mlp" },
  progress: { epoch: 1, epochs: 2 },
});
const STABLE = { status: "stable", what: "" } as const;
const ids = (jobs: Job[]): number[] => jobs.map(({ job_id }) => Number(job_id.slice(4)));

it("a newer page takes the place of what was known, and what was read before stays", () => {
  const known = [job(3, "running"), job(2), job(1)];
  const now = merged(known, [job(4), job(3)], true);
  expect(ids(now)).toEqual([4, 3, 2, 1]);
  expect(now[1]?.status).toBe("completed");
  expect(ids(merged(known, [job(0)], false))).toEqual([3, 2, 1, 0]);
});

it("when more jobs have started than a page has, there is no gap in the list", () => {
  expect(ids(merged([job(2), job(1)], [job(9), job(8)], true))).toEqual([9, 8]);
});

it("older jobs that still run are looked at again", () => {
  const known = [job(4), job(3, "running"), job(2, "pending"), job(1, "running")];
  expect(ids(unsettled(known, [job(4), job(3)], 1))).toEqual([2]);
});

it("a job is found by each word of its names and its error", () => {
  const failed = { ...job(1, "failed"), error: "There is no such object" };
  expect([mentions(failed, "no object DIGITS"), mentions(failed, "mlp"), mentions(failed, "churn")]).toEqual([
    true,
    true,
    false,
  ]);
});

const run = (name: string, metrics: Record<string, number>, params: Record<string, string> = {}) => ({
  run_id: name,
  run_name: name,
  status: "finished" as const,
  metrics,
  params,
});

it.each([
  ["metrics.f1 > 0.9", true],
  ["f1 >= 0.95 and params.epochs < 9", true],
  ["f1 > 0.9, epochs = 5", true],
  ["f1 != 0.95", false],
  ["params.f1 > 0", false],
  ["params.model_type = 'mlp'", true],
  ["rmse < 100", false],
  ["best", true],
  ["worst", false],
  ["", true],
])("a run that has f1 0.95 and 5 epochs fits %j: %s", (filter, kept) => {
  expect(fits(run("the best", { f1: 0.95 }, { epochs: "5", model_type: "mlp" }), filter)).toBe(kept);
});

it("sorts by a metric or a parameter; runs without it come last", () => {
  const runs = [run("a", { f1: 1 }), run("b", {}), run("c", { f1: 3 }), run("d", {}, { f1: "2" })];
  expect(sorted(runs, "f1").map(({ run_id }) => run_id)).toEqual(["a", "d", "c", "b"]);
  expect(sorted(runs, "-f1").map(({ run_id }) => run_id)).toEqual(["c", "d", "a", "b"]);
  expect(sorted(runs, "")).toEqual(runs);
  expect([nextSort("", "f1"), nextSort("-f1", "f1"), nextSort("f1", "f1")]).toEqual(["-f1", "f1", ""]);
});

it("what needs somebody is drift, approvals, rollouts and jobs that have just failed", () => {
  const models = [
    { name: "churn", awaiting_approval: 2 },
    { name: "digits", awaiting_approval: 0 },
    { name: "d", awaiting_approval: 1 },
  ];
  const failed = { ...job(1, "failed"), error: "no such file", completed_at: "2026-01-01T12:00:00Z" };
  const old = { ...job(2, "failed"), completed_at: "2025-12-31T00:00:00Z" };
  const rollout = { status: "running", version: 7 } as never;
  const found = needs(models, [failed, old, job(3)], {
    digits: { drift: { status: "alert", what: "income" }, rollout },
    a: { drift: STABLE, rollout: null },
    wine: { drift: { status: "warning", what: "" }, rollout: null },
    z: { drift: { status: "alert", what: "confidence" }, rollout: null },
    b: { drift: STABLE, rollout: { status: "baking", version: 2 } as never },
    c: { drift: STABLE, rollout: { status: "returning", version: 3 } as never },
    d: { drift: STABLE, rollout: { status: "awaiting_approval", version: 4 } as never },
  });
  expect(found.map(({ text }) => text)).toEqual([
    "digits drifts: income",
    "z drifts: confidence",
    "wine drifts",
    "churn: 2 versions wait for approval",
    "digits: the rollout of version 7 is running",
    "b: the rollout of version 2 is baking",
    "c: the rollout of version 3 is returning",
    "d: the rollout of version 4 is awaiting approval",
    "A run of digits has failed: no such file",
  ]);
  expect(needs([], [job(3)], {})).toEqual([]);
});

it("steps are read as the command line takes them", () => {
  expect(stepsFrom("5:30 25:60")).toEqual([
    { weight: 5, minutes: 30 },
    { weight: 25, minutes: 60 },
  ]);
  for (const wrong of ["", "5", "5:x", "5:1:2"]) expect(stepsFrom(wrong)).toContain("such as 5:30");
});

it("names the phases, of which the shadow is the first if there is one", () => {
  const plan = { steps: [{ weight: 5 }, { weight: 25 }], shadow_minutes: 30 } as never;
  expect([0, 1, 2].map((phase) => phaseName({ plan }, phase))).toEqual([
    "In the shadow",
    "Step 1 of 2, 5 %",
    "Step 2 of 2, 25 %",
  ]);
  const direct = { steps: [{ weight: 5 }], shadow_minutes: 0 } as never;
  expect(phaseName({ plan: direct }, 0)).toBe("Step 1 of 1, 5 %");
});

it("a figure has its range where that is known", () => {
  expect(rangeText("accuracy", { value: 0.93, low: 0.9, high: 0.95 })).toBe("90.00 % to 95.00 %");
  expect(rangeText("mae", { value: 2.5, low: null, high: null })).toBe("");
  expect(liveOf({ classification: null, regression: null })).toBeNull();
});

it("a space that is no JSON is said to be none", () => {
  expect(spaceFrom('{"C": [1, 2]}')).toEqual({ C: [1, 2] });
  expect(() => spaceFrom("C: 1")).toThrow("The space is not JSON");
});

it("the palette finds what has each word, and links leave out what is empty", () => {
  const places: [string, string][] = [
    ["#/a", "Model churn-eu"],
    ["#/b", "Experiment churn"],
  ];
  expect(matching(places, "CHURN model")).toEqual([places[0]]);
  expect(matching(places, "")).toEqual(places);
  expect(linkTo("jobs", { job: "j 1", search: undefined, status: "" })).toBe("#/jobs?job=j+1");
});
