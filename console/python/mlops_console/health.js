// Whether the platform is well, how busy it is, and about what it costs.

import { api } from "./api.js";
import { fill, h } from "./dom.js";
import { duration, number, percent } from "./format.js";
import { card, facts, pageHead, reason, tag, tile } from "./parts.js";
import { JOB, PRICES, jobHour } from "./prices.js";

const STATES = ["running", "pending", "completed", "failed", "cancelled"];

export async function mount(root, context) {
  const body = h("div", { class: "stack" }, h("p", { class: "quiet" }, "Looking…"));
  fill(root, pageHead("Health and cost", "What stands behind the API, how busy it is, and about what it costs."), body);
  await context.every(5000, async () => {
    const signal = context.signal;
    // Degraded is a 503 whose body says what does not answer.
    const ready = await api.get("ready", { signal, key: null }).catch((error) => { if (error.body?.dependencies) return error.body; throw error; });
    const recent = await api.get("train/jobs?limit=100", { signal });
    const counts = [];
    for (const status of STATES) counts.push([status, (await api.get(`train/jobs?limit=1&status=${status}`, { signal })).total_count]);
    const stats = await api.get("drift/stats?hours=24", { signal }).catch((error) => { if (error.down || error.name === "AbortError") throw error; return { problem: error }; });
    fill(body, show(ready, Object.fromEntries(counts), recent.jobs, stats));
  });
}

const dollars = (value) => (value > 0 && value < 0.01 ? "less than a cent" : `$${value.toFixed(2)}`);

/** Seconds that jobs ran, those that still run up to now. */
const trained = (jobs) => jobs.filter((job) => job.started_at).reduce((sum, job) => {
  const end = job.completed_at ? Date.parse(job.completed_at) : Date.now();
  return sum + Math.max(0, end - Date.parse(job.started_at)) / 1000;
}, 0);

function show(ready, counts, jobs, stats) {
  const answered = stats.problem ? null : stats;
  return [
    h("dl", { class: "tiles" },
      tile("Platform", tag(ready.status), "what stands behind the API"),
      tile("Jobs now", number(counts.running + counts.pending), `${counts.running} running, ${counts.pending} waiting`),
      tile("Predictions, 24 h", answered ? number(answered.total_predictions) : "–", answered ? `${number(answered.cache_hits)} from the cache` : "not counted yet"),
      tile("Latency, 95th percentile", answered?.latency.p95_ms === null || !answered ? "–" : `${number(answered.latency.p95_ms)} ms`, "within the function")),
    h("div", { class: "halves" },
      card("Behind the API", h("div", { class: "scroll" }, h("table", {}, h("tbody", {}, Object.entries(ready.dependencies).map(([name, found]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, h("span", { class: found.ok ? "tag good" : "tag bad" }, found.ok ? "answers" : "down")), h("td", { class: "quiet wrap" }, found.detail))))))),
      card("Cost on AWS, about", cost(jobs))),
    card("Jobs by state", h("dl", { class: "tiles counts" }, STATES.map((state) => h("div", {}, h("dt", {}, tag(state)), h("dd", {}, number(counts[state])))))),
    stats.problem ? h("p", { class: "faint" }, reason(stats.problem)) : null,
  ].flat().filter(Boolean);
}

function cost(jobs) {
  const seconds = trained(jobs);
  const spent = seconds / 3600 * jobHour;
  return h("div", { class: "stack" },
    facts([
      ["At rest, a month", dollars(PRICES.rest_month)],
      [`Training, last ${jobs.length} jobs`, dollars(spent)],
      ["Time trained", duration(seconds)],
      ["A job, on average", jobs.length ? dollars(spent / jobs.length) : "–"],
    ]),
    h("p", { class: "faint" }, `Assumed: list prices of ${PRICES.region}, looked up on ${PRICES.checked}; a job has ${JOB.vcpus} vCPUs and ${JOB.gb} GB on Fargate Spot, `
      + `at ${percent(1 - PRICES.spot_share, 0)} less than Fargate, with a public address: $${jobHour.toFixed(3)} an hour. A local stack costs nothing.`));
}
