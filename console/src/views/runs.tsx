/** A leaderboard for each experiment, chosen runs side by side, and one run in full. */

import { useState } from "preact/hooks";
import { announce } from "../announce";
import * as api from "../api";
import { Empty, Loading, NotFound, PageHead } from "../components/basics";
import { Choice, type Option } from "../components/controls";
import { StartRun } from "../components/start-run";
import { words } from "../format";
import { usePolling } from "../polling";
import { useProblems } from "../problems";
import { useAddress } from "../routing";
import type { Experiment, Objective, RunList, RunRow } from "../schema";
import { Leaderboard } from "./leaderboard";
import { RunInFull } from "./run-in-full";
import { type Compared, SideBySide } from "./side-by-side";

const INTERVAL = 5000;
const EXPERIMENTS_INTERVAL = 15_000;
const PAGE = 50;
/** The API's largest page that is quick. */
const MAX_PAGE = 100;
/** Runs that fit side by side. */
export const MAX_COMPARED = 10;

export function Runs({ params }: { params: URLSearchParams }) {
  const [chosen, setChosen] = useAddress(params, "experiment");
  const [run, setRun] = useAddress(params, "run");
  const [side, setSide] = useAddress(params, "compare");
  const [filter, setFilter] = useAddress(params, "filter");
  const [sort, setSort] = useAddress(params, "sort");
  const [shown, setShown] = useState(PAGE);
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set(side ? side.split(",") : []));
  const [experiments, setExperiments] = useState<Experiment[]>();
  const [seen, setSeen] = useState<{ experiment: string; objective: Objective; runs: RunRow[]; total: number }>();
  const [compared, setCompared] = useState<Compared>();
  const { attempt } = useProblems();
  usePolling(
    async (signal) => {
      const found = (await api.experiments({ signal })).experiments;
      setExperiments(found.filter(({ total_runs, name }) => total_runs > 0 || name === chosen));
      return undefined;
    },
    EXPERIMENTS_INTERVAL,
    [],
  );
  const unknown = experiments && chosen && !experiments.some(({ name }) => name === chosen) ? chosen : undefined;
  const experiment = unknown ? undefined : (experiments?.find(({ name }) => name === chosen) ?? experiments?.[0])?.name;
  usePolling(
    async (signal) => {
      if (!experiment) return false;
      const page = await firstRuns(experiment, shown, signal);
      setSeen({ experiment, objective: page.objective, runs: page.runs, total: page.total_count });
      if (side && !compared) await showComparison(side.split(","));
      return undefined;
    },
    INTERVAL * Math.ceil(shown / MAX_PAGE),
    [experiment, shown],
  );
  const choose = (name: string) => {
    setChosen(name);
    setShown(PAGE);
    setPicked(new Set());
    for (const forget of [setSide, setRun, setFilter, setSort]) forget("");
    setCompared(undefined);
  };
  const pick = (runId: string, on: boolean) => {
    const ids = new Set(picked);
    if (on) ids.add(runId);
    else ids.delete(runId);
    setPicked(ids);
  };
  const showComparison = async (ids: string[]) => {
    if (!experiment) return;
    const [comparison, ...runs] = await Promise.all([
      api.compare(experiment, ids),
      ...ids.map((id) => api.run(experiment, id)),
    ]);
    setCompared({ comparison, runs });
    setSide(ids.join(","));
    announce(`${runs.length} runs side by side`);
  };
  const close = () => {
    setCompared(undefined);
    setSide("");
  };
  const current = seen?.experiment === experiment ? seen : undefined;
  return (
    <>
      <PageHead title="Runs" text={`${rankedBy(current?.objective)} Choose 2 to ${MAX_COMPARED} runs to compare them.`}>
        {experiments?.length ? (
          <Choice
            label="Experiment"
            options={[...(unknown ? [["", "Choose an experiment"] as Option] : []), ...experiments.map(optionOf)]}
            chosen={experiment ?? ""}
            onChoose={choose}
          />
        ) : null}
        <button
          class="button primary"
          type="button"
          disabled={picked.size < 2}
          onClick={() => void attempt(() => showComparison([...picked]))}
        >
          {picked.size ? `Compare ${picked.size}` : "Compare"}
        </button>
      </PageHead>
      <div class="stack">
        {compared ? (
          <SideBySide key={compared.runs.map((each) => each.run_id).join()} {...compared} onClose={close} />
        ) : null}
        {run && experiment ? (
          <RunInFull key={run} experiment={experiment} runId={run} onClose={() => setRun("")} />
        ) : null}
        <section class="card" aria-label="Leaderboard">
          {unknown ? (
            <NotFound kind="experiment" name={unknown} />
          ) : experiments?.length === 0 ? (
            <Empty title="No runs yet">
              <StartRun />
            </Empty>
          ) : !current ? (
            <Loading />
          ) : (
            <Leaderboard
              {...current}
              {...{ picked, filter, sort }}
              onPick={pick}
              onOpen={setRun}
              onFilter={setFilter}
              onSort={setSort}
              onMore={() => setShown(shown + PAGE)}
            />
          )}
        </section>
      </div>
    </>
  );
}

const optionOf = ({ name, total_runs }: Experiment): Option => [name, `${name} (${total_runs})`];

function rankedBy(objective: Objective | undefined): string {
  if (!objective) return "Ranked by their objective.";
  return `Ranked by ${words(objective.name)}, the ${objective.direction === "maximise" ? "highest" : "lowest"} first.`;
}

async function firstRuns(experiment: string, count: number, signal: AbortSignal): Promise<RunList> {
  const runs: RunRow[] = [];
  let page: RunList;
  let cursor: string | null | undefined;
  do {
    page = await api.runs(experiment, Math.min(MAX_PAGE, count - runs.length), cursor, { signal });
    runs.push(...page.runs);
    cursor = page.next_cursor;
  } while (cursor && runs.length < count);
  return { ...page, runs };
}
