// Whether what the model sees and says has changed, by signal and over windows of several lengths.

import { api, query } from "./api.js";
import { barChart, lineChart } from "./charts.js";
import { fill, h } from "./dom.js";
import { number, percent, words } from "./format.js";
import { card, choice, empty, modelNames, pageHead, tag } from "./parts.js";

const WINDOWS = [[1, "1 h"], [6, "6 h"], [24, "1 d"], [72, "3 d"], [168, "7 d"]];

export async function mount(root, context) {
  let model = context.params.get("model");
  let hours = 24;
  const picker = h("span", {});
  const body = h("div", { class: "stack" }, h("p", { class: "quiet" }, "Looking…"));
  fill(root, pageHead("Drift", "Today's predictions against those of the time before, and of training.", picker,
    choice("Window", WINDOWS.map(([value, text]) => [String(value), `last ${text}`]), String(hours), (value) => { hours = Number(value); context.attempt(look); })), body);
  const names = await context.attempt(() => modelNames(context.signal));
  if (!names) return;
  if (!names.length) { fill(body, empty("No models yet", "Drift is measured on the predictions of a model in Production.")); return; }
  if (!names.includes(model)) model = names[0];
  if (names.length > 1) fill(picker, choice("Model", names.map((name) => [name, name]), model, (name) => { model = name; context.attempt(look); }));

  async function look() {
    const asked = [model, hours];
    const current = () => asked[0] === model && asked[1] === hours;
    const ask = (each) => api.get(`drift/status${query({ model_name: asked[0], current_hours: each })}`, { signal: context.signal });
    try {
      const status = await ask(hours);
      if (!current()) return;
      const chart = h("div", {}, body.querySelector(".over-time")?.firstChild ?? h("p", { class: "quiet" }, "Looking…"));
      chart.className = "over-time";
      fill(body, ...show(status, chart));
      // One after the other: at once they would wake a function each.
      const windows = [];
      for (const [each] of WINDOWS) windows.push(each === status.current.hours ? status : await ask(each));
      if (current()) fill(chart, overTime(windows, status.thresholds));
    } catch (error) {
      if (error.status !== 409 && error.status !== 404) throw error;
      if (current()) fill(body, empty("Nothing to compare yet", error.message));
    }
  }
  await context.every(15000, look);
}

function show(status, chart) {
  const { thresholds } = status;
  const tile = (name, value, more) => h("div", { class: "card tile" }, h("dt", {}, name), h("dd", {}, value, h("small", {}, more)));
  const labels = [...new Set([status.current_distribution, status.baseline_distribution, status.reference_distribution ?? {}].flatMap((each) => Object.keys(each)))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const series = [["current", status.current_distribution], ["time before", status.baseline_distribution], ["training", status.reference_distribution]]
    .filter(([, shares]) => shares && Object.keys(shares).length).map(([name, shares]) => ({ name, values: labels.map((label) => shares[label] ?? 0) }));
  return [
    h("dl", { class: "tiles" },
      tile("Verdict", tag(status.status), status.against ? `against ${status.against}` : "too few predictions"),
      tile("PSI", status.psi === null ? "–" : number(status.psi), status.signal ? `${words(status.signal)} against ${status.against}` : "no verdict yet"),
      tile("Predictions", number(status.current.samples), `in the last ${status.current.hours} h; ${thresholds.minimum_samples} are needed`),
      tile("Compared with", number(status.baseline.samples), `predictions before, ${number(status.reference_samples)} of training`)),
    h("div", { class: "halves" },
      card("Signals", signals(status)),
      card("Classes", series.length ? barChart("Share of each class", labels, series, { format: (share) => percent(share, 0) }) : h("p", { class: "quiet" }, "No predictions yet."))),
    card("Over time, by signal", chart),
  ];
}

function signals(status) {
  const rows = status.comparisons.flatMap((comparison) => comparison.signals.map((signal) => h("tr", {},
    h("th", { scope: "row" }, words(signal.signal)), h("td", {}, comparison.against), h("td", { class: "number" }, number(signal.psi)), h("td", { class: "number faint" }, number(Number(signal.p_value.toPrecision(2)))), h("td", {}, tag(signal.status)))));
  const notes = status.comparisons.filter((comparison) => comparison.note && !status.message.includes(comparison.note)).map((comparison) => h("p", { class: "quiet" }, `${comparison.against}: ${comparison.note}`));
  if (!rows.length) return h("div", { class: "stack" }, notes.length ? notes : h("p", { class: "quiet" }, status.message));
  return h("div", { class: "stack" }, h("p", { class: "quiet" }, status.message), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Signals" }, h("table", {}, h("thead", {}, h("tr", {}, ["Signal", "Against"].map((name) => h("th", { scope: "col" }, name)), ["PSI", "p-value"].map((name) => h("th", { scope: "col", class: "number" }, name)), h("th", { scope: "col" }, "Verdict"))), h("tbody", {}, rows))), notes);
}

/** PSI by how far back the window reaches: what changed lately stands out at the left. */
function overTime(windows, thresholds) {
  const lines = new Map();
  windows.forEach((window, index) => {
    for (const comparison of window.comparisons) {
      for (const signal of comparison.signals) {
        const name = `${words(signal.signal)} against ${comparison.against}`;
        if (comparison.against !== "reference") continue;
        lines.set(name, [...(lines.get(name) ?? []), [index, signal.psi]]);
      }
    }
  });
  const series = [...lines].map(([name, points]) => ({ name, points }));
  if (!series.length) return h("p", { class: "quiet" }, `A window needs ${thresholds.minimum_samples} predictions for a verdict.`);
  return lineChart("PSI by the length of the window", series, { x: "window", low: 0, width: 1280, height: 260, xLabels: WINDOWS.map(([, text], index) => [index, `last ${text}`]), marks: [{ y: thresholds.warning, name: "warning" }, { y: thresholds.alert, name: "alert", kind: "alert" }] });
}
