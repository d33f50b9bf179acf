// Small charts in SVG; each has the same numbers as a table for those who do not see it.

import { h } from "./dom.js";
import { number } from "./format.js";

const HALF = 460;
const EDGE = { left: 48, right: 12, top: 10, bottom: 26 };
const COLOURS = 5;

/**
 * series: [{name, points: [[x, y]…]}], where y may be null: a gap in the line. marks: [{y, name, kind}] are lines across.
 * x runs over what the points have; `text(x)` names it in the table, and along the axis at `ticks`.
 */
export function lineChart(label, series, { height = 180, x: xName = "epoch", text = String, tick = text, ticks, marks = [], low, width = HALF, gap = "no value" } = {}) {
  const points = series.flatMap((each) => each.points);
  const ys = points.map((point) => point[1]).filter((y) => y !== null);
  if (!ys.length) return h("p", { class: "quiet" }, "No points yet.");
  const xs = points.map((point) => point[0]);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const all = [...ys, ...marks.map((mark) => mark.y)];
  const plot = area(low ?? Math.min(...all), Math.max(...all), width, height, number);
  const px = (value) => EDGE.left + (right === left ? 0.5 : (value - left) / (right - left)) * (width - EDGE.left - EDGE.right);
  const radius = xs.length > 40 * series.length ? 1.2 : 2.6;
  return figure(label, series, [...new Set(xs)], { xName, text, gap, marks }, plot, [
    (ticks ?? whole(left, right)).map((value) => plot.below(px(value), tick(value))),
    marks.map((mark) => h("line", { class: markClass(mark), x1: EDGE.left, x2: width - EDGE.right, y1: plot.py(mark.y), y2: plot.py(mark.y) })),
    series.map((each, index) => {
      const colour = index % COLOURS + 1;
      const seen = each.points.filter((point) => point[1] !== null);
      return h("g", {}, h("path", { class: `line s${colour}`, d: line(each.points, px, plot.py) }),
        seen.map(([x, y]) => h("circle", { class: `f${colour}`, cx: px(x), cy: plot.py(y), r: radius }, h("title", {}, `${each.name}, ${xName} ${text(x)}: ${number(y)}`))));
    }),
  ]);
}

/** Groups of bars: groups are the names along the axis, series [{name, values}] one value a group. */
export function barChart(label, groups, series, { height = 180, format = number, width = HALF } = {}) {
  const plot = area(0, Math.max(0.0001, ...series.flatMap((each) => each.values)), width, height, format);
  const room = (width - EDGE.left - EDGE.right) / Math.max(1, groups.length);
  const wide = Math.min(26, room * 0.8 / series.length);
  const tabled = series.map((each) => ({ name: each.name, points: groups.map((group, at) => [group, each.values[at]]) }));
  return figure(label, tabled, groups, { xName: "class", text: String }, plot, groups.map((group, at) => {
    const middle = EDGE.left + room * (at + 0.5);
    return h("g", {}, plot.below(middle, group),
      series.map((each, index) => h("rect", { class: `f${index % COLOURS + 1}`, rx: 2, x: middle + (index - series.length / 2) * wide + 1, width: Math.max(1, wide - 2), y: plot.py(each.values[at]), height: Math.max(0, plot.py(0) - plot.py(each.values[at])) },
        h("title", {}, `${each.name}, ${group}: ${format(each.values[at])}`))));
  }));
}

/** Where things stand: `py` of a value, the lines across with their numbers, and a text below the axis. */
function area(low, high, width, height, format) {
  const [bottom, top, ticks] = scale(low, high);
  const py = (value) => height - EDGE.bottom - (value - bottom) / (top - bottom || 1) * (height - EDGE.top - EDGE.bottom);
  const grid = ticks.map((tick) => h("g", {}, h("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: py(tick), y2: py(tick) }),
    h("text", { x: EDGE.left - 8, y: py(tick) + 4, "text-anchor": "end" }, format(Number(tick.toPrecision(6))))));
  const below = (x, text) => h("text", { x, y: height - 8, "text-anchor": "middle" }, text);
  return { width, height, py, grid, below };
}

/** The picture, its legend, and its numbers as a table. */
function figure(label, series, at, reading, plot, shapes) {
  return h("figure", {},
    h("svg", { class: "chart", viewBox: `0 0 ${plot.width} ${plot.height}`, role: "img", "aria-label": label }, plot.grid, shapes),
    series.length > 1 ? legend(series.map((each) => each.name), reading.marks) : null,
    asTable(label, series, at, reading));
}

/** An SVG path that is lifted over gaps. */
function line(points, px, py) {
  let down = false;
  return points.map(([x, y]) => {
    const command = y === null ? "" : `${down ? "L" : "M"}${px(x).toFixed(1)} ${py(y).toFixed(1)}`;
    down = y !== null;
    return command;
  }).join("");
}

const markClass = (mark) => `mark ${mark.kind ?? ""}`;

function legend(names, marks = []) {
  const swatch = (shape) => h("svg", { viewBox: "0 0 16 4" }, shape);
  return h("ul", { class: "legend chart", "aria-hidden": "true" },
    names.map((name, index) => h("li", {}, swatch(h("rect", { class: `f${index % COLOURS + 1}`, width: 16, height: 4, rx: 2 })), name)),
    marks.map((mark) => h("li", {}, swatch(h("line", { class: markClass(mark), x1: 0, x2: 16, y1: 2, y2: 2 })), `${mark.name} ${number(mark.y)}`)));
}

function asTable(label, series, at, { xName, text, gap }) {
  const values = series.map((each) => new Map(each.points));
  const cell = (value) => h("td", {}, value === null ? gap : number(value));
  return h("div", { class: "unseen" }, h("table", {}, h("caption", {}, label),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, xName), series.map((each) => h("th", { scope: "col" }, each.name)))),
    h("tbody", {}, at.map((x) => h("tr", {}, h("th", { scope: "row" }, text(x)), values.map((each) => cell(each.get(x))))))));
}

/** A round scale that holds both ends: [bottom, top, ticks]. */
function scale(low, high) {
  const span = high - low || Math.abs(high) || 1;
  const rough = span / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((each) => each >= rough);
  const bottom = Math.floor(low / step) * step, top = Math.max(bottom + step, Math.ceil(high / step - 1e-9) * step);
  const ticks = [];
  for (let index = 0; bottom + index * step <= top + step / 2; index += 1) ticks.push(bottom + index * step);
  return [bottom, top, ticks];
}

/** Whole numbers from one end to the other, evenly apart, some twelve at most. */
function whole(left, right) {
  const step = [1, 2, 5, 10, 20, 50].find((each) => (right - left) / each <= 12) ?? 100;
  return Array.from({ length: Math.floor((right - left) / step) + 1 }, (_, index) => left + index * step);
}
