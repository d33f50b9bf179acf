/** Chosen runs: what differs first, the best of each metric marked, and their learning curves. */

import { useEffect, useRef } from "preact/hooks";
import { curve } from "../charts/data";
import { LineChart } from "../charts/lazy";
import { Headings, Scroll, Unseen } from "../components/basics";
import { number, words } from "../format";
import type { ComparedMetric, ComparedParam, Comparison, RunDetail } from "../schema";
import { distinctNames } from "./leaderboard";

/** The metrics that are shown, in this order; which direction is better, the API says. */
const METRICS = [
  "accuracy",
  "loss",
  "macro_f1",
  "macro_precision",
  "macro_recall",
  "calibration_error",
  "prediction_latency_ms",
  "model_size_bytes",
];
const CURVES: [label: string, metric: string][] = [
  ["Accuracy on held-out data", "val_accuracy"],
  ["Loss on held-out data", "val_loss"],
];

export interface Compared {
  comparison: Comparison;
  runs: RunDetail[];
}

export function SideBySide({ comparison, runs, onClose }: Compared & { onClose: () => void }) {
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => title.current?.focus(), []);
  const names = distinctNames(runs);
  const nameOf = (runId: string) => names.get(runId) ?? runId;
  const ids = runs.map(({ run_id }) => run_id);
  const metrics = METRICS.flatMap((name) => comparison.metrics.find((metric) => metric.name === name) ?? []);
  return (
    <section class="card" aria-label="Side by side">
      <header>
        <h2 ref={title} tabIndex={-1}>
          Side by side
        </h2>
        <div class="tools">
          <button class="button small plain" type="button" aria-label="Close the comparison" onClick={onClose}>
            ✕
          </button>
        </div>
      </header>
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
          {CURVES.map(([label, metric]) => (
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
    </section>
  );
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

/** As good as the best one; where all are alike, none is. */
export function isBest(metric: ComparedMetric, runId: string): boolean {
  return metric.differs && metric.best !== null && metric.values[runId] === metric.values[metric.best];
}
