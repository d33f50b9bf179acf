import { render } from "preact";
import { expect, it } from "vitest";
import type { SweepList, SweepState } from "../src/schema";
import { Parallel } from "../src/views/parallel";
import { axisOf, differing, type Run, scoreOf } from "../src/views/sweep-rows";
import { withNewest } from "../src/views/sweeps";

const run = (job_id: string, params: Run["params"], accuracy?: number): Run => ({
  job_id,
  status: "completed",
  params,
  metrics: accuracy === undefined ? {} : { val_accuracy: accuracy },
});
const SWEEP: Pick<SweepState, "objective" | "unranked"> = {
  objective: { name: "val_accuracy", direction: "maximise" },
  unranked: { job_4: "pruned" },
};

it("hyperparameters that differ are shown, the seed only if there are no others", () => {
  expect(differing([run("a", { epochs: 1, rate: 0.1, seed: 1 }), run("b", { epochs: 1, rate: 0.2, seed: 2 })])).toEqual(
    ["rate"],
  );
  expect(differing([run("a", { seed: 1 }), run("b", { seed: 2 })])).toEqual(["seed"]);
  expect(differing([run("a", { depth: null }), run("b", { depth: 3 })])).toEqual(["depth"]);
  expect(differing([run("a", { depth: 3 })])).toEqual([]);
  // The second one has not begun.
  expect(differing([run("a", { rate: 0.1, epochs: 3 }), run("b", { rate: 0.2 })])).toEqual(["rate"]);
});

it("a run that has no rank has no score", () => {
  expect(scoreOf(run("job_1", {}, 0.9), SWEEP)).toBe(0.9);
  expect(scoreOf(run("job_4", {}, 0.9), SWEEP)).toBeUndefined();
  expect(scoreOf(run("job_1", {}), SWEEP)).toBeUndefined();
});

it.each([
  [[1, 2, 3], 2, 0.5, [1, 3]],
  [[0.001, 0.01, 0.1], 0.01, 0.5, [0.001, 0.1]],
  [[-1, 99], 49, 0.5, [-1, 99]],
  [["relu", "gelu", "tanh"], "relu", 0.5, ["gelu", "relu", "tanh"]],
  [[7], 7, 0.5, [7]],
  [[1, undefined, 3], undefined, undefined, [1, 3]],
])("of %j, %j is at %j", (values, value, place, marks) => {
  const axis = axisOf("a", values);
  const found = axis.place(value);
  if (place === undefined) expect(found).toBeUndefined();
  else expect(found).toBeCloseTo(place);
  expect(axis.marks).toEqual(marks);
});

it("the picture has a line for each run, the best or the chosen one on top, and says that the table has the same", () => {
  const runs = [run("job_1", { rate: 0.2 }, 0.9), run("job_2", { rate: 0.1 }, 0.8), run("job_3", {}, 0.7)];
  const shown = (marked: string | undefined) => {
    const place = document.createElement("div");
    render(<Parallel sweep={SWEEP} runs={runs} names={["rate"]} marked={marked} />, place);
    return place;
  };
  const lines = [...shown(undefined).querySelectorAll("polyline")];
  expect(lines.map((line) => line.dataset.job)).toEqual(["job_3", "job_2", "job_1"]);
  expect(lines.map((line) => line.getAttribute("points"))).toEqual(["225,220", "75,220 225,130", "75,40 225,40"]);
  expect(shown("job_2").querySelector(".out")?.getAttribute("data-job")).toBe("job_2");
  expect(shown(undefined).querySelector("svg")?.getAttribute("aria-label")).toBe(
    "3 runs as lines across rate, val accuracy. The table has the same values.",
  );
});

it("older sweeps that were read stay when the newest page is read again, unless that would leave a gap", () => {
  const list = (ids: number[], next_cursor: string | null): SweepList => ({
    sweeps: ids.map((id) => ({ sweep_id: `sweep_${id}` }) as SweepState),
    total_count: 9,
    next_cursor,
  });
  const ids = ({ sweeps }: SweepList) => sweeps.map(({ sweep_id }) => Number(sweep_id.slice(6)));
  expect(ids(withNewest(undefined, list([5, 4], "b")))).toEqual([5, 4]);
  const kept = withNewest(list([5, 4, 3, 2], "d"), list([6, 5], "b"));
  expect([ids(kept), kept.next_cursor]).toEqual([[6, 5, 4, 3, 2], "d"]);
  const anew = withNewest(list([3, 2], "d"), list([9, 8], "b"));
  expect([ids(anew), anew.next_cursor]).toEqual([[9, 8], "b"]);
});
