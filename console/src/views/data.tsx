/** A file before training, and the data sets that runs have used. */

import { useState } from "preact/hooks";
import * as api from "../api";
import { Card, Empty, Headings, Loading, More, PageHead, Scroll } from "../components/basics";
import { StartRun } from "../components/start-run";
import { DescribedFile } from "../data/lazy-described-file";
import { ago, number } from "../format";
import { usePolling } from "../polling";
import { useProblems } from "../problems";
import { linkTo, useAddress } from "../routing";
import type { DatasetList, UsedDataset } from "../schema";

const INTERVAL = 15_000;
const PAGE = 50;

export function Data({ params }: { params: URLSearchParams }) {
  const [text, setText] = useAddress(params, "search");
  return (
    <>
      <PageHead title="Data" text="A file as training would read it, and the data sets that runs have used." />
      <div class="stack">
        <DescribedFile />
        <Card
          title="Data sets used so far"
          tools={
            <input
              type="search"
              aria-label="Search the data sets that are shown"
              placeholder="Search"
              value={text}
              onInput={(event) => setText(event.currentTarget.value)}
            />
          }
        >
          <Used text={text} />
        </Card>
      </div>
    </>
  );
}

function Used({ text }: { text: string }) {
  const [seen, setSeen] = useState<DatasetList>();
  const { attempt } = useProblems();
  usePolling(
    async (signal) => {
      const page = await api.datasets(PAGE, null, { signal });
      // Whoever has read more keeps it, until a new data set comes.
      setSeen((before) =>
        before && before.total_count === page.total_count && before.datasets.length > PAGE ? before : page,
      );
      return undefined;
    },
    INTERVAL,
    [],
  );
  const more = () =>
    attempt(async () => {
      if (!seen?.next_cursor) return;
      const page = await api.datasets(PAGE, seen.next_cursor);
      setSeen({ ...page, datasets: [...seen.datasets, ...page.datasets] });
    });
  if (!seen) return <Loading />;
  if (!seen.datasets.length)
    return (
      <Empty title="No run has logged its data yet">
        <StartRun />
      </Empty>
    );
  const found = seen.datasets.filter((dataset) => hasText(dataset, text));
  return (
    <>
      {found.length ? (
        <DatasetTable datasets={found} />
      ) : (
        <Empty title="No data set">None of those that are shown has this text.</Empty>
      )}
      <More shown={seen.datasets.length} total={seen.total_count} onMore={() => void more()} />
    </>
  );
}

/** Whether a name, the digest or an experiment has a text. */
export const hasText = ({ name, digest, experiments }: UsedDataset, text: string): boolean =>
  [name, digest, ...experiments].some((each) => each.toLowerCase().includes(text.trim().toLowerCase()));

/** Of an address, what tells it from others in the same folder. */
export const lastPart = (name: string): string => /[^/]+\/?$/.exec(name)?.[0] ?? name;

const DatasetTable = ({ datasets }: { datasets: UsedDataset[] }) => (
  <Scroll label="Table of data sets">
    <table>
      <thead>
        <tr>
          <Headings text={["Data set", "Content"]} numbers={["Runs"]} />
          <Headings text={["Last used", "Experiments", "Newest runs"]} />
        </tr>
      </thead>
      <tbody>
        {datasets.map((dataset) => (
          <tr key={`${dataset.name} ${dataset.digest}`}>
            <th scope="row" class="long" title={dataset.name}>
              {lastPart(dataset.name)}
            </th>
            <td>
              <code title={dataset.digest}>{dataset.digest.slice(0, 10)}</code>
            </td>
            <td class="number">{number(dataset.runs)}</td>
            <td class="faint">{ago(dataset.last_used_at)}</td>
            <td class="long">
              {dataset.experiments.map((name) => (
                <div key={name} class="long" title={name}>
                  <a href={linkTo("runs", { experiment: name })}>{name}</a>
                </div>
              ))}
            </td>
            <td>
              {dataset.latest_runs.map((run) => (
                <div key={run.run_id} class="long" title={run.run_name ?? run.run_id}>
                  <a href={linkTo("runs", { experiment: run.experiment_name, run: run.run_id })}>
                    {run.run_name ?? run.run_id.slice(0, 8)}
                  </a>
                </div>
              ))}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </Scroll>
);
