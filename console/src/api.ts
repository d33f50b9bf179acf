/** The API's routes that the console uses, with the types of openapi.json. */

import { get, type Options, post, postOnce, remove } from "./http";
import type {
  Comparison,
  DriftColumns,
  DriftHistory,
  DriftStats,
  DriftStatus,
  ExperimentList,
  Health,
  Job,
  JobList,
  LogPage,
  ModelDetail,
  ModelList,
  ModelTypeList,
  PredictRequest,
  PredictResponse,
  Ready,
  RunDetail,
  RunList,
  SweepAccepted,
  TrainAccepted,
  Transition,
  TransitionHistory,
} from "./schema";

type Values = Record<string, string | number | null | undefined>;

/** A path from its parts, which are encoded. */
export const path = (...parts: (string | number)[]): string => parts.map(encodeURIComponent).join("/");

/** "?a=1&b=2" from the values that are not empty. */
export function query(values: Values): string {
  const present = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return present.length ? `?${new URLSearchParams(present.map(([name, value]) => [name, String(value)]))}` : "";
}

const OPEN = { key: null };
const RETRIED = { attempts: 3 };
/** Seconds that the API may hold the answer until the transition has ended. */
const WAIT = 20;

export const health = (options?: Options) => get<Health>("health", { ...OPEN, ...options });
/** Degraded is a 503 whose body says which dependency does not answer. */
export const ready = (options?: Options) => get<Ready>("ready", { ...OPEN, ...options });

export const jobs = (values: { status?: string; limit: number; cursor?: string | null }, options?: Options) =>
  get<JobList>(`train/jobs${query(values)}`, options);
export const job = (jobId: string, options?: Options) => get<Job>(path("train", "status", jobId), options);
export const jobLogs = (jobId: string, cursor: string | null, options?: Options) =>
  get<LogPage>(`${path("train", "jobs", jobId, "logs")}${query({ cursor })}`, options);
export const cancelJob = (jobId: string) => remove<unknown>(path("train", "jobs", jobId));
export const train = (request: Record<string, unknown>) => postOnce<TrainAccepted>("train", request);
export const sweep = (request: Record<string, unknown>) => postOnce<SweepAccepted>("sweeps", request);
export const modelTypes = (options?: Options) => get<ModelTypeList>("model-types", options);

export const experiments = (options?: Options) => get<ExperimentList>(`experiments${query({ limit: 200 })}`, options);
export const runs = (experiment: string, limit: number, cursor: string | null | undefined, options?: Options) =>
  get<RunList>(`${path("experiments", experiment)}${query({ order_by: "objective desc", limit, cursor })}`, options);
export const run = (experiment: string, runId: string, options?: Options) =>
  get<RunDetail>(path("experiments", experiment, "runs", runId), { ...RETRIED, ...options });
export const compare = (experiment: string, runIds: string[], options?: Options) =>
  get<Comparison>(`${path("experiments", experiment, "compare")}${query({ runs: runIds.join(",") })}`, {
    ...RETRIED,
    ...options,
  });

export const models = (options?: Options) => get<ModelList>(`models${query({ limit: 200 })}`, options);
export const model = (name: string, options?: Options) => get<ModelDetail>(path("models", name), options);
export const modelHistory = (name: string, options?: Options) =>
  get<TransitionHistory>(`${path("models", name, "history")}${query({ limit: 20 })}`, options);
export const transition = (id: string, options?: Options) =>
  get<Transition>(path("models", "transitions", id), { ...RETRIED, ...options });
export const moveVersion = (request: Record<string, unknown>) =>
  postOnce<Transition>(`models/transition${query({ wait: WAIT })}`, request);
export const rollBack = (name: string, reason: string) =>
  postOnce<Transition>(`${path("models", name, "rollback")}${query({ wait: WAIT })}`, reason ? { reason } : {});

export const predict = (route: "predict" | "predict/staging", request: PredictRequest, options?: Options) =>
  post<PredictResponse>(route, request, options);

export const driftStatus = (name: string, hours: number, options?: Options) =>
  get<DriftStatus>(`drift/status${query({ model_name: name, current_hours: hours })}`, options);
export const driftColumn = (name: string, column: string, hours: number, options?: Options) =>
  get<DriftColumns>(`drift/columns${query({ model_name: name, column, current_hours: hours })}`, options);
export const driftHistory = (name: string, hours: number, stepHours: number, options?: Options) =>
  get<DriftHistory>(`drift/history${query({ model_name: name, hours, step_hours: stepHours })}`, options);
export const driftStats = (hours: number, options?: Options) =>
  get<DriftStats>(`drift/stats${query({ hours })}`, options);
