/** Training jobs as they run. */

import { useState } from "preact/hooks";
import * as api from "../api";
import { Empty, Headings, Loading, More, PageHead, Scroll, Tag } from "../components/basics";
import { Button, type Option, Segments } from "../components/controls";
import { ago, duration, epochsText, objectiveHeading, objectiveText, secondsBetween } from "../format";
import { usePolling } from "../polling";
import type { Job, JobList } from "../schema";
import { hasEnded, JobDetail } from "./job-detail";
import { NewRun } from "./new-run";

const INTERVAL = 1500;
const PAGE = 50;
/** The API's largest page. */
const MAX_PAGE = 100;
const STATUSES: Option[] = [
  ["", "All"],
  ["running", "Running"],
  ["completed", "Completed"],
  ["failed", "Failed"],
];

export function Jobs({ params }: { params: URLSearchParams }) {
  const [status, setStatus] = useState("");
  const [shown, setShown] = useState(PAGE);
  const [selected, setSelected] = useState(params.get("job"));
  const [starting, setStarting] = useState(false);
  const [seen, setSeen] = useState<{ status: string; jobs: Job[]; total: number }>();
  const refresh = usePolling(
    async (signal) => {
      const page = await firstJobs(shown, status, signal);
      setSeen({ status, jobs: page.jobs, total: page.total_count });
      return undefined;
    },
    INTERVAL,
    [status, shown],
  );
  const started = (jobId: string | undefined) => {
    if (jobId) setSelected(jobId);
    refresh();
  };
  const filter = (name: string) => {
    setStatus(name);
    setShown(PAGE);
  };
  const heading = objectiveHeading(seen?.jobs.length ? seen.jobs : [{}]);
  return (
    <>
      <PageHead title="Jobs" text="Training jobs, their progress and their logs.">
        <Segments label="Status" options={STATUSES} chosen={status} onChoose={filter} />
        <Button class="button primary" onClick={() => setStarting(true)}>
          New run
        </Button>
      </PageHead>
      <div class={selected ? "split" : "split alone"}>
        <section class="card" aria-label="Jobs">
          <Scroll label="Table of jobs">
            <table>
              <thead>
                <tr>
                  <Headings text={["Job", "Status", "Progress"]} numbers={[heading]} />
                  <Headings text={["Experiment", "Version", "Duration", "Created"]} />
                </tr>
              </thead>
              <tbody>
                {seen?.jobs.map((job) => (
                  <JobRow
                    key={job.job_id}
                    job={job}
                    heading={heading}
                    selected={job.job_id === selected}
                    onSelect={() => setSelected(job.job_id === selected ? null : job.job_id)}
                  />
                ))}
              </tbody>
            </table>
          </Scroll>
          {!seen ? (
            <div class="empty">
              <Loading />
            </div>
          ) : seen.jobs.length ? (
            <More shown={seen.jobs.length} total={seen.total} onMore={() => setShown(shown + PAGE)} />
          ) : (
            <Empty title="No jobs">
              {seen.status ? (
                "No job has this status."
              ) : (
                <>
                  Start one with New run, or with <code>mlops train --watch</code>.
                </>
              )}
            </Empty>
          )}
        </section>
        {selected ? (
          <JobDetail key={selected} jobId={selected} onClose={() => setSelected(null)} onCancelled={refresh} />
        ) : null}
      </div>
      {starting ? <NewRun onStarted={started} onClosed={() => setStarting(false)} /> : null}
    </>
  );
}

async function firstJobs(count: number, status: string, signal: AbortSignal): Promise<JobList> {
  const jobs: Job[] = [];
  let page: JobList;
  let cursor: string | null | undefined;
  do {
    page = await api.jobs(
      { status, limit: Math.min(MAX_PAGE, count - jobs.length), cursor: cursor ?? null },
      { signal },
    );
    jobs.push(...page.jobs);
    cursor = page.next_cursor;
  } while (cursor && jobs.length < count);
  return { ...page, jobs };
}

interface JobRowProperties {
  job: Job;
  /** That of the column of objectives. */
  heading: string;
  selected: boolean;
  onSelect: () => void;
}

function JobRow({ job, heading, selected, onSelect }: JobRowProperties) {
  const { epoch, epochs } = job.progress;
  return (
    <tr aria-selected={selected}>
      <th scope="row">
        <button class="link mono" type="button" onClick={onSelect}>
          {job.job_id}
        </button>
      </th>
      <td>
        <Tag status={job.status} />
      </td>
      <td>
        {epochs ? (
          <progress max={epochs} value={epoch} aria-label={`${job.job_id}: epoch ${epoch} of ${epochs}`} />
        ) : null}{" "}
        <span class="faint">{epochsText(epoch, epochs)}</span>
      </td>
      <td class="number">{objectiveText({ objective: job.objective, metrics: job.metrics ?? {} }, heading)}</td>
      <td>{job.experiment_name}</td>
      <td>{job.model_version ?? ""}</td>
      <td>{hasEnded(job) && job.started_at ? duration(secondsBetween(job.started_at, job.completed_at)) : ""}</td>
      <td class="faint">{ago(job.created_at)}</td>
    </tr>
  );
}
