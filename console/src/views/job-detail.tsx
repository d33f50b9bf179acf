/** One job: its facts and its log. */

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { announce } from "../announce";
import * as api from "../api";
import { Card, Facts, Tag } from "../components/basics";
import { number, words } from "../format";
import { ApiError } from "../http";
import { usePolling } from "../polling";
import { useProblems } from "../problems";
import type { Job, LogPage } from "../schema";
import { appendLines } from "./log-lines";

const INTERVAL = 1500;
/** Milliseconds for which the log of an ended job is still read: its last lines arrive late. */
const LATE_LOGS = 15_000;
const ENDED = ["completed", "failed", "cancelled", "pruned"];

export const hasEnded = (job: Pick<Job, "status">): boolean => ENDED.includes(job.status);

interface Properties {
  jobId: string;
  onClose: () => void;
  onCancelled: () => void;
}

export function JobDetail({ jobId, onClose, onCancelled }: Properties) {
  const [job, setJob] = useState<Job>();
  const [lines, setLines] = useState<string[]>();
  const cursor = useRef<string | null>(null);
  const looksLeft = useRef(LATE_LOGS / INTERVAL);
  const { attempt } = useProblems();
  usePolling(
    async (signal) => {
      const seen = await api.job(jobId, { signal });
      setJob(seen);
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
  const tools = (
    <>
      {job && !hasEnded(job) ? (
        <button class="button small danger" type="button" onClick={cancel}>
          Cancel the job
        </button>
      ) : null}
      <button class="button small plain" type="button" aria-label="Close" onClick={onClose}>
        ✕
      </button>
    </>
  );
  return (
    <Card title={jobId} tools={tools}>
      <div class="stack">
        {job?.error ? <p class="banner">{job.error}</p> : null}
        {job ? <Facts of={factsOf(job)} /> : null}
        <h3>Log</h3>
        <Logs lines={lines} />
      </div>
    </Card>
  );
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
    ["Run", job.run_id ? <code>{job.run_id.slice(0, 12)}</code> : null],
    ["Sweep", job.sweep_id],
    ["Model", job.model_name ? `${job.model_name}${version}` : null],
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
