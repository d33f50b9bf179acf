// Whether what the model sees and says has changed: now, and hour by hour.

import { api, query } from "./api.js";
import { barChart, lineChart } from "./charts.js";
import { fill, h } from "./dom.js";
import { number, percent, words } from "./format.js";
import { card, choice, empty, modelNames, pageHead, tag, tile } from "./parts.js";

const WINDOWS = [[1, "1 h"], [6, "6 h"], [24, "1 d"], [72, "3 d"], [168, "7 d"]];
// Hours that the line runs over, and hours a point stands for.
const SPANS = { 24: 1, 72: 3, 168: 6 };

export async function mount(root, context) {
  let model = context.params.get("model");
  let hours = 24;
  let span = 24;
  const picker = h("span", {});
  const body = h("div", { class: "stack" }, h("p", { class: "quiet" }, "Looking…"));
  fill(root, pageHead("Drift", "The latest predictions against those of the time before, and of training.", picker,
    choice("Window", WINDOWS.map(([value, text]) => [String(value), `last ${text}`]), String(hours), (value) => { hours = Number(value); refresh(); })), body);
  const names = await context.attempt(() => modelNames(context.signal));
  if (!names) return;
  if (!names.length) { fill(body, empty("No models yet", "Drift is measured on the predictions of a model in Production.")); return; }
  if (!names.includes(model)) model = names[0];
  if (names.length > 1) fill(picker, choice("Model", names.map((name) => [name, name]), model, (name) => { model = name; refresh(); }));

  const spans = choice("Time", [["24", "1 day"], ["72", "3 days"], ["168", "7 days"]], String(span), (value) => { span = Number(value); refresh(); });
  const now = h("div", { class: "stack" });
  const line = h("div", {});
  const overTime = card("Over time, by signal", line, spans);

  async function look() {
    const asked = [model, hours, span].join();
    const ask = (route, parameters) => api.get(`drift/${route}${query({ model_name: model, ...parameters })}`, { signal: context.signal });
    try {
      const [status, history] = await Promise.all([ask("status", { current_hours: hours }), ask("history", { hours: span, step_hours: SPANS[span] })]);
      if (asked !== [model, hours, span].join()) return;
      fill(now, show(status));
      fill(line, historyOf(history));
      if (!now.isConnected) fill(body, now, overTime);
    } catch (error) {
      if (error.status !== 409 && error.status !== 404) throw error;
      if (asked === [model, hours, span].join()) fill(body, empty("Nothing to compare yet", error.message));
    }
  }
  async function refresh() { await context.attempt(look); }
  await context.every(15000, look);
}

function show(status) {
  const { thresholds } = status;
  const labels = [...new Set([status.current_distribution, status.baseline_distribution, status.reference_distribution ?? {}].flatMap((each) => Object.keys(each)))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const series = [["current", status.current_distribution], ["time before", status.baseline_distribution], ["training", status.reference_distribution]]
    .filter(([, shares]) => shares && Object.keys(shares).length).map(([name, shares]) => ({ name, values: labels.map((label) => shares[label] ?? 0) }));
  return [
    h("dl", { class: "tiles" },
      tile("Verdict", tag(status.status), status.against ? `against ${status.against}` : "too few predictions"),
      tile("PSI", status.psi === null ? "–" : status.psi.toFixed(3), status.signal ? `${words(status.signal)} against ${status.against}` : "no verdict yet"),
      tile("Predictions", number(status.current.samples), `in the last ${status.current.hours} h; ${thresholds.minimum_samples} are needed`),
      tile("Compared with", number(status.baseline.samples), `predictions before, ${number(status.reference_samples)} of training`)),
    h("div", { class: "halves" },
      card("Signals", signals(status)),
      card("Classes", series.length ? barChart("Share of each class", labels, series, { format: (share) => percent(share, 0) }) : h("p", { class: "quiet" }, "No predictions yet."))),
  ];
}

function signals(status) {
  const rows = status.comparisons.flatMap((comparison) => comparison.signals.map((signal) => h("tr", {},
    h("th", { scope: "row" }, words(signal.signal)), h("td", {}, comparison.against), h("td", { class: "number" }, signal.psi.toFixed(3)), h("td", { class: "number faint" }, signal.p_value < 0.001 ? "< 0.001" : signal.p_value.toFixed(3)), h("td", {}, tag(signal.status)))));
  const notes = status.comparisons.filter((comparison) => comparison.note && !status.message.includes(comparison.note)).map((comparison) => h("p", { class: "quiet" }, `${comparison.against}: ${comparison.note}`));
  if (!rows.length) return h("div", { class: "stack" }, notes.length ? notes : h("p", { class: "quiet" }, status.message));
  return h("div", { class: "stack" }, h("p", { class: "quiet" }, status.message), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Signals" }, h("table", {}, h("thead", {}, h("tr", {}, ["Signal", "Against"].map((name) => h("th", { scope: "col" }, name)), ["PSI", "p-value"].map((name) => h("th", { scope: "col", class: "number" }, name)), h("th", { scope: "col" }, "Verdict"))), h("tbody", {}, rows))), notes);
}

/** PSI of each signal, point by point; where there were too few predictions the line has a gap. */
function historyOf(history) {
  const { points, thresholds } = history;
  const judged = points.filter((point) => point.psi !== null);
  const needed = `A point needs ${thresholds.minimum_samples} predictions`;
  if (!judged.length) return h("p", { class: "quiet" }, `${needed}; none of this time has so many yet.`);
  const names = [...new Set(points.flatMap((point) => point.signals.map((each) => each.signal)))];
  const psi = (point, name) => point.signals.find((each) => each.signal === name)?.psi ?? null;
  const series = names.map((name) => ({ name: words(name), points: points.map((point, index) => [index, psi(point, name)]) }));
  const every = points.length / 8;
  return h("div", { class: "stack" },
    h("p", { class: "quiet" }, [summary(judged, history.against), judged.length < points.length ? `${needed}; ${points.length - judged.length} of ${points.length} have too few, and are gaps.` : ""].join(" ")),
    lineChart("PSI by signal over time", series, {
      x: "from", low: 0, width: 960, height: 220, gap: "too few predictions",
      text: (index) => moment(points[index].start, true), tick: (index) => moment(points[index].start, history.step_hours * points.length > 24),
      ticks: Array.from({ length: Math.min(8, points.length) }, (_, index) => Math.round(index * every)),
      marks: [{ y: thresholds.warning, name: "warning" }, { y: thresholds.alert, name: "alert", kind: "alert" }],
    }));
}

/** The chart in a sentence. */
function summary(judged, against) {
  const last = judged.at(-1);
  const worst = judged.reduce((most, point) => (point.psi > most.psi ? point : most));
  const told = (point) => `${words(point.signal)} ${point.psi.toFixed(3)} (${words(point.status)}), from ${moment(point.start, true)}`;
  return `Against ${against}. Latest: ${told(last)}. Highest: ${told(worst)}.`;
}

/** The time of day, with the day if asked for; in the reader's own time zone. */
function moment(time, withDay) {
  const hour = { hour: "2-digit", minute: "2-digit", hour12: false };
  return new Date(time).toLocaleString("en-GB", withDay ? { weekday: "short", ...hour } : hour);
}
