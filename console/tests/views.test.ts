import { expect, it } from "vitest";
import { defaultFirst } from "../src/components/model-choice";
import { JOB_HOUR, secondsTrained, trainingCost } from "../src/cost";
import { newestOnly } from "../src/newest-only";
import { namedShares } from "../src/predicting/stage-answer";
import { distinctNames, ownMetrics } from "../src/views/leaderboard";
import { canMove } from "../src/views/lifecycle";
import { appendLines, readable } from "../src/views/log-lines";
import { isBest, shownCurves, shownMetrics } from "../src/views/side-by-side";

it("asks for one thing at a time, and next for the newest only", async () => {
  const asked: number[] = [];
  let answer = () => {};
  const ask = newestOnly(async (value: number) => {
    asked.push(value);
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
  });
  const first = ask(1);
  for (const value of [2, 3, 4]) void ask(value);
  expect(asked).toEqual([1]);
  answer();
  await Promise.resolve();
  await Promise.resolve();
  expect(asked).toEqual([1, 4]);
  answer();
  await first;
  expect(asked).toEqual([1, 4]);
});

it("marks every run that is as good as the best, and none where all are alike", () => {
  const values = { a: 1, b: 1, c: 2 };
  const metric = { name: "loss", kind: "summary", better: "lower", best: "a", differs: true, values } as const;
  expect(["a", "b", "c"].map((run) => isBest(metric, run))).toEqual([true, true, false]);
  expect(isBest({ ...metric, differs: false }, "a")).toBe(false);
  expect(isBest({ ...metric, best: null, values: { a: null, b: null } }, "a")).toBe(false);
});

it("shows the metrics that runs have logged themselves after the trainer's", () => {
  const metric = { better: null, best: null, differs: true, values: {} };
  const metrics = [
    { ...metric, name: "my metric", kind: "own" as const },
    { ...metric, name: "precision_0", kind: "class" as const },
    { ...metric, name: "loss", kind: "summary" as const },
    { ...metric, name: "accuracy", kind: "summary" as const },
  ];
  expect(shownMetrics({ metrics }).map(({ name }) => name)).toEqual(["accuracy", "loss", "my metric"]);
  const runs = [{ own_metrics: ["rmse"] }, { own_metrics: ["mae", "rmse"] }, { own_metrics: [] }];
  expect(ownMetrics(runs)).toEqual(["rmse", "mae"]);
});

it("draws a curve of each metric that has one", () => {
  const points = (count: number) => Array.from({ length: count }, (_, step) => ({ step, value: step, at: step }));
  const runs = [{ own_metrics: ["rmse", "once"], metric_history: { rmse: points(3), once: points(1) } }];
  expect(shownCurves(runs)).toEqual([["Rmse", "rmse"]]);
  const trained = { own_metrics: [], metric_history: { val_accuracy: points(2), val_loss: points(2) } };
  expect(shownCurves([trained]).map(([, name]) => name)).toEqual(["val_accuracy", "val_loss"]);
});

it("tells runs of the same name apart", () => {
  const runs = [
    { run_id: "0123456789", run_name: "same" },
    { run_id: "abcdefghij", run_name: "same" },
    { run_id: "zzzzzzzzzz", run_name: null },
  ];
  expect([...distinctNames(runs).values()]).toEqual(["same 01234567", "same abcdefgh", "zzzzzzzz"]);
});

it("names classes by their places only where the answer says that these are the labels", () => {
  expect(namedShares({ prediction: 1, probabilities: [0.2, 0.8] }).map(({ name }) => name)).toEqual(["0", "1"]);
  expect(namedShares({ prediction: "cat", probabilities: [0.2, 0.8] }).map(({ name }) => name)).toEqual(["#0", "cat"]);
  expect(namedShares({ prediction: "cat", probabilities: { dog: 0.2, cat: 0.8 } })).toEqual([
    { name: "dog", share: 0.2 },
    { name: "cat", share: 0.8 },
  ]);
  expect(namedShares({ prediction: 183250.4 })).toEqual([]);
});

it("shows a structured line of a log as words, and any other as it is", () => {
  const line = JSON.stringify({
    time: "2026-01-01T10:11:12Z",
    event: "epoch.done",
    epoch: 2,
    loss: 0.123456,
    elapsed: 1,
  });
  expect(readable(line)).toBe("10:11:12  epoch.done  epoch=2 loss=0.1235");
  for (const other of ["Traceback (most recent call last):", "5", '"text"', "null", '{"a": 1}']) {
    expect(readable(other)).toBe(other);
  }
});

it("keeps the newest 500 lines of a log", () => {
  const many = Array.from({ length: 600 }, (_, index) => ({ message: `line ${index}` }));
  const lines = appendLines(["before"], many);
  expect([lines.length, lines[0], lines.at(-1)]).toEqual([500, "line 100", "line 599"]);
  expect(appendLines(lines, [])).toBe(lines);
});

it("knows the moves of the lifecycle", () => {
  expect(canMove("Archived", "Production")).toBe(true);
  expect(canMove("Production", "Staging")).toBe(false);
});

it("has the model of a fresh installation first", () => {
  expect(defaultFirst(["a", "digit-classifier", "b"])).toEqual(["digit-classifier", "a", "b"]);
  expect(defaultFirst(["b", "a"])).toEqual(["b", "a"]);
});

it("counts what jobs cost by the time that they ran", () => {
  const hour = { started_at: "2026-01-01T00:00:00Z", completed_at: "2026-01-01T01:00:00Z" };
  const waiting = { started_at: null, completed_at: null };
  expect(secondsTrained([hour, hour, waiting])).toBe(7200);
  expect(trainingCost(7200)).toBeCloseTo(2 * JOB_HOUR);
});
