/** PSI of each signal, point by point; where there were too few predictions the line has a gap. */

import type { Line } from "../charts/data";
import type { Mark } from "../charts/figure";
import { LineChart } from "../charts/lazy";
import { timeOfDay, words } from "../format";
import type { DriftHistory, DriftPoint } from "../schema";
import { AGAINST } from "./drift-now";

export function DriftOverTime({ history }: { history: DriftHistory }) {
  const { points, thresholds } = history;
  const judged = points.filter((point) => point.psi !== null);
  const needed = `A point needs ${thresholds.minimum_samples} predictions`;
  if (!judged.length) return <p class="quiet">{`${needed}. None in this time has enough yet.`}</p>;
  const few = points.length - judged.length;
  const gaps = few ? `${needed}; ${few} of ${points.length} have too few, and are gaps.` : "";
  const marks: Mark[] = [
    { name: "warning", value: thresholds.warning, kind: "warning" },
    { name: "alert", value: thresholds.alert, kind: "alert" },
  ];
  const moment = (index: number, withDay: boolean) => timeOfDay(points[index]?.start ?? "", withDay);
  const days = history.step_hours * points.length > 24;
  return (
    <div class="stack">
      <p class="quiet">{[summary(judged, history.against), gaps].join(" ")}</p>
      <LineChart
        label="PSI by signal over time"
        lines={linesOf(points)}
        xName="from"
        xText={(index) => moment(index, days)}
        xLong={(index) => moment(index, true)}
        low={0}
        height={240}
        gap="too few predictions"
        marks={marks}
      />
    </div>
  );
}

/** One line for each signal, by the number of the point. */
export function linesOf(points: DriftPoint[]): Line[] {
  const names = [...new Set(points.flatMap((point) => point.signals.map(({ signal }) => signal)))];
  const psi = (point: DriftPoint, name: string) => point.signals.find(({ signal }) => signal === name)?.psi ?? null;
  return names.map((name) => ({ name: words(name), points: points.map((point, index) => [index, psi(point, name)]) }));
}

/** The chart in two sentences. */
function summary(judged: DriftPoint[], against: DriftHistory["against"]): string {
  const latest = judged.at(-1);
  const highest = judged.reduce((most, point) => ((point.psi ?? 0) > (most.psi ?? 0) ? point : most));
  const described = (point: DriftPoint | undefined) =>
    point
      ? `${words(point.signal ?? "")} ${(point.psi ?? 0).toFixed(3)} (${words(point.status)}), from ${timeOfDay(point.start, true)}`
      : "";
  return `Against ${AGAINST[against]}. Latest: ${described(latest)}. Highest: ${described(highest)}.`;
}
