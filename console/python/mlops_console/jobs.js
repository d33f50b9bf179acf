// Jobs and sweeps as they run.

import { api, path, query } from "./api.js";
import { announce, fill, h, keyed } from "./dom.js";
import { accuracy, ago, number, percent, took, words } from "./format.js";
import { card, empty, factRows, field, openDialog, pageHead, reason, segments, tag } from "./parts.js";

const PAGE = 50;
const LOOK = 1500;
const LOGS_LATE = 15000;
const ENDED = ["completed", "failed", "cancelled"];

export async function mount(root, context) {
  let status = "";
  let shown = PAGE;
  let selected = context.params.get("job");
  const body = h("tbody", {});
  const more = h("div", { class: "more", hidden: true });
  const none = h("div", {}, h("p", { class: "empty" }, "Looking…"));
  const detail = h("div", { hidden: true });
  const split = h("div", { class: "split alone" },
    h("section", { class: "card", "aria-label": "Jobs" },
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of jobs" }, h("table", {},
        h("thead", {}, h("tr", {}, ["Job", "Status", "Progress"].map((name) => h("th", { scope: "col" }, name)), h("th", { scope: "col", class: "number" }, "Accuracy"),
          ["Experiment", "Version", "Took", "Created"].map((name) => h("th", { scope: "col" }, name)))), body)), none, more),
    detail);
  const filter = segments("Status", [["", "All"], ["running", "Running"], ["completed", "Completed"], ["failed", "Failed"]], status, (name) => { status = name; shown = PAGE; refresh(); });
  fill(root, pageHead("Jobs", "Training runs and how far they are.", filter,
    h("button", { class: "button primary", type: "button", onclick: () => newRun(context, (job) => { if (job && job !== selected) select(job); refresh(); }) }, "New run")), split);

  function select(job) {
    selected = selected === job ? null : job;
    for (const row of body.rows) row.setAttribute("aria-selected", String(row.dataset.job === selected));
    showDetail(detail, split, selected, context, () => select(selected), refresh);
  }

  async function load() {
    const jobs = [];
    let page = {};
    do {
      page = await api.get(`train/jobs${query({ status, limit: Math.min(100, shown - jobs.length), cursor: page.next_cursor })}`, { signal: context.signal });
      jobs.push(...page.jobs);
    } while (page.next_cursor && jobs.length < shown);
    return { jobs, total: page.total_count };
  }

  async function refresh() {
    await context.attempt(look);
  }

  async function look() {
    const asked = status;
    const { jobs, total } = await load();
    if (asked !== status) return;
    keyed(body, jobs, (job) => job.job_id, (job) => row(job, job.job_id === selected, select));
    for (const each of body.querySelectorAll("[data-since]")) fill(each, ago(each.dataset.since));
    fill(none, jobs.length ? null : empty("No jobs here", status ? "None is in this state." : "Start one with New run, or `mlops train --watch`."));
    more.hidden = jobs.length >= total;
    fill(more, h("span", { class: "faint" }, `${jobs.length} of ${number(total)}`),
      h("button", { class: "button small", type: "button", "data-key": "more", onclick: () => { shown += PAGE; refresh(); } }, "Show more"));
  }

  if (selected) showDetail(detail, split, selected, context, () => select(selected), refresh);
  await context.every(LOOK, look);
}

function row(job, selected, select) {
  return h("tr", { "data-job": job.job_id, "aria-selected": String(selected) },
    h("th", { scope: "row" }, h("button", { class: "link mono", type: "button", "data-key": job.job_id, onclick: () => select(job.job_id) }, job.job_id)),
    h("td", {}, tag(job.status)),
    h("td", {}, h("progress", { max: job.progress.epochs || 1, value: job.progress.epoch, "aria-label": `${job.job_id}: epoch ${job.progress.epoch} of ${job.progress.epochs}` }), " ",
      h("span", { class: "faint" }, `${job.progress.epoch}/${job.progress.epochs}`)),
    h("td", { class: "number" }, percent(accuracy(job.metrics), 2)),
    h("td", {}, job.experiment_name),
    h("td", {}, job.model_version ? String(job.model_version) : ""),
    h("td", {}, ENDED.includes(job.status) ? took(job.started_at, job.completed_at) : ""),
    h("td", { class: "faint", "data-since": job.created_at }, ago(job.created_at)));
}

