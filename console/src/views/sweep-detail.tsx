/** One sweep: its runs ranked, with the hyperparameters that differ, while they run. */

import { useState } from "preact/hooks";
import { may, useMe } from "../access";
import { announce } from "../announce";
import * as api from "../api";
import { Facts, Headings, Loading, NotFound, Scroll, Tag } from "../components/basics";
import { Button } from "../components/controls";
import { Detail } from "../components/detail";
import { capitalised, metricText, number, words } from "../format";
import { ApiError } from "../http";
import { usePolling } from "../polling";
import { useProblems } from "../problems";
import { linkTo } from "../routing";
import type { Job, SweepState } from "../schema";
import { hasEnded } from "./job-list";
import { Parallel } from "./parallel";
import { differing, scoreOf, settingOf } from "./sweep-rows";

const INTERVAL = 2000;
/** Lines that a picture needs to say something. */
const FEWEST = 2;

interface Properties {
  sweepId: string;
  onClose: () => void;
  onOpen: (jobId: string) => void;
}

export function SweepDetail({ sweepId, onClose, onOpen }: Properties) {
  const me = useMe();
  const [sweep, setSweep] = useState<SweepState | null>();
  const { attempt } = useProblems();
  usePolling(
    async (signal) => {
      const seen = await sweepOf(sweepId, signal);
      setSweep(seen);
      return seen !== null && !hasEnded(seen);
    },
    INTERVAL,
    [sweepId],
  );
  const cancel = () =>
    attempt(async () => {
      setSweep(await api.cancelSweep(sweepId));
      announce(`${sweepId} is being cancelled`);
    });
  const tools =
    sweep && !hasEnded(sweep) && may(me, "train") ? (
      <Button class="button small danger" onClick={() => void cancel()}>
        Cancel the sweep
      </Button>
    ) : null;
  return (
    <Detail label={sweepId} title={sweepId} mono tools={tools} closing="Close the sweep" onClose={onClose}>
      {sweep === undefined ? (
        <Loading />
      ) : sweep === null ? (
        <NotFound kind="sweep" name={sweepId} />
      ) : (
        <Shown sweep={sweep} onOpen={onOpen} />
      )}
    </Detail>
  );
}

/** Null where there is no sweep of that id, or where the key is not for it. */
async function sweepOf(sweepId: string, signal: AbortSignal): Promise<SweepState | null> {
  try {
    return await api.sweepState(sweepId, { signal });
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 422)) return null;
    throw error;
  }
}

function Shown({ sweep, onOpen }: { sweep: SweepState; onOpen: (jobId: string) => void }) {
  const [marked, setMarked] = useState<string>();
  const { runs, model_name, model_version, objective } = sweep;
  const names = differing(runs);
  const ranked = runs.filter((run) => scoreOf(run, sweep) !== undefined);
  return (
    <div class="body stack">
      {sweep.error ? <p class="banner">{sweep.error}</p> : null}
      <Facts
        of={[
          ["Status", <Tag key="status" status={sweep.status} />],
          ["Ended", `${runs.filter(hasEnded).length} of ${sweep.num_runs} runs`],
          [
            "Experiment",
            <a key="runs" href={linkTo("runs", { experiment: sweep.experiment_name })}>
              {sweep.experiment_name}
            </a>,
          ],
          [
            "Best run's version",
            model_version ? (
              <a href={linkTo("models", { model: model_name, version: model_version })}>
                {`${model_name} version ${model_version}`}
              </a>
            ) : null,
          ],
        ]}
      />
      <Scroll label="Leaderboard of the sweep">
        <table>
          <thead>
            <tr>
              <Headings text={["#", "Job", "Status"]} />
              <Headings numbers={[capitalised(words(objective?.name ?? "objective")), ...names.map(words)]} />
            </tr>
          </thead>
          <tbody>
            {runs.map((run) => (
              <RunRow
                key={run.job_id}
                {...{ run, sweep, names, onOpen }}
                rank={ranked.indexOf(run) + 1}
                onMark={setMarked}
              />
            ))}
          </tbody>
        </table>
      </Scroll>
      {names.length && ranked.length >= FEWEST ? <Parallel {...{ sweep, names, marked }} runs={ranked} /> : null}
    </div>
  );
}

interface RowProperties {
  run: Job;
  sweep: SweepState;
  names: string[];
  /** From 1; 0 without a rank. */
  rank: number;
  onOpen: (jobId: string) => void;
  /** Lets the run stand out in the picture. */
  onMark: (jobId: string | undefined) => void;
}

function RunRow({ run, sweep, names, rank, onOpen, onMark }: RowProperties) {
  const why = sweep.unranked?.[run.job_id] ?? run.error;
  const mark = () => onMark(run.job_id);
  const unmark = () => onMark(undefined);
  return (
    <tr>
      <td class="faint">{rank || ""}</td>
      <th scope="row">
        <button
          class="link mono"
          type="button"
          onClick={() => onOpen(run.job_id)}
          onFocus={mark}
          onBlur={unmark}
          onMouseEnter={mark}
          onMouseLeave={unmark}
        >
          {run.job_id}
        </button>
      </th>
      <td>
        <Tag status={run.status} />
        {why ? (
          <div class="why" title={why}>
            {why}
          </div>
        ) : null}
      </td>
      <td class={rank === 1 ? "number best" : "number"}>
        {metricText(sweep.objective?.name.replace(/^val_/, "") ?? "", scoreOf(run, sweep))}
      </td>
      {names.map((name) => (
        <td key={name} class="number">
          {number(settingOf(run, name))}
        </td>
      ))}
    </tr>
  );
}
