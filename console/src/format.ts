/** Numbers and times for people. */

type Missing = null | undefined;

export const percent = (share: number | Missing, digits = 1): string =>
  share === null || share === undefined ? "" : `${(share * 100).toFixed(digits)} %`;

export function number(value: number | string | Missing): string {
  if (value === null || value === undefined || value === "") return "";
  const parsed = Number(value);
  if (!Number.isFinite(parsed)) return String(value);
  if (Number.isInteger(parsed)) return parsed.toLocaleString("en");
  const size = Math.abs(parsed);
  return size >= 0.001 && size < 1e6 ? String(Number(parsed.toPrecision(4))) : parsed.toExponential(2);
}

/** How far a job is. Before a script of your own has logged how many epochs it does, `epochs` is 0. */
export const epochsText = (epoch: number, epochs: number): string =>
  epochs || epoch ? `${epoch}/${epochs || "?"}` : "";

const UNITS: [string, number][] = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
];

export function ago(moment: string | Missing): string {
  if (!moment) return "";
  const seconds = (Date.now() - Date.parse(moment)) / 1000;
  for (const [unit, size] of UNITS) {
    if (seconds >= size) return `${Math.round(seconds / size)} ${unit} ago`;
  }
  return seconds < 5 ? "just now" : `${Math.round(seconds)} s ago`;
}

/** In the two largest units: "2 h 5 min". */
export function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const [minutes, hours] = [Math.round(seconds / 60), Math.round(seconds / 3600)];
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 24 * 60) return twoUnits(minutes, 60, "h", "min");
  return twoUnits(hours, 24, "d", "h");
}

const twoUnits = (small: number, each: number, large: string, rest: string): string =>
  small % each
    ? `${number(Math.floor(small / each))} ${large} ${small % each} ${rest}`
    : `${number(small / each)} ${large}`;

export const secondsBetween = (began: string, ended: string | Missing): number =>
  Math.max(0, ((ended ? Date.parse(ended) : Date.now()) - Date.parse(began)) / 1000);

export const dollars = (value: number): string =>
  value > 0 && value < 0.01 ? "less than a cent" : `$${value.toFixed(2)}`;

export const words = (name: string): string => name.replaceAll("_", " ");

export const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** A run or a version, with the metric that says how good it is. */
interface Measured {
  metrics: Record<string, number>;
  objective?: { name: string } | Missing;
}

/** The name of the metric; an API that does not know the objective ranks by accuracy. */
export const objectiveOf = ({ objective }: Pick<Measured, "objective">): string => objective?.name ?? "accuracy";

/** The heading of a column of objectives: the metric, if all rows have the same. */
export function objectiveHeading(rows: Pick<Measured, "objective">[]): string {
  const names = new Set(rows.map(objectiveOf));
  return names.size === 1 ? capitalised(words([...names][0] as string)) : "Objective";
}

/** The value of a run's objective, with the metric's name unless the heading above has it; empty without a value. */
export function objectiveText(row: Measured, heading?: string): string {
  const name = objectiveOf(row);
  const value = row.metrics[name] ?? row.metrics[`val_${name}`];
  if (value === undefined) return "";
  const text = metricText(name, value);
  return heading === "Objective" ? `${words(name)} ${text}` : text;
}

export const metricText = (name: string, value: number | Missing): string =>
  name === "accuracy" ? percent(value, 2) : number(value);

/** The time of day, with the day if asked for; in the reader's own time zone. */
export function timeOfDay(moment: string, withDay: boolean): string {
  const hour = { hour: "2-digit", minute: "2-digit", hour12: false } as const;
  return new Date(moment).toLocaleString("en-GB", withDay ? { weekday: "short", ...hour } : hour);
}
