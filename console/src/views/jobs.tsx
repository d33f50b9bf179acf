/** Training jobs and sweeps as they run. */

import { useState } from "preact/hooks";
import { refused, useMe } from "../access";
import * as api from "../api";
import { Empty, Headings, Loading, More, Notice, PageHead, Scroll, Tag } from "../components/basics";
import { Button, Choice, type Option, Segments } from "../components/controls";
import { ago, duration, epochsText, objectiveHeading, objectiveText, secondsBetween } from "../format";
import { usePolling } from "../polling";
import { useProblems } from "../problems";
import { useAddress } from "../routing";
import type { Job } from "../schema";
import { JobDetail } from "./job-detail";
import { hasEnded, mentions, merged, unsettled } from "./job-list";
import { NewRun, type Started } from "./new-run";
import { SweepDetail } from "./sweep-detail";
import { Sweeps } from "./sweeps";

const INTERVAL = 1500;
const PAGE = 50;
/** Older jobs that are looked at again each time, because they still run. */
const WATCHED = 3;
const LISTS: Option[] = [
  ["", "Jobs"],
  ["sweeps", "Sweeps"],
];
const STATUSES: Option[] = [
  ["", "All states"],
  ["pending", "Pending"],
  ["running", "Running"],
  ["completed", "Completed"],
  ["failed", "Failed"],
  ["cancelled", "Cancelled"],
  ["pruned", "Pruned"],
];

interface Seen {
  status: string;
  jobs: Job[];
  total: number;
  /** Of the page after the oldest job that was read. */
  cursor: string | null;
}

export function Jobs({ params }: { params: URLSearchParams }) {
  const me = useMe();
  const [status, setStatus] = useAddress(params, "status");
  const [selected, setSelected] = useAddress(params, "job");
  const [sweep, setSweep] = useAddress(params, "sweep");
  const [text, setText] = useAddress(params, "search");
  const [list, setList] = useAddress(params, "list");
  const [starting, setStarting] = useState<{ like?: Job } | null>(null);
  const [seen, setSeen] = useState<Seen>();
  const { attempt } = useProblems();
  const refresh = usePolling(
    async (signal) => {
      if (list) return false;
      const page = await api.jobs({ status, limit: PAGE }, { signal });
      const known = seen?.status === status ? seen.jobs : [];
      const again = await Promise.all(
        unsettled(known, page.jobs, WATCHED).map(({ job_id }) => api.job(job_id, { signal })),
      );
      // Older jobs may have been read meanwhile.
      setSeen((now) => {
        const before = now?.status === status ? now : undefined;
        const jobs = merged(merged(before?.jobs ?? [], again, false), page.jobs, true);
        const cursor = jobs.length > page.jobs.length ? (before?.cursor ?? null) : (page.next_cursor ?? null);
        return { status, jobs, total: page.total_count, cursor };
      });
      return undefined;
    },
    INTERVAL,
    [status, list],
  );
  const readMore = () =>
    attempt(async () => {
      if (!seen?.cursor) return;
      const page = await api.jobs({ status, limit: PAGE, cursor: seen.cursor });
      setSeen((now) =>
        now && now.status === status
          ? { ...now, jobs: merged(now.jobs, page.jobs, false), cursor: page.next_cursor ?? null }
          : now,
      );
    });
  const select = (jobId: string) => setSelected(jobId === selected ? "" : jobId);
  const started = ({ jobId, sweepId }: Started) => {
    if (jobId) setSelected(jobId);
    if (sweepId) {
      setText(sweepId);
      setSweep(sweepId);
    }
    refresh();
  };
  const current = seen?.status === status ? seen : undefined;
  // One that has ended meanwhile has another status than the one that is asked for.
  const rows = current?.jobs.filter((job) => (!status || job.status === status) && mentions(job, text));
  const no = refused(me, "train", "To start or cancel a run");
  return (
    <>
      <PageHead title="Jobs" text="Training jobs and sweeps, their progress and their logs.">
        <Segments label="What is listed" options={LISTS} chosen={list} onChoose={setList} />
        {list ? null : (
          <>
            <input
              type="search"
              aria-label="Search the jobs that are shown"
              placeholder="Search"
              value={text}
              onInput={(event) => setText(event.currentTarget.value)}
            />
            <Choice label="Status" options={STATUSES} chosen={status} onChoose={setStatus} />
          </>
        )}
        {no ? null : (
          <Button class="button primary" onClick={() => setStarting({})}>
            New run
          </Button>
        )}
      </PageHead>
      <Notice>{no}</Notice>
      <div class="stack">
        {sweep ? <SweepDetail key={sweep} sweepId={sweep} onClose={() => setSweep("")} onOpen={setSelected} /> : null}
        <div class={selected ? "split" : "split alone"}>
          {list ? (
            <section class="card" aria-label="Sweeps">
              <Sweeps selected={sweep} onSelect={setSweep} />
            </section>
          ) : (
            <section class="card" aria-label="Jobs">
              {rows?.length ? <JobTable rows={rows} selected={selected} onSelect={select} /> : null}
              {!current ? (
                <Loading />
              ) : !rows?.length ? (
                <Empty title="No jobs">
                  {text ? (
                    "None of the jobs that are shown has this text. Older ones are read with Show more."
                  ) : status ? (
                    "No job has this status."
                  ) : no ? (
                    "Nobody has started one that this key may see."
                  ) : (
                    <>
                      Start one with New run, or with <code>mlops train --watch</code>.
                    </>
                  )}
                </Empty>
              ) : null}
              {current?.cursor ? (
                <More shown={current.jobs.length} total={current.total} onMore={() => void readMore()} />
              ) : null}
            </section>
          )}
          {selected ? (
            <JobDetail
              key={selected}
              jobId={selected}
              onClose={() => setSelected("")}
              onCancelled={refresh}
              onAgain={(like) => setStarting({ like })}
            />
          ) : null}
        </div>
      </div>
      {starting ? <NewRun {...starting} onStarted={started} onClosed={() => setStarting(null)} /> : null}
    </>
  );
}

