// What was tried: a leaderboard for each experiment, and chosen runs side by side with their learning curves.

import { api, path, query } from "./api.js";
import { lineChart } from "./charts.js";
import { announce, fill, h, keyed } from "./dom.js";
import { accuracy, number, percent, words } from "./format.js";
import { choice, empty, pageHead } from "./parts.js";

const PAGE = 50;
const MOST = 5;
const SHOWN = ["learning_rate", "hidden_size", "batch_size", "dropout", "epochs", "model_type"];
const COMPARED = ["accuracy", "loss", "macro_f1", "macro_precision", "macro_recall", "calibration_error", "prediction_latency_ms", "model_size_bytes"];

export async function mount(root, context) {
  let experiment = context.params.get("experiment");
  let shown = PAGE;
  const chosen = new Map();
  const picker = h("span", {});
  const compare = h("button", { class: "button primary", type: "button", disabled: true, onclick: () => showComparison() }, "Compare");
  const head = h("tr", {});
  const body = h("tbody", {});
  const more = h("div", { class: "more", hidden: true });
  const none = h("div", {}, h("p", { class: "empty" }, "Looking…"));
  const side = h("div", { class: "stack", hidden: true });
  fill(root, pageHead("Runs", "Ranked by accuracy. Choose two or more to see them side by side.", picker, compare),
    h("div", { class: "stack" }, side, h("section", { class: "card", "aria-label": "Leaderboard" }, h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of runs" }, h("table", {}, h("thead", {}, head), body)), none, more)));

  const { experiments } = (await context.attempt(() => api.get(`experiments${query({ limit: 200 })}`, { signal: context.signal }))) ?? {};
  if (!experiments) return;
  const filled = experiments.filter((each) => each.total_runs > 0);
  if (!filled.length) {
    fill(none, empty("No runs yet", "Start one under Jobs, or with `mlops train --watch`."));
    return;
  }
  if (!filled.some((each) => each.name === experiment)) experiment = filled[0].name;
  fill(picker, choice("Experiment", filled.map((each) => [each.name, `${each.name} (${each.total_runs})`]), experiment, (name) => { experiment = name; shown = PAGE; chosen.clear(); pick(); side.hidden = true; refresh(); }));

  function pick() {
    compare.disabled = chosen.size < 2;
    fill(compare, chosen.size ? `Compare ${chosen.size}` : "Compare");
    for (const box of body.querySelectorAll("input")) box.disabled = !box.checked && chosen.size >= MOST;
  }

  async function look() {
    const wanted = experiment;
    const runs = [];
    let page = {};
    do {
      page = await api.get(`${path("experiments", wanted)}${query({ order_by: "metrics.accuracy desc", limit: Math.min(100, shown - runs.length), cursor: page.next_cursor })}`, { signal: context.signal });
      runs.push(...page.runs);
    } while (page.next_cursor && runs.length < shown);
    if (wanted !== experiment) return;
    const names = SHOWN.filter((name) => new Set(runs.map((run) => run.params[name])).size > 1 || ["learning_rate", "model_type"].includes(name));
    fill(head, h("th", { scope: "col" }, h("span", { class: "unseen" }, "Choose")), ["#", "Run"].map((name) => h("th", { scope: "col" }, name)), ["Accuracy", "Loss", ...names.map((name) => words(name[0].toUpperCase() + name.slice(1)))].map((name) => h("th", { scope: "col", class: "number" }, name)));
    keyed(body, runs.map((run, index) => ({ ...run, place: index + 1, names })), (run) => run.run_id, row);
    pick();
    fill(none);
    more.hidden = runs.length >= page.total_count;
    fill(more, h("span", { class: "faint" }, `${runs.length} of ${number(page.total_count)}`), h("button", { class: "button small", type: "button", "data-key": "more", onclick: () => { shown += PAGE; refresh(); } }, "Show more"));
  }

  function row(run) {
    const name = run.run_name ?? run.run_id.slice(0, 8);
    return h("tr", {},
      h("td", {}, h("input", { type: "checkbox", "data-key": run.run_id, "aria-label": `Choose ${name}`, checked: chosen.has(run.run_id), onchange: (event) => { event.target.checked ? chosen.set(run.run_id, name) : chosen.delete(run.run_id); pick(); } })),
      h("td", { class: "faint" }, String(run.place)), h("th", { scope: "row" }, name, " ", h("code", { class: "faint" }, run.run_id.slice(0, 8))),
      h("td", { class: run.place === 1 ? "number best" : "number" }, percent(accuracy(run.metrics), 2)), h("td", { class: "number" }, number(run.metrics.loss ?? run.metrics.val_loss)),
      run.names.map((each) => h("td", { class: "number" }, number(run.params[each]))));
  }

  async function showComparison() {
    const ids = [...chosen.keys()];
    const found = await context.attempt(() => Promise.all([
      api.get(`${path("experiments", experiment, "compare")}${query({ runs: ids.join() })}`, { signal: context.signal }),
      ...ids.map((id) => api.get(path("experiments", experiment, "runs", id), { signal: context.signal })),
    ]));
    if (!found) return;
    const [{ metrics }, ...runs] = found;
    fill(side, comparison(runs, new Map(metrics.map((metric) => [metric.name, metric])), () => { side.hidden = true; compare.focus(); }));
    side.hidden = false;
    side.querySelector("h2").focus();
    announce(`${runs.length} runs side by side`);
  }

  async function refresh() { await context.attempt(look); }
  await context.every(5000, look);
}

const nameOf = (run) => run.run_name ?? run.run_id.slice(0, 8);

function comparison(runs, compared, close) {
  const params = [...new Set(runs.flatMap((run) => Object.keys(run.params)))].sort();
  const metrics = COMPARED.filter((name) => runs.some((run) => name in run.metrics));
  const differs = (name) => new Set(runs.map((run) => run.params[name])).size > 1;
  const rows = [
    ...params.filter(differs).map((name) => h("tr", { class: "differs" }, h("th", { scope: "row" }, words(name)), runs.map((run) => h("td", { class: "number" }, number(run.params[name]))))),
    ...metrics.map((name) => metricRow(name, runs, compared.get(name))),
    ...params.filter((name) => !differs(name)).map((name) => h("tr", {}, h("th", { scope: "row", class: "quiet" }, words(name)), runs.map((run) => h("td", { class: "number quiet" }, number(run.params[name]))))),
  ];
  const title = h("h2", { tabindex: "-1" }, "Side by side");
  return h("section", { class: "card", "aria-label": "Side by side" },
    h("header", {}, title, h("div", { class: "tools" }, h("button", { class: "button small plain", type: "button", onclick: close, "aria-label": "Close the comparison" }, "✕"))),
    h("div", { class: "body side-by-side" },
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Parameters and metrics" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, ""), runs.map((run) => h("th", { scope: "col", class: "number" }, nameOf(run))))), h("tbody", {}, rows))),
      h("div", { class: "stack" }, [["Accuracy on held-out data", "val_accuracy"], ["Loss on held-out data", "val_loss"]].map(([label, metric]) =>
        h("div", {}, h("h3", {}, label), lineChart(label, runs.map((run) => ({ name: nameOf(run), points: curve(run, metric) })))))))); 
}

/** Which run is best says the API, which may say none; runs that are level with it are as good. */
function metricRow(name, runs, { values, differs, best }) {
  return h("tr", {}, h("th", { scope: "row" }, words(name)), runs.map((run) => {
    const wins = differs && best !== null && values[run.run_id] === values[best];
    return h("td", { class: wins ? "number best" : "number" }, number(run.metrics[name]), wins ? h("span", { class: "unseen" }, " best") : null);
  }));
}

/** A metric's points by epoch, in order. */
function curve(run, metric) {
  const points = run.metric_history?.[metric] ?? [];
  return points.map((point, index) => [point.step ?? index + 1, point.value]).sort((a, b) => a[0] - b[0]);
}
