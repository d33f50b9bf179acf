/** Chosen runs: what differs first, the best of each metric marked, and their learning curves. */

import { curve } from "../charts/data";
import { LineChart } from "../charts/lazy";
import { Headings, Scroll, Unseen } from "../components/basics";
import { Detail } from "../components/detail";
import { capitalised, number, words } from "../format";
import type { ComparedMetric, ComparedParam, Comparison, RunDetail } from "../schema";
import { distinctNames, ownMetrics } from "./leaderboard";

/** The trainer's metrics that are shown, in this order. The API says which direction is better. */
const METRICS = [
  "accuracy",
  "loss",
  "roc_auc",
  "average_precision",
  "macro_f1",
  "macro_precision",
  "macro_recall",
  "calibration_error",
  "rmse",
  "mae",
  "r2",
  "error_p50",
  "error_p90",
  "error_p99",
  "prediction_latency_ms",
  "model_size_bytes",
];
const CURVES: [label: string, metric: string][] = [
  ["Accuracy after each epoch", "val_accuracy"],
  ["Loss after each epoch", "val_loss"],
];
/** Curves of metrics that the runs have logged themselves. */
const OWN_CURVES = 4;

export interface Compared {
  comparison: Comparison;
  runs: RunDetail[];
}

export function SideBySide({ comparison, runs, onClose }: Compared & { onClose: () => void }) {
  const names = distinctNames(runs);
  const nameOf = (runId: string) => names.get(runId) ?? runId;
  const ids = runs.map(({ run_id }) => run_id);
  const metrics = shownMetrics(comparison);
  const curves = shownCurves(runs);
  return (
    <Detail label="Side by side" title="Side by side" closing="Close the comparison" onClose={onClose}>
      <div class="body side-by-side">
        <Scroll label="Parameters and metrics">
          <table>
            <thead>
              <tr>
                <th scope="col">
                  <Unseen>Parameter or metric</Unseen>
                </th>
                <Headings numbers={ids.map(nameOf)} />
              </tr>
            </thead>
            <tbody>
              {comparison.params
                .filter(({ differs }) => differs)
                .map((param) => (
                  <Param key={param.name} {...{ param, ids }} />
                ))}
              {metrics.map((metric) => (
                <Metric key={metric.name} {...{ metric, ids }} />
              ))}
              {comparison.params
                .filter(({ differs }) => !differs)
                .map((param) => (
                  <Param key={param.name} {...{ param, ids }} />
                ))}
            </tbody>
          </table>
        </Scroll>
        <div class="stack">
          {curves.map(([label, metric]) => (
            <div key={metric}>
              <h3>{label}</h3>
              <LineChart
                label={label}
                lines={runs.map((run) => ({ name: nameOf(run.run_id), points: curve(run.metric_history[metric]) }))}
              />
            </div>
          ))}
        </div>
      </div>
    </Detail>
  );
}

/** The trainer's summary in its order, then the metrics that the runs have logged themselves. */
export function shownMetrics({ metrics }: Pick<Comparison, "metrics">): ComparedMetric[] {
  const summary = METRICS.flatMap((name) => metrics.find((metric) => metric.name === name) ?? []);
  return [...summary, ...metrics.filter(({ kind }) => kind === "own")];
}

/** The curves that any of the runs has: a metric that was logged once has none. */
export function shownCurves(
  runs: Pick<RunDetail, "metric_history" | "own_metrics">[],
): [label: string, metric: string][] {
  const own = ownMetrics(runs).filter((name) => runs.some((run) => (run.metric_history[name] ?? []).length > 1));
  const trained = CURVES.filter(([, name]) => runs.some((run) => run.metric_history[name]?.length));
  return [...trained, ...own.slice(0, OWN_CURVES).map((name): [string, string] => [capitalised(words(name)), name])];
}

const Param = ({ param, ids }: { param: ComparedParam; ids: string[] }) => (
  <tr class={param.differs ? "differs" : "quiet"}>
    <th scope="row">{words(param.name)}</th>
    {ids.map((id) => (
      <td key={id} class="number">
        {number(param.values[id])}
      </td>
    ))}
  </tr>
);

const Metric = ({ metric, ids }: { metric: ComparedMetric; ids: string[] }) => (
  <tr>
    <th scope="row">{words(metric.name)}</th>
    {ids.map((id) => {
      const wins = isBest(metric, id);
      return (
        <td key={id} class={wins ? "number best" : "number"}>
          {number(metric.values[id])}
          {wins ? <Unseen> best</Unseen> : null}
        </td>
      );
    })}
  </tr>
);

/** Whether a run is as good as the best one; if all are equal, none is. */
export function isBest(metric: ComparedMetric, runId: string): boolean {
  return metric.differs && metric.best !== null && metric.values[runId] === metric.values[metric.best];
}
