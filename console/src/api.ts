/** The API's routes that the console uses, with the types of openapi.json. */

import { ApiError, change, get, type Options, post, postOnce, remove } from "./http";
import type {
  ArtifactContent,
  ArtifactFileList,
  BatchPredictRequest,
  BatchPredictResponse,
  BinEntry,
  BinList,
  Comparison,
  CreatedWebhook,
  DatasetList,
  DriftColumns,
  DriftHistory,
  DriftStats,
  DriftStatus,
  EditedRun,
  ExperimentList,
  Health,
  Job,
  JobList,
  KeyHistory,
  KeyShare,
  LogPage,
  Me,
  Model,
  ModelContract,
  ModelDetail,
  ModelList,
  ModelTypeList,
  PerformanceHistory,
  PerformanceStatus,
  PredictRequest,
  PredictResponse,
  Ready,
  Rollout,
  RolloutList,
  RolloutRequest,
  RunDetail,
  RunList,
  SweepAccepted,
  SweepList,
  SweepState,
  TrainAccepted,
  Transition,
  TransitionHistory,
  WebhookDetail,
  WebhookList,
  WebhookSecret,
  WebhookState,
  WebhookTestAccepted,
} from "./schema";

export type Stage = "Production" | "Staging";
type Values = Record<string, string | number | null | undefined>;

/** The API's largest page of most lists. */
const PAGE = 200;
/** Pages that a list is read to: 2,000 entries. */
const MOST_PAGES = 10;

/** The pages of a list, one after the other. */
async function pages<Page extends { next_cursor?: string | null }>(
  load: (cursor: string | null) => Promise<Page>,
): Promise<Page[]> {
  const found: Page[] = [];
  let cursor: string | null = null;
  do {
    const page: Page = await load(cursor);
    found.push(page);
    cursor = page.next_cursor ?? null;
  } while (cursor && found.length < MOST_PAGES);
  return found;
}

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
/** Every key may ask this, whatever its role is. */
export const me = (options?: Options) => get<Me>("me", options);
/** Sent once only: it spends the token. */
export const spendToken = (token: string) => post<KeyShare>("session/token", { token }, OPEN);
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
export const sweeps = (limit: number, cursor: string | null, options?: Options) =>
  get<SweepList>(`sweeps${query({ limit, cursor })}`, options);
export const cancelSweep = (sweepId: string) => remove<SweepState>(path("sweeps", sweepId));
export const sweepState = (sweepId: string, options?: Options) => get<SweepState>(path("sweeps", sweepId), options);
export const modelTypes = (options?: Options) => get<ModelTypeList>("model-types", options);

export const experiments = (options?: Options) => get<ExperimentList>(`experiments${query({ limit: 200 })}`, options);
export const datasets = (limit: number, cursor: string | null, options?: Options) =>
  get<DatasetList>(`datasets${query({ limit, cursor })}`, options);
export const runs = (experiment: string, limit: number, cursor: string | null | undefined, options?: Options) =>
  get<RunList>(`${path("experiments", experiment)}${query({ order_by: "objective desc", limit, cursor })}`, options);
export const run = (experiment: string, runId: string, options?: Options) =>
  get<RunDetail>(path("experiments", experiment, "runs", runId), { ...RETRIED, ...options });
export const editRun = (experiment: string, runId: string, edit: Record<string, unknown>) =>
  change<EditedRun>(path("experiments", experiment, "runs", runId), edit);
/** A small file, within the answer: the page asks no other origin. */
export const artifactContent = (experiment: string, runId: string, file: string, options?: Options) =>
  get<ArtifactContent>(
    `${path("experiments", experiment, "runs", runId, "artifacts", "content")}${query({ path: file })}`,
    options,
  );
export const artifactAddresses = (experiment: string, runId: string, file: string) =>
  get<ArtifactFileList>(`${path("experiments", experiment, "runs", runId, "artifacts")}${query({ path: file })}`);
export const compare = (experiment: string, runIds: string[], options?: Options) =>
  get<Comparison>(`${path("experiments", experiment, "compare")}${query({ runs: runIds.join(",") })}`, {
    ...RETRIED,
    ...options,
  });

export const models = (options?: Options) => get<ModelList>(`models${query({ limit: PAGE })}`, options);
export const allModels = async (options?: Options): Promise<Model[]> =>
  (await pages((cursor) => get<ModelList>(`models${query({ limit: PAGE, cursor })}`, options))).flatMap(
    ({ models }) => models,
  );
export const model = (name: string, options?: Options) =>
  get<ModelDetail>(`${path("models", name)}${query({ limit: 1 })}`, options);
