/** A leaderboard for each experiment, and chosen runs side by side. */

import { useRef, useState } from "preact/hooks";
import { announce } from "../announce";
import * as api from "../api";
import { Empty, Loading, PageHead } from "../components/basics";
import { Choice } from "../components/controls";
import { words } from "../format";
import { useLoaded, usePolling } from "../polling";
import { useProblems } from "../problems";
import type { Objective, RunList, RunRow } from "../schema";
import { Leaderboard } from "./leaderboard";
import { type Compared, SideBySide } from "./side-by-side";

const INTERVAL = 5000;
const PAGE = 50;
/** The API's largest page that is quick. */
const MAX_PAGE = 100;
/** Runs that fit side by side. */
export const MAX_COMPARED = 5;

export function Runs({ params }: { params: URLSearchParams }) {
  const [chosen, setChosen] = useState(params.get("experiment"));
  const [shown, setShown] = useState(PAGE);
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const [seen, setSeen] = useState<{ experiment: string; objective: Objective; runs: RunRow[]; total: number }>();
  const [compared, setCompared] = useState<Compared>();
  const { attempt } = useProblems();
  const compare = useRef<HTMLButtonElement>(null);
  const experiments = useLoaded(async (signal) =>
    (await api.experiments({ signal })).experiments.filter(({ total_runs }) => total_runs > 0),
  );
  const experiment = (experiments?.find(({ name }) => name === chosen) ?? experiments?.[0])?.name;
  usePolling(
    async (signal) => {
      if (!experiment) return false;
      const page = await firstRuns(experiment, shown, signal);
      setSeen({ experiment, objective: page.objective, runs: page.runs, total: page.total_count });
      return undefined;
    },
    INTERVAL,
    [experiment, shown],
  );
  const choose = (name: string) => {
    setChosen(name);
    setShown(PAGE);
    setPicked(new Set());
    setCompared(undefined);
  };
  const pick = (runId: string, on: boolean) => {
    const ids = new Set(picked);
    if (on) ids.add(runId);
    else ids.delete(runId);
    setPicked(ids);
  };
  const showComparison = () =>
    attempt(async () => {
      if (!experiment) return;
      const ids = [...picked];
      const [comparison, ...runs] = await Promise.all([
        api.compare(experiment, ids),
        ...ids.map((id) => api.run(experiment, id)),
      ]);
      setCompared({ comparison, runs });
      announce(`${runs.length} runs side by side`);
    });
  const close = () => {
    setCompared(undefined);
    compare.current?.focus();
  };
  const current = seen?.experiment === experiment ? seen : undefined;
  return (
    <>
      <PageHead title="Runs" text={`${rankedBy(current?.objective)} Choose 2 to ${MAX_COMPARED} runs to compare them.`}>
        {experiments && experiment ? (
          <Choice
            label="Experiment"
            options={experiments.map(({ name, total_runs }) => [name, `${name} (${total_runs})`])}
            chosen={experiment}
            onChoose={choose}
          />
        ) : null}
        <button
          ref={compare}
          class="button primary"
          type="button"
          disabled={picked.size < 2}
          onClick={() => void showComparison()}
        >
          {picked.size ? `Compare ${picked.size}` : "Compare"}
        </button>
      </PageHead>
      <div class="stack">
        {compared ? (
          <SideBySide key={compared.runs.map((run) => run.run_id).join()} {...compared} onClose={close} />
        ) : null}
        <section class="card" aria-label="Leaderboard">
          {experiments?.length === 0 ? (
            <Empty title="No runs yet">
              Start one under Jobs, or with <code>mlops train --watch</code>.
            </Empty>
          ) : !current ? (
            <div class="empty">
              <Loading />
            </div>
          ) : (
            <Leaderboard {...current} picked={picked} onPick={pick} onMore={() => setShown(shown + PAGE)} />
          )}
        </section>
      </div>
    </>
  );
}

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
