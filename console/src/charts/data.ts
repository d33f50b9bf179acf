/** What charts draw, without drawing: lines on one axis, and where bars are. */

export interface Line {
  name: string;
  /** Pairs of x and y; a y of null is a gap in the line. */
  points: [x: number, y: number | null][];
}

/** All lines on the x of any of them; undefined where a line has no point, which is not a gap. */
export interface Aligned {
  xs: number[];
  columns: (number | null | undefined)[][];
}

export function align(lines: Line[]): Aligned {
  const xs = [...new Set(lines.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b);
  const columns = lines.map(({ points }) => {
    const values = new Map(points);
    return xs.map((x) => values.get(x));
  });
  return { xs, columns };
}

/** Each metric's points by epoch, in order. */
export const curve = (history: { step?: number | null; value: number }[] = []): [number, number][] =>
  history.map((point, index): [number, number] => [point.step ?? index + 1, point.value]).sort((a, b) => a[0] - b[0]);

/** Share of the room of a group of bars that the bars fill. */
const FILLED = 0.8;
const WIDEST = 0.25;

/** The left edges of one series' bars and their width, where groups are one apart. */
export function barPlaces(groups: number, series: number, index: number): { lefts: number[]; width: number } {
  const width = Math.min(WIDEST, FILLED / series);
  const offset = (index - series / 2) * width;
  return { lefts: Array.from({ length: groups }, (_, group) => group + offset), width };
}

/** Steps between the ticks of an axis of whole numbers, from which a chart chooses by its room. */
export const WHOLE_STEPS = [1, 2, 5]
  .flatMap((digit) => [0, 1, 2, 3, 4].map((power) => digit * 10 ** power))
  .sort((a, b) => a - b);
