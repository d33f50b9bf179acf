import { Empty, Headings, More, Scroll, Unseen } from "../components/basics";
import { capitalised, metricText, number, objectiveHeading, words } from "../format";
import type { Objective, RunRow } from "../schema";
import { fits, nextSort, sorted } from "./run-rows";
import { MAX_COMPARED } from "./runs";

/** Hyperparameters with a column of their own where runs differ in them. */
const COLUMNS = ["learning_rate", "hidden_size", "batch_size", "dropout", "epochs", "model_type"];
/** These have one always. */
const ALWAYS = ["learning_rate", "model_type"];
/** Metrics with a column beside the objective, where runs have them. */
const SECOND = ["loss", "rmse", "mae"];
/** Columns for metrics that the runs have logged themselves. */
const OWN_COLUMNS = 4;

interface Properties {
  /** What ranks the runs. */
  objective: Objective;
  /** The best one first; those without the objective last. */
  runs: RunRow[];
  total: number;
  /** Ids of the runs to compare. */
  picked: ReadonlySet<string>;
  /** Conditions and parts of names. */
  filter: string;
  /** The metric or parameter that sorts the runs, "-" before it from the highest; ranked if empty. */
  sort: string;
  onPick: (runId: string, on: boolean) => void;
  onOpen: (runId: string) => void;
  onFilter: (filter: string) => void;
  onSort: (sort: string) => void;
  onMore: () => void;
}

export function Leaderboard(properties: Properties) {
  const { objective, runs, total, picked, filter, sort, onPick, onOpen, onFilter, onSort, onMore } = properties;
  const columns = COLUMNS.filter(
    (name) => ALWAYS.includes(name) || new Set(runs.map(({ params }) => params[name])).size > 1,
  );
  const second = SECOND.filter((name) => name !== objective.name && runs.some(({ metrics }) => name in metrics));
  const own = ownMetrics(runs)
    .filter((name) => name !== objective.name)
    .slice(0, OWN_COLUMNS);
  const metrics = [...second, ...own];
  const ranks = new Map(runs.map(({ run_id }, index) => [run_id, index]));
  const rows = sorted(
    runs.filter((run) => fits(run, filter)),
    sort,
  );
  const full = picked.size >= MAX_COMPARED;
  return (
    <>
      <div class="filter">
        <input
          type="search"
          aria-label="Filter the runs that are shown"
          placeholder="Filter: a part of a name, or accuracy > 0.9 and params.epochs < 20"
          value={filter}
          onInput={(event) => onFilter(event.currentTarget.value)}
        />
      </div>
      <Scroll label="Table of runs">
        <table>
          <thead>
            <tr>
              <th scope="col">
                <Unseen>Choose</Unseen>
              </th>
              <Headings text={["#", "Run"]} />
              {[objective.name, ...metrics, ...columns].map((name) => (
                <SortedHeading
                  key={name}
                  {...{ name, sort, onSort }}
                  title={name === objective.name ? objectiveHeading([{ objective }]) : capitalised(words(name))}
                />
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((run) => {
              const on = picked.has(run.run_id);
              const rank = ranks.get(run.run_id) ?? 0;
              return (
                <tr key={run.run_id}>
                  <td>
                    <input
                      type="checkbox"
                      aria-label={`Choose ${nameOf(run)}`}
                      checked={on}
                      disabled={full && !on}
                      onChange={(event) => onPick(run.run_id, event.currentTarget.checked)}
                    />
                  </td>
                  <td class="faint">{rank + 1}</td>
                  <th scope="row" class="long" title={nameOf(run)}>
                    <button class="link" type="button" onClick={() => onOpen(run.run_id)}>
                      {nameOf(run)}
                    </button>{" "}
                    <code class="faint">{shortId(run)}</code>
                  </th>
                  {objective.name in run.metrics ? (
                    <td class={rank === 0 ? "number best" : "number"}>
                      {metricText(objective.name, run.metrics[objective.name])}
                    </td>
                  ) : (
                    <td class="number faint">{`no ${words(objective.name)}`}</td>
                  )}
                  {metrics.map((name) => (
                    <td key={`metric ${name}`} class="number">
                      {number(run.metrics[name])}
                    </td>
                  ))}
                  {columns.map((name) => (
                    <td key={name} class="number">
                      {number(run.params[name])}
                    </td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      </Scroll>
      {rows.length ? null : (
        <Empty title="No runs">{filter ? "None of the runs that are shown is what the filter asks for." : ""}</Empty>
      )}
      <More shown={runs.length} total={total} onMore={onMore} />
    </>
  );
}

interface HeadingProperties {
  name: string;
  title: string;
  sort: string;
  onSort: (sort: string) => void;
}

const SortedHeading = ({ name, title, sort, onSort }: HeadingProperties) => {
  const order = sort === name ? "ascending" : sort === `-${name}` ? "descending" : undefined;
  return (
    <th scope="col" class="number" aria-sort={order}>
      <button class="heading" type="button" onClick={() => onSort(nextSort(sort, name))}>
        {title}
        {order ? (order === "ascending" ? " ↑" : " ↓") : ""}
      </button>
    </th>
  );
};

/** The metrics that runs have logged themselves; those that the most runs have come first. */
export function ownMetrics(runs: Pick<RunRow, "own_metrics">[]): string[] {
  const counts = new Map<string, number>();
  for (const name of runs.flatMap(({ own_metrics }) => own_metrics ?? []))
    counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([a, m], [b, n]) => n - m || a.localeCompare(b, "en")).map(([name]) => name);
}

type Named = Pick<RunRow, "run_id" | "run_name">;

export const shortId = ({ run_id }: Named): string => run_id.slice(0, 8);

export const nameOf = (run: Named): string => run.run_name ?? shortId(run);

/** The runs' names by id; those that are not the only ones of their name have the id with it. */
export function distinctNames(runs: Named[]): Map<string, string> {
  const count = (name: string) => runs.filter((run) => nameOf(run) === name).length;
  return new Map(
    runs.map((run) => [run.run_id, count(nameOf(run)) > 1 ? `${nameOf(run)} ${shortId(run)}` : nameOf(run)]),
  );
}