function showDetail(detail, split, jobId, context, close, refresh) {
  detail.watch?.abort();
  split.classList.toggle("alone", !jobId);
  detail.hidden = !jobId;
  if (!jobId) return;
  const watch = new AbortController();
  detail.watch = watch;
  context.signal.addEventListener("abort", () => watch.abort());
  const facts = h("dl", { class: "facts" });
  const logs = h("pre", { class: "logs", tabindex: "0", "aria-label": "What the job wrote" }, "…");
  const problem = h("p", { class: "banner", hidden: true });
  const cancel = h("button", { class: "button small danger", type: "button", hidden: true, onclick: () => context.attempt(async () => { await api.remove(path("train", "jobs", jobId)); announce(`${jobId} is being cancelled`); refresh(); }) }, "Cancel the job");
  fill(detail, card(jobId, h("div", { class: "stack" }, problem, facts, h("h3", {}, "Logs"), logs), cancel,
    h("button", { class: "button small plain", type: "button", "aria-label": "Close", onclick: close }, "✕")));
  let cursor = null;
  let lines = [];
  // Log lines arrive some seconds after they were written.
  let patience = LOGS_LATE / LOOK;
  const look = async () => {
    const job = await api.get(path("train", "status", jobId), { signal: watch.signal });
    problem.hidden = !job.error;
    fill(problem, job.error ?? "");
    cancel.hidden = ENDED.includes(job.status);
    fill(facts, factRows([
      ["Status", tag(job.status)],
      ["Run", job.run_id && h("code", {}, job.run_id.slice(0, 12))],
      ["Sweep", job.sweep_id],
      ["Model", job.model_name && `${job.model_name}${job.model_version ? ` version ${job.model_version}` : ""}`],
      ...Object.entries({ ...job.metrics, ...job.params }).map(([name, value]) => [words(name), number(value)]),
    ]));
    const page = await api.get(`${path("train", "jobs", jobId, "logs")}${query({ cursor })}`, { signal: watch.signal }).catch((error) => { if (error.status === 404) return { lines: [] }; throw error; });
    if (page.lines.length) {
      lines = [...lines, ...page.lines.map((line) => readable(line.message))].slice(-500);
      const below = logs.scrollHeight - logs.scrollTop - logs.clientHeight < 30;
      fill(logs, lines.join("\n"));
      if (below) logs.scrollTop = logs.scrollHeight;
    } else if (!lines.length) fill(logs, "Nothing yet.");
    cursor = page.next_cursor ?? cursor;
    if (ENDED.includes(job.status)) patience -= 1;
    return patience > 0;
  };
  (async () => {
    while (!watch.signal.aborted) {
      try { if (!(await look())) return; } catch (error) { if (error.name === "AbortError") return; context.failed(error); if (!error.down) return; }
      await new Promise((done) => setTimeout(done, LOOK));
    }
  })();
}

function readable(message) {
  try {
    const { event, time = "", elapsed, request_id, ...rest } = JSON.parse(message);
    return `${time.slice(11, 19)}  ${event}  ${Object.entries(rest).map(([name, value]) => `${name}=${typeof value === "number" ? number(value) : value}`).join(" ")}`;
  } catch {
    return message;
  }
}

function newRun(context, started) {
  openDialog("New run", (close) => {
    const problem = h("p", { class: "banner", role: "alert", hidden: true });
    const input = (name, value, more = {}) => h("input", { name, value, ...more });
    let many = false;
    const runs = h("div", { class: "fields", hidden: true },
      field("Runs", input("num_runs", 8, { type: "number", min: 1, max: 100 })),
      field("Promote the best to", h("select", { name: "stage" }, h("option", { value: "" }, "nowhere"), h("option", {}, "Staging"), h("option", {}, "Production"))));
    const one = h("div", { class: "fields" },
      field("Learning rate", input("learning_rate", 0.003, { type: "number", min: 0.00001, max: 1, step: "any" })),
      field("Hidden size", input("hidden_size", 128, { type: "number", min: 32, max: 512 })),
      field("Batch size", input("batch_size", 64, { type: "number", min: 8, max: 512 })),
      field("Dropout", input("dropout", 0.2, { type: "number", min: 0, max: 0.5, step: "any" })));
    const kind = segments("What to start", [["one", "One run"], ["many", "A sweep"]], "one", (name) => { many = name === "many"; runs.hidden = !many; one.hidden = many; });
    const form = h("form", {
      onsubmit: async (event) => {
        event.preventDefault();
        const given = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
        for (const name of ["num_runs", "learning_rate", "hidden_size", "batch_size", "dropout", "epochs"]) if (name in given) given[name] = Number(given[name]);
        for (const name of many ? ["learning_rate", "hidden_size", "batch_size", "dropout"] : ["num_runs", "stage"]) delete given[name];
        try {
          const found = await api.start(many ? "sweeps" : "train", given);
          announce(many ? `${found.sweep_id} started` : `${found.job_id} started`);
          close();
          started(found.job_id);
        } catch (error) {
          fill(problem, reason(error));
          problem.hidden = false;
        }
      },
    },
    h("h2", {}, "New run"), kind, problem,
    h("div", { class: "fields" }, field("Model type", h("select", { name: "model_type" }, ["mlp", "cnn", "logistic_regression", "random_forest", "svm"].map((name) => h("option", {}, name)))),
      field("Epochs", input("epochs", 10, { type: "number", min: 1, max: 100 }))),
    one, runs,
    field("Data set", input("dataset", "digits"), "digits, mnist, or the s3:// or https:// address of an npz or CSV file"),
    h("div", { class: "fields" }, field("Experiment", input("experiment_name", "digit-classification")), field("Registered model", input("model_name", "digit-classifier"))),
    h("div", { class: "acts" }, h("button", { class: "button plain", type: "button", onclick: close }, "Cancel"), h("button", { class: "button primary" }, "Start")));
    return form;
  });
}
