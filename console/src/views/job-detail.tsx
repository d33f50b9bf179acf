/** One job: its facts and its log. */

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { may, useMe } from "../access";
import { announce } from "../announce";
import * as api from "../api";
import { Facts, NotFound, Tag } from "../components/basics";
import { Button } from "../components/controls";
import { Detail } from "../components/detail";
import { dollars, number, words } from "../format";
import { ApiError } from "../http";
import { usePolling } from "../polling";
import { useProblems } from "../problems";
import { linkTo } from "../routing";
import type { Job, LogPage } from "../schema";
import { hasEnded } from "./job-list";
import { appendLines } from "./log-lines";

const INTERVAL = 1500;
/** Milliseconds for which the log of an ended job is still read: its last lines arrive late. */
const LATE_LOGS = 15_000;
interface Properties {
  jobId: string;
  onClose: () => void;
  onCancelled: () => void;
  /** Called to start the same run with changes. */
  onAgain: (job: Job) => void;
}

export function JobDetail({ jobId, onClose, onCancelled, onAgain }: Properties) {
  const me = useMe();
  const [job, setJob] = useState<Job | null>();
  const [lines, setLines] = useState<string[]>();
  const cursor = useRef<string | null>(null);
  const looksLeft = useRef(LATE_LOGS / INTERVAL);
  const { attempt } = useProblems();
  usePolling(
    async (signal) => {
      const seen = await jobOf(jobId, signal);
      setJob(seen);
      if (!seen) return false;
      const page = await logs(jobId, cursor.current, signal);
      cursor.current = page.next_cursor ?? cursor.current;
      setLines((before = []) => appendLines(before, page.lines));
      if (hasEnded(seen)) looksLeft.current -= 1;
      return looksLeft.current > 0;
    },
    INTERVAL,
    [jobId],
  );
  const cancel = () =>
    attempt(async () => {
      await api.cancelJob(jobId);
      announce(`${jobId} is being cancelled`);
      onCancelled();
    });
  const tools =
    !job || !may(me, "train") ? null : hasEnded(job) ? (
      <Button class="button small" onClick={() => onAgain(job)}>
        Run again
      </Button>
    ) : (
      <Button class="button small danger" onClick={() => void cancel()}>
        Cancel the job
      </Button>
    );
  return (
    <Detail class="detail" label={jobId} title={jobId} mono tools={tools} closing="Close" onClose={onClose}>
      {job === null ? (
        <NotFound kind="job" name={jobId} />
      ) : (
        <div class="body stack">
          {job?.error ? <p class="banner">{job.error}</p> : null}
          {job ? <Facts of={factsOf(job)} /> : null}
          <h3>Log</h3>
          <Logs lines={lines} />
        </div>
      )}
    </Detail>
  );
}

/** Null where there is no job of that id, or where the key is not for it. */
async function jobOf(jobId: string, signal: AbortSignal): Promise<Job | null> {
  try {
    return await api.job(jobId, { signal });
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 422)) return null;
    throw error;
  }
}

async function logs(
  jobId: string,
  cursor: string | null,
  signal: AbortSignal,
): Promise<Pick<LogPage, "lines" | "next_cursor">> {
  try {
    return await api.jobLogs(jobId, cursor, { signal });
  } catch (error) {
    // A job that has not started has no log yet.
    if (error instanceof ApiError && error.status === 404) return { lines: [], next_cursor: null };
    throw error;
  }
}

function factsOf(job: Job): [string, ComponentChildren][] {
  const version = job.model_version ? ` version ${job.model_version}` : "";
  const values = Object.entries({ ...job.metrics, ...job.params } as Record<string, number | string>);
  return [
    ["Status", <Tag key="status" status={job.status} />],
    [
      "Run",
      job.run_id ? (
        <a href={linkTo("runs", { experiment: job.experiment_name, run: job.run_id })}>{job.run_id.slice(0, 12)}</a>
      ) : null,
    ],
    [
      "Sweep",
      job.sweep_id ? <a href={linkTo("jobs", { sweep: job.sweep_id, job: job.job_id })}>{job.sweep_id}</a> : null,
    ],
    [
      "Model",
      job.model_name && job.model_version ? (
        <a href={linkTo("models", { model: job.model_name })}>{`${job.model_name}${version}`}</a>
      ) : (
        job.model_name
      ),
    ],
    ["Cost on AWS", job.cost_usd == null ? null : `about ${dollars(job.cost_usd)}`],
    ...values.map(([name, value]): [string, string] => [words(name), number(value)]),
  ];
}

/** The lines. The view follows the newest one unless the reader has scrolled up. */
function Logs({ lines }: { lines: string[] | undefined }) {
  const element = useRef<HTMLElement>(null);
  const below = useRef(true);
  useLayoutEffect(() => {
    if (element.current && below.current) element.current.scrollTop = element.current.scrollHeight;
  }, [lines]);
  const scrolled = (event: Event) => {
    const { scrollHeight, scrollTop, clientHeight } = event.currentTarget as HTMLElement;
    below.current = scrollHeight - scrollTop - clientHeight < 30;
  };
  return (
    <section
      ref={element}
      class="logs"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable without a mouse
      tabIndex={0}
      aria-label="Log of the job"
      onScroll={scrolled}
    >
      <pre>{!lines ? "…" : lines.length ? lines.join("\n") : "No lines yet."}</pre>
    </section>
  );
}