/** The version in each stage; null where there is none, as of a model that does not exist. */
export async function serving(name: string, options?: Options): Promise<Record<Stage, number | null>> {
  try {
    const { production_version, staging_version } = await model(name, options);
    return { Production: production_version, Staging: staging_version };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return { Production: null, Staging: null };
    throw error;
  }
}
/** A model with all its versions, or the newest of very many; then `next_cursor` is not null. */
export async function wholeModel(name: string, options?: Options): Promise<ModelDetail> {
  const found = await pages((cursor) =>
    get<ModelDetail>(`${path("models", name)}${query({ limit: PAGE, cursor })}`, options),
  );
  const [first, last] = [found[0], found.at(-1)];
  if (!first || !last) throw new Error("a list has at least one page");
  return { ...first, versions: found.flatMap(({ versions }) => versions), next_cursor: last.next_cursor ?? null };
}
/** What the version in a stage takes; null where the stage has none. */
export async function contract(name: string, stage: Stage, options?: Options): Promise<ModelContract | null> {
  try {
    return await get<ModelContract>(`${path("models", name, "contract")}${query({ stage })}`, options);
  } catch (error) {
    if (error instanceof ApiError && (error.status === 409 || error.status === 404)) return null;
    throw error;
  }
}
export const modelHistory = (name: string, options?: Options) =>
  get<TransitionHistory>(`${path("models", name, "history")}${query({ limit: 20 })}`, options);
export const transition = (id: string, options?: Options) =>
  get<Transition>(path("models", "transitions", id), { ...RETRIED, ...options });
export const moveVersion = (request: Record<string, unknown>) =>
  postOnce<Transition>(`models/transition${query({ wait: WAIT })}`, request);
export const rollBack = (name: string, reason: string) =>
  postOnce<Transition>(`${path("models", name, "rollback")}${query({ wait: WAIT })}`, reason ? { reason } : {});

/** What is in the bin of the models and experiments that the key is for, the oldest first. */
export const bin = async (options?: Options): Promise<BinEntry[]> =>
  (await pages((cursor) => get<BinList>(`bin${query({ limit: PAGE, cursor })}`, options))).flatMap(
    ({ entries }) => entries,
  );
/** Take a version out of the bin, or without one a whole model. */
export const restore = (name: string, version: number | null) =>
  post<BinEntry>(version ? path("models", name, "versions", version, "restore") : path("models", name, "restore"), {});

export const predict = (stage: Stage, request: PredictRequest, explain: boolean, options?: Options) =>
  post<PredictResponse>(
    `${stage === "Staging" ? "predict/staging" : "predict"}${query({ explain: explain ? "true" : "" })}`,
    request,
    { ...RETRIED, ...options },
  );

/** The rows are answered by the version of the contract, or not at all. */
export const predictRows = (
  { model_name, model_version }: Pick<ModelContract, "model_name" | "model_version">,
  rows: BatchPredictRequest["rows"],
  options?: Options,
) =>
  post<BatchPredictResponse>("predict/batch", { rows, model_name, version: model_version }, { ...RETRIED, ...options });

export const driftStatus = (name: string, hours: number, options?: Options) =>
  get<DriftStatus>(`drift/status${query({ model_name: name, current_hours: hours })}`, options);
export const driftColumn = (name: string, column: string, hours: number, options?: Options) =>
  get<DriftColumns>(`drift/columns${query({ model_name: name, column, current_hours: hours })}`, options);
export const driftHistory = (name: string, hours: number, stepHours: number, options?: Options) =>
  get<DriftHistory>(`drift/history${query({ model_name: name, hours, step_hours: stepHours })}`, options);
export const driftStats = (name: string, hours: number, options?: Options) =>
  get<DriftStats>(`drift/stats${query({ model_name: name, hours })}`, options);

export const decide = (id: string, verb: "approve" | "reject", comment: string) =>
  postOnce<Transition>(
    `${path("models", "transitions", id, verb)}${query({ wait: WAIT })}`,
    comment ? { comment } : {},
  );

export const rollouts = (name: string, options?: Options) =>
  get<RolloutList>(`${path("models", name, "rollouts")}${query({ limit: 5 })}`, options);
export const rollout = (name: string, id: string, options?: Options) =>
  get<Rollout>(path("models", name, "rollouts", id), options);
export const startRollout = (name: string, request: RolloutRequest) =>
  postOnce<Rollout>(path("models", name, "rollouts"), request);
export type RolloutDeed = "pause" | "resume" | "abort" | "complete";
export const steerRollout = (name: string, id: string, deed: RolloutDeed) =>
  post<Rollout>(path("models", name, "rollouts", id, deed), {});

export const performance = (name: string, hours: number, options?: Options) =>
  get<PerformanceStatus>(`performance/status${query({ model_name: name, hours })}`, options);
export const performanceHistory = (name: string, hours: number, stepHours: number, options?: Options) =>
  get<PerformanceHistory>(`performance/history${query({ model_name: name, hours, step_hours: stepHours })}`, options);

export const webhooks = (options?: Options) => get<WebhookList>("webhooks", options);
export const webhook = (id: string, options?: Options) => get<WebhookDetail>(path("webhooks", id), options);
/** Sent once only: a second one would be another webhook. */
export const createWebhook = (request: Record<string, unknown>) => post<CreatedWebhook>("webhooks", request);
export const testWebhook = (id: string) => post<WebhookTestAccepted>(path("webhooks", id, "test"), {});
export const rotateWebhookSecret = (id: string) => post<WebhookSecret>(path("webhooks", id, "secret"), {});
export const deleteWebhook = (id: string) => remove<WebhookState>(path("webhooks", id));
export const keyHistory = (options?: Options) => get<KeyHistory>("keys/history", options);
