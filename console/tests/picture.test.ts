import { expect, it } from "vitest";
import { inkOf } from "../src/drawing/picture";

/** A picture of three by three pixels with one in the middle. */
function picture(ground: number[], middle: number[]): Uint8ClampedArray {
  return Uint8ClampedArray.from(Array.from({ length: 9 }, (_, index) => (index === 4 ? middle : ground)).flat());
}

const ONLY_THE_MIDDLE = [0, 0, 0, 0, 255, 0, 0, 0, 0];

it.each([
  ["white on black", [0, 0, 0, 255], [255, 255, 255, 255]],
  ["black on white", [255, 255, 255, 255], [0, 0, 0, 255]],
  ["grey on grey paper", [200, 200, 200, 255], [90, 90, 90, 255]],
  ["blue on yellow", [255, 230, 120, 255], [20, 20, 160, 255]],
  ["any colour on nothing", [0, 0, 0, 0], [10, 10, 10, 255]],
])("ink of %s", (_, ground, middle) => {
  expect([...inkOf(picture(ground, middle), 3)]).toEqual(ONLY_THE_MIDDLE);
});
