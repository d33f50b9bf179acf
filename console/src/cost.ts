/**
 * The approximate cost of training on AWS: list prices of one region in dollars, on the day on which they were looked up.
 * docs/cost.md has the arithmetic; a test compares prices.json with it, and the job's size with template.yaml.
 */

import { secondsBetween } from "./format";
import { job, prices } from "./prices.json";
import type { Job } from "./schema";

export { job as JOB, prices as PRICES };

/** Dollars for one hour of a training job on Fargate Spot, at the lowest discount that AWS promises. */
export const JOB_HOUR =
  (job.vcpus * prices.fargate_vcpu_hour + job.gb * prices.fargate_gb_hour) * prices.spot_share + prices.ipv4_hour;

type Ran = Pick<Job, "started_at" | "completed_at">;

/** Seconds that jobs ran; those that still run count up to now. */
export const secondsTrained = (jobs: Ran[]): number =>
  jobs.reduce((sum, job) => sum + (job.started_at ? secondsBetween(job.started_at, job.completed_at) : 0), 0);

export const trainingCost = (seconds: number): number => (seconds / 3600) * JOB_HOUR;