interface TableProperties {
  rows: Job[];
  selected: string;
  onSelect: (jobId: string) => void;
}

function JobTable({ rows, selected, onSelect }: TableProperties) {
  const heading = objectiveHeading(rows);
  return (
    <Scroll label="Table of jobs">
      <table>
        <thead>
          <tr>
            <Headings text={["Job", "Status", "Progress"]} numbers={[heading]} />
            <Headings text={["Experiment", "Version", "Duration", "Created"]} />
          </tr>
        </thead>
        <tbody>
          {rows.map((job) => (
            <JobRow key={job.job_id} {...{ job, heading, onSelect }} selected={job.job_id === selected} />
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

interface RowProperties {
  job: Job;
  /** That of the column of objectives. */
  heading: string;
  selected: boolean;
  onSelect: (jobId: string) => void;
}

function JobRow({ job, heading, selected, onSelect }: RowProperties) {
  const { epoch, epochs } = job.progress;
  const ran = job.started_at ? duration(secondsBetween(job.started_at, job.completed_at)) : "";
  return (
    <tr aria-selected={selected}>
      <th scope="row">
        <button class="link mono" type="button" aria-expanded={selected} onClick={() => onSelect(job.job_id)}>
          {job.job_id}
        </button>
      </th>
      <td>
        <Tag status={job.status} />
        {job.error ? (
          <div class="why" title={job.error}>
            {job.error}
          </div>
        ) : null}
      </td>
      <td>
        {epochs && !hasEnded(job) ? (
          <progress
            class="above"
            max={epochs}
            value={epoch}
            aria-label={`${job.job_id}: epoch ${epoch} of ${epochs}`}
          />
        ) : null}{" "}
        <span class="faint">{epochsText(epoch, epochs)}</span>
      </td>
      <td class="number">{objectiveText({ objective: job.objective, metrics: job.metrics ?? {} }, heading)}</td>
      <td class="long" title={job.experiment_name}>
        {job.experiment_name}
      </td>
      <td>{job.model_version ?? ""}</td>
      <td>{ran}</td>
      <td class="faint">{ago(job.created_at)}</td>
    </tr>
  );
}
