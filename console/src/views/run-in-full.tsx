/** One run: its metrics, parameters, curves, tags and files. */

import { useState } from "preact/hooks";
import * as api from "../api";
import { curve } from "../charts/data";
import { LineChart } from "../charts/lazy";
import { Facts, Headings, Loading, NotFound, Scroll, Tag } from "../components/basics";
import { Detail } from "../components/detail";
import { ago, capitalised, number, words } from "../format";
import { ApiError } from "../http";
import { usePolling } from "../polling";
import type { RunDetail } from "../schema";
import { nameOf } from "./leaderboard";
import { shownCurves } from "./side-by-side";

const INTERVAL = 5000;
const RUNNING = ["running", "scheduled"];

interface Properties {
  experiment: string;
  runId: string;
  onClose: () => void;
}

export function RunInFull({ experiment, runId, onClose }: Properties) {
  const [run, setRun] = useState<RunDetail | null>();
  usePolling(
    async (signal) => {
      const found = await runOf(experiment, runId, signal);
      setRun(found);
      return found !== null && RUNNING.includes(found.status);
    },
    INTERVAL,
    [experiment, runId],
  );
  return (
    <Detail label="Run" title={run ? `Run ${nameOf(run)}` : "Run"} closing="Close the run" onClose={onClose}>
      {run === undefined ? <Loading /> : run === null ? <NotFound kind="run" name={runId} /> : <Shown run={run} />}
    </Detail>
  );
}

async function runOf(experiment: string, runId: string, signal: AbortSignal): Promise<RunDetail | null> {
  try {
    return await api.run(experiment, runId, { signal });
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 422)) return null;
    throw error;
  }
}

function Shown({ run }: { run: RunDetail }) {
  const tags = Object.entries(run.tags).filter(([name]) => !name.startsWith("mlflow.log-model"));
  const curves = shownCurves([run]);
  const named = (values: Record<string, number | string>): [string, string][] =>
    Object.entries(values).map(([name, value]) => [words(name), number(value)]);
  return (
    <div class="body stack">
      <div class="halves">
        <div class="stack">
          <h3>Run</h3>
          <Facts
            of={[
              ["Status", <Tag key="status" status={run.status} />],
              ["Id", <code key="id">{run.run_id}</code>],
              ["Started", ago(run.started_at)],
              ...named(run.metrics),
            ]}
          />
        </div>
        <div class="stack">
          <h3>Parameters</h3>
          <Facts of={named(run.params)} />
        </div>
      </div>
      {curves.length ? (
        <div class="halves">
          {curves.map(([label, metric]) => (
            <div key={metric}>
              <h3>{capitalised(label)}</h3>
              <LineChart label={label} lines={[{ name: nameOf(run), points: curve(run.metric_history[metric]) }]} />
            </div>
          ))}
        </div>
      ) : null}
      {run.artifacts.length ? <Artifacts run={run} /> : null}
      {tags.length ? (
        <details>
          <summary>{`${tags.length} tags`}</summary>
          <Facts of={tags.map(([name, value]): [string, string] => [name, value.slice(0, 300)])} />
        </details>
      ) : null}
    </div>
  );
}

const Artifacts = ({ run }: { run: RunDetail }) => (
  <Scroll label="Table of artifacts">
    <table>
      <thead>
        <tr>
          <Headings text={["File"]} numbers={["Bytes"]} />
        </tr>
      </thead>
      <tbody>
        {run.artifacts.map(({ path, size }) => (
          <tr key={path}>
            <th scope="row" class="long" title={path}>
              {path}
            </th>
            <td class="number">{number(size)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </Scroll>
);
