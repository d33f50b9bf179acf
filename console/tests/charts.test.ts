import { expect, it } from "vitest";
import { align, barPlaces, curve, WHOLE_STEPS } from "../src/charts/data";
import { histogramsOf } from "../src/views/drift-columns";
import { linesOf } from "../src/views/drift-over-time";

it("puts lines on one axis: a gap stays a gap, and a missing point is none", () => {
  const { xs, columns } = align([
    {
      name: "a",
      points: [
        [0, 1],
        [2, null],
        [3, 4],
      ],
    },
    {
      name: "b",
      points: [
        [3, 5],
        [1, 2],
      ],
    },
  ]);
  expect(xs).toEqual([0, 1, 2, 3]);
  expect(columns).toEqual([
    [1, undefined, null, 4],
    [undefined, 2, undefined, 5],
  ]);
});

it("orders a curve by epoch, and counts where there is none", () => {
  const history = [
    { step: 2, value: 0.2 },
    { step: 1, value: 0.1 },
  ];
  expect(curve(history)).toEqual([
    [1, 0.1],
    [2, 0.2],
  ]);
  expect(curve([{ value: 5 }, { step: null, value: 6 }])).toEqual([
    [1, 5],
    [2, 6],
  ]);
  expect(curve(undefined)).toEqual([]);
});

it.each([1, 2, 3, 5])("puts the bars of %i series beside each other, around their group", (series) => {
  const places = Array.from({ length: series }, (_, index) => barPlaces(2, series, index));
  const [first] = places;
  const last = places.at(-1);
  if (!first || !last) throw new Error("no bars");
  for (let index = 1; index < series; index += 1) {
    expect(places[index]?.lefts[0]).toBeCloseTo((places[index - 1]?.lefts[0] ?? 0) + first.width);
  }
  for (const group of [0, 1]) {
    const [left, right] = [first.lefts[group] ?? 0, (last.lefts[group] ?? 0) + last.width];
    expect((left + right) / 2).toBeCloseTo(group);
    expect(right - left).toBeLessThanOrEqual(0.8 + 1e-9);
  }
});

it("has ticks at whole numbers only, in order", () => {
  expect(WHOLE_STEPS.slice(0, 5)).toEqual([1, 2, 5, 10, 20]);
});

it("has a line for each signal, with gaps where a point has no verdict", () => {
  const signal = (name: string, psi: number) => ({
    signal: name,
    psi,
    p_value: 1,
    significant: false,
    status: "stable",
  });
  const point = { start: "", end: "", samples: 0, status: "stable", psi: null, signal: null, note: null };
  const points = [
    { ...point, signals: [signal("ink_share", 0.1), signal("confidence", 0.2)] },
    { ...point, signals: [] },
    { ...point, signals: [signal("confidence", 0.3)] },
  ];
  expect(linesOf(points as Parameters<typeof linesOf>[0])).toEqual([
    {
      name: "ink share",
      points: [
        [0, 0.1],
        [1, null],
        [2, null],
      ],
    },
    {
      name: "confidence",
      points: [
        [0, 0.2],
        [1, null],
        [2, 0.3],
      ],
    },
  ]);
});

it("shows both histograms of a column as shares, without bins that are empty in both", () => {
  const column = {
    bins: ["missing", "nurse", "baker", "other", "unseen"],
    counts: [0, 90, 0, 0, 10],
    reference_counts: [0, 150, 50, 0, 0],
  } as Parameters<typeof histogramsOf>[0];
  expect(histogramsOf(column)).toEqual({
    groups: ["nurse", "baker", "unseen"],
    series: [
      { name: "current", values: [0.9, 0, 0.1] },
      { name: "training data", values: [0.75, 0.25, 0] },
    ],
  });
});
