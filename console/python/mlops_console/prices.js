// What the health page reckons with: list prices in dollars of one region, on the day on which they were looked up.
// docs/cost.md has the arithmetic; a test holds the two, and the job's size in template.yaml, to each other.

export const PRICES = {
  "region": "us-east-1",
  "checked": "2026-11-23",
  "fargate_vcpu_hour": 0.04048,
  "fargate_gb_hour": 0.004445,
  "spot_share": 0.3,
  "ipv4_hour": 0.005,
  "rest_month": 17
};
/** A training job's size. */
export const JOB = { "vcpus": 2, "gb": 4 };

/** Dollars for an hour of a training job on Fargate Spot, at the lowest that AWS promises for it. */
export const jobHour = (JOB.vcpus * PRICES.fargate_vcpu_hour + JOB.gb * PRICES.fargate_gb_hour) * PRICES.spot_share + PRICES.ipv4_hour;
