import { describe, expect, it } from "vitest";
import { bounds, framed, type Ink, SIDE } from "../src/drawing/frames";

const SIZE = 336;

/** A pad with black rectangles: [x, y, width, height]. */
function drawing(...boxes: [number, number, number, number][]): Ink {
  const values = new Uint8ClampedArray(SIZE * SIZE);
  for (const [left, top, width, height] of boxes) {
    for (let y = top; y < top + height; y += 1) values.fill(255, y * SIZE + left, y * SIZE + left + width);
  }
  return { width: SIZE, height: SIZE, values };
}

const rows = (values: number[]) => Array.from({ length: SIDE }, (_, row) => values.slice(row * SIDE, (row + 1) * SIDE));
const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);

it("knows where the ink is, and that there is none", () => {
  expect(bounds(drawing([10, 20, 30, 40]))).toEqual({ x: 10, y: 20, width: 30, height: 40 });
  expect(bounds(drawing())).toBeNull();
  for (const frame of ["mnist", "full", "drawn"] as const) expect(framed(drawing(), frame)).toEqual(Array(784).fill(0));
});

describe("as drawn", () => {
  it("takes the mean of the area of each pixel", () => {
    // Twelve by twelve pixels of the pad are one pixel: the first is full, the next half, the third a quarter.
    const values = framed(drawing([0, 0, 18, 12], [24, 0, 6, 6]), "drawn");
    expect(values.slice(0, 4)).toEqual([1, 0.5, 0.25, 0]);
    expect(sum(values.slice(4))).toBe(0);
  });
});

describe("as MNIST", () => {
  it("fits into 20 by 20, wherever and however large it was drawn", () => {
    const small = framed(drawing([3, 5, 20, 40]), "mnist");
    const large = framed(drawing([100, 17, 140, 280]), "mnist");
    expect(small).toEqual(large);
    const inked = rows(small).filter((row) => sum(row) > 0);
    expect(inked).toHaveLength(20);
    expect(inked.every((row) => row.filter((value) => value === 1).length === 10)).toBe(true);
  });

  it("has its centre of mass in the middle", () => {
    // An L: most of its ink is at the left and below.
    const values = framed(drawing([60, 20, 40, 280], [60, 260, 200, 40]), "mnist");
    const mass = sum(values);
    const x = sum(values.map((value, index) => value * (index % SIDE))) / mass;
    const y = sum(values.map((value, index) => value * Math.floor(index / SIDE))) / mass;
    expect(Math.abs(x - 13.5)).toBeLessThanOrEqual(0.5);
    expect(Math.abs(y - 13.5)).toBeLessThanOrEqual(0.5);
  });
});

describe("as the digits of scikit-learn", () => {
  it("fills the height, is as bright as they are, and as wide", () => {
    const values = framed(drawing([100, 100, 90, 100]), "full");
    const lines = rows(values);
    expect(lines.every((line) => sum(line) > 0)).toBe(true);
    expect(Math.max(...values)).toBe(1);
    // Six of eight columns, that is 21 of 28, and smooth at the edges.
    expect(sum(lines[14] ?? [])).toBeCloseTo(21, 0);
  });

  it("leaves a one as thin as it is", () => {
    const line = rows(framed(drawing([160, 20, 14, 280]), "full"))[14] ?? [];
    expect(sum(line)).toBeLessThan(8);
    expect(Math.max(...line)).toBeGreaterThan(0.4);
  });
});
