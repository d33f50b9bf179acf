// Whether the platform is well, how busy it is, and about what it costs.

import { api } from "./api.js";
import { fill, h } from "./dom.js";
import { number } from "./format.js";
import { card, pageHead, reason, tag } from "./parts.js";

// Fargate Spot in us-east-1, Linux on x86_64, two vCPU and 4 GB: a job's size in template.yaml. Dollars an hour.
const JOB_PRICE = 0.0296;
// At rest: db.t4g.micro with 20 GB, the rest of the platform is pennies. Dollars a month.
const REST_PRICE = 14;
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

const tile = (name, value, more) => h("div", { class: "card tile" }, h("dt", {}, name), h("dd", {}, value, h("small", {}, more)));
const dollars = (value) => `$${value < 0.01 && value > 0 ? Number(value.toPrecision(2)) : value.toFixed(2)}`;

function show(ready, counts, jobs, stats) {
  const seconds = jobs.filter((job) => job.started_at).reduce((sum, job) => sum + Math.max(0, (job.completed_at ? Date.parse(job.completed_at) : Date.now()) - Date.parse(job.started_at)) / 1000, 0);
  const answered = stats.problem ? null : stats;
  return [
    h("dl", { class: "tiles" },
      tile("Platform", tag(ready.status), "what stands behind the API"),
      tile("Jobs now", number(counts.running + counts.pending), `${counts.running} running, ${counts.pending} waiting`),
      tile("Predictions, 24 h", answered ? number(answered.total_predictions) : "–", answered ? `${number(answered.cache_hits)} from the cache` : "not counted yet"),
      tile("Latency, 95th percentile", answered?.latency.p95_ms === null || !answered ? "–" : `${number(answered.latency.p95_ms)} ms`, "within the function")),
    h("div", { class: "halves" },
      card("Behind the API", h("div", { class: "scroll" }, h("table", {}, h("tbody", {}, Object.entries(ready.dependencies).map(([name, found]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, h("span", { class: found.ok ? "tag good" : "tag bad" }, found.ok ? "answers" : "down")), h("td", { class: "quiet wrap" }, found.detail))))))),
      card("Cost, about", h("div", { class: "stack" }, h("dl", { class: "facts" },
        [["At rest, a month", dollars(REST_PRICE)], [`Training, last ${jobs.length} jobs`, dollars(seconds / 3600 * JOB_PRICE)], ["Time trained", `${number(Math.round(seconds / 60))} min`], ["A job, on average", jobs.length ? dollars(seconds / 3600 * JOB_PRICE / jobs.length) : "–"]].flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
        h("p", { class: "faint" }, "On AWS, from the time jobs took at Fargate Spot's price in us-east-1. A local stack costs nothing; the bill is what counts.")))),
    card("Jobs by state", h("dl", { class: "tiles" }, STATES.map((state) => h("div", {}, h("dt", {}, tag(state)), h("dd", {}, number(counts[state])))))),
    stats.problem ? h("p", { class: "faint" }, reason(stats.problem)) : null,
  ].flat().filter(Boolean);
}
