/** The sweeps, the newest first: how far each is, and its best run so far. */

import { useState } from "preact/hooks";
import { may, useMe } from "../access";
import * as api from "../api";
import { Empty, Headings, Loading, More, Scroll, Tag } from "../components/basics";
import { ago, objectiveText } from "../format";
import { usePolling } from "../polling";
import { useProblems } from "../problems";
import { linkTo } from "../routing";
import type { SweepList, SweepState } from "../schema";
import { hasEnded } from "./job-list";

/** Each sweep comes with all its runs. */
const INTERVAL = 5000;
const PAGE = 20;

interface Properties {
  selected: string;
  onSelect: (sweepId: string) => void;
}

export function Sweeps({ selected, onSelect }: Properties) {
  const me = useMe();
  const [seen, setSeen] = useState<SweepList>();
  const { attempt } = useProblems();
  usePolling(
    async (signal) => {
      const page = await api.sweeps(PAGE, null, { signal });
      setSeen((before) => withNewest(before, page));
      return undefined;
    },
    INTERVAL,
    [],
  );
  const more = () =>
    attempt(async () => {
      if (!seen?.next_cursor) return;
      const page = await api.sweeps(PAGE, seen.next_cursor);
      setSeen({ ...page, sweeps: [...seen.sweeps, ...page.sweeps] });
    });
  if (!seen) return <Loading />;
  if (!seen.sweeps.length)
    return (
      <Empty title="No sweeps">
        {`One tries several values of hyperparameters${may(me, "train") ? ": start it with New run" : ""}.`}
      </Empty>
    );
  return (
    <>
      <Scroll label="Table of sweeps">
        <table>
          <thead>
            <tr>
              <Headings text={["Sweep", "Status"]} numbers={["Ended", "Best so far"]} />
              <Headings text={["Experiment", "Version", "Created"]} />
            </tr>
          </thead>
          <tbody>
            {seen.sweeps.map((sweep) => (
              <SweepRow key={sweep.sweep_id} {...{ sweep, onSelect }} selected={sweep.sweep_id === selected} />
            ))}
          </tbody>
        </table>
      </Scroll>
      <More shown={seen.sweeps.length} total={seen.total_count} onMore={() => void more()} />
    </>
  );
}

/**
 * The list after its newest page was read again: what was read of older pages stays. If the page has none of it, more have
 * started than a page has, and the list begins anew.
 */
export function withNewest(before: SweepList | undefined, page: SweepList): SweepList {
  const ids = new Set(page.sweeps.map(({ sweep_id }) => sweep_id));
  const older = (before?.sweeps ?? []).filter(({ sweep_id }) => !ids.has(sweep_id));
  const joins = before?.sweeps.some(({ sweep_id }) => ids.has(sweep_id));
  return before && joins && older.length
    ? { ...page, sweeps: [...page.sweeps, ...older], next_cursor: before.next_cursor ?? null }
    : page;
}

interface RowProperties extends Properties {
  sweep: SweepState;
}

function SweepRow({ sweep, selected, onSelect }: Omit<RowProperties, "selected"> & { selected: boolean }) {
  const { best, objective } = sweep;
  return (
    <tr aria-selected={selected}>
      <th scope="row">
        <button
          class="link mono"
          type="button"
          aria-expanded={selected}
          onClick={() => onSelect(selected ? "" : sweep.sweep_id)}
        >
          {sweep.sweep_id}
        </button>
      </th>
      <td>
        <Tag status={sweep.status} />
        {sweep.error ? (
          <div class="why" title={sweep.error}>
            {sweep.error}
          </div>
        ) : null}
      </td>
      <td class="number">{`${sweep.runs.filter(hasEnded).length} of ${sweep.num_runs}`}</td>
      <td class="number">{best ? objectiveText({ objective, metrics: best.metrics ?? {} }, "Objective") : ""}</td>
      <td class="long" title={sweep.experiment_name}>
        <a href={linkTo("runs", { experiment: sweep.experiment_name })}>{sweep.experiment_name}</a>
      </td>
      <td class="long" title={sweep.model_name}>
        {sweep.model_version ? (
          <a href={linkTo("models", { model: sweep.model_name, version: sweep.model_version })}>
            {`version ${sweep.model_version}`}
          </a>
        ) : null}
      </td>
      <td class="faint">{ago(sweep.created_at)}</td>
    </tr>
  );
}
