/** What a model is sent of a drawing: 28 by 28 values from 0 to 1, framed as its training data was. */

export const SIDE = 28;
/** Less than this, of 255, is not ink. */
const FAINT = 32;

/**
 * - `mnist`: at most 20 by 20, with the centre of mass in the middle (LeCun et al.)
 * - `full`: as high as the picture and as coarse as the 8 by 8 digits of scikit-learn
 * - `drawn`: as it is
 */
export type FrameName = "mnist" | "full" | "drawn";

/** How much ink is where: 0 to 255 by row. */
export interface Ink {
  width: number;
  height: number;
  values: ArrayLike<number>;
}

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export function framed(ink: Ink, frame: FrameName): number[] {
  const box = bounds(ink);
  if (!box) return new Array<number>(SIDE * SIDE).fill(0);
  if (frame === "drawn") return averaged(ink, { x: 0, y: 0, width: ink.width, height: ink.height }, SIDE, SIDE, SIDE);
  const { width, height } = box;
  if (frame === "mnist") {
    const factor = 20 / Math.max(width, height);
    return centred(averaged(ink, box, SIDE, width * factor, height * factor));
  }
  // The data set's digits are all eight high and, except for upright ones, five to six wide.
  const natural = (8 * width) / height;
  const wide = natural < 3 ? natural : Math.min(6, Math.max(5.4, natural));
  return interpolated(brightened(averaged(ink, box, 8, wide, 8)), 8);
}

/** The smallest box around the ink; null where there is none. */
export function bounds({ width, height, values }: Ink): Box | null {
  let left = width;
  let top = height;
  let right = -1;
  let bottom = -1;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if ((values[y * width + x] ?? 0) < FAINT) continue;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      bottom = y;
    }
  }
  return right < 0 ? null : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

/** The box as width by height pixels in the middle of side by side, each the mean of the area that it covers. */
function averaged(ink: Ink, box: Box, side: number, width: number, height: number): number[] {
  const columns = overlaps(box.width, side, width);
  const rows = overlaps(box.height, side, height);
  // First along the rows, then down the columns: the mean over an area is separable.
  const narrow = new Float64Array(box.height * side);
  for (let y = 0; y < box.height; y += 1) {
    const start = (box.y + y) * ink.width + box.x;
    columns.forEach(({ first, weights }, column) => {
      let sum = 0;
      for (let at = 0; at < weights.length; at += 1) sum += (weights[at] ?? 0) * (ink.values[start + first + at] ?? 0);
      narrow[y * side + column] = sum;
    });
  }
  return rows.flatMap(({ first, weights }) =>
    columns.map((_, column) => {
      let sum = 0;
      for (let at = 0; at < weights.length; at += 1)
        sum += (weights[at] ?? 0) * (narrow[(first + at) * side + column] ?? 0);
      return rounded(sum / 255);
    }),
  );
}

/** For each of `side` pixels: the sources that it covers when `size` sources fill `length` pixels in the middle. */
function overlaps(size: number, side: number, length: number): { first: number; weights: number[] }[] {
  const scale = size / length;
  const start = (side - length) / 2;
  return Array.from({ length: side }, (_, pixel) => {
    const low = Math.max(0, (pixel - start) * scale);
    const high = Math.min(size, (pixel + 1 - start) * scale);
    const first = Math.floor(low);
    const count = high > low ? Math.ceil(high) - first : 0;
    const weights = Array.from({ length: count }, (_, index) => {
      const covered = Math.min(high, first + index + 1) - Math.max(low, first + index);
      return covered / scale;
    });
    return { first, weights };
  });
}

/** Moved by whole pixels so that the centre of mass is in the middle. */
function centred(values: number[]): number[] {
  let mass = 0;
  let x = 0;
  let y = 0;
  values.forEach((value, index) => {
    mass += value;
    x += value * (index % SIDE);
    y += value * Math.floor(index / SIDE);
  });
  if (!mass) return values;
  const right = Math.round((SIDE - 1) / 2 - x / mass);
  const down = Math.round((SIDE - 1) / 2 - y / mass);
  return values.map((_, index) => {
    const column = (index % SIDE) - right;
    const row = Math.floor(index / SIDE) - down;
    const inside = column >= 0 && row >= 0 && column < SIDE && row < SIDE;
    return inside ? (values[row * SIDE + column] ?? 0) : 0;
  });
}

/** The brightest value made 1: a pen thinner than a pixel is grey, where the data set's ink is white. */
function brightened(values: number[]): number[] {
  const most = Math.max(...values);
  return most ? values.map((value) => value / most) : values;
}

/** side by side values as 28 by 28, linearly between pixel centres, as the trainer's data set is made. */
function interpolated(values: number[], side: number): number[] {
  const places = Array.from({ length: SIDE }, (_, index): [number, number] => {
    const centre = Math.min(side - 1, Math.max(0, ((index + 0.5) * side) / SIDE - 0.5));
    const left = Math.min(Math.floor(centre), side - 2);
    return [left, centre - left];
  });
  const at = (row: number, column: number) => values[row * side + column] ?? 0;
  return places.flatMap(([row, down]) =>
    places.map(([column, right]) => {
      const top = at(row, column) * (1 - right) + at(row, column + 1) * right;
      const bottom = at(row + 1, column) * (1 - right) + at(row + 1, column + 1) * right;
      return rounded(top * (1 - down) + bottom * down);
    }),
  );
}

const rounded = (value: number) => Math.round(Math.min(1, Math.max(0, value)) * 1000) / 1000;
