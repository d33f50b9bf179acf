// Small charts in SVG; each has the same numbers as a table for those who do not see it.

import { h } from "./dom.js";
import { number } from "./format.js";

const HALF = 640;
const EDGE = { left: 48, right: 12, top: 10, bottom: 26 };
const COLOURS = 5;

/** series: [{name, points: [[x, y]…]}]; marks: [{y, name, kind}] are lines across. x runs over what the points have. */
export function lineChart(label, series, { height = 220, x: xName = "epoch", marks = [], low, xLabels, width: WIDTH = HALF } = {}) {
  const points = series.flatMap((each) => each.points);
  if (!points.length) return h("p", { class: "quiet" }, "No points yet.");
  const xs = points.map((point) => point[0]), ys = [...points.map((point) => point[1]), ...marks.map((mark) => mark.y)];
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [bottom, top, ticks] = scale(low ?? Math.min(...ys), Math.max(...ys));
  const px = (value) => EDGE.left + (right === left ? 0.5 : (value - left) / (right - left)) * (WIDTH - EDGE.left - EDGE.right);
  const py = (value) => height - EDGE.bottom - (value - bottom) / (top - bottom || 1) * (height - EDGE.top - EDGE.bottom);
  const figure = h("figure", {},
    h("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label },
      ticks.map((tick) => h("g", {}, h("line", { class: "grid", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: py(tick), y2: py(tick) }),
        h("text", { x: EDGE.left - 8, y: py(tick) + 4, "text-anchor": "end" }, number(Number(tick.toPrecision(6)))))),
      (xLabels ?? whole(left, right).map((value) => [value, String(value)])).map(([value, text]) => h("text", { x: px(value), y: height - 8, "text-anchor": "middle" }, text)),
      marks.map((mark) => h("g", {}, h("line", { class: `mark ${mark.kind ?? ""}`, x1: EDGE.left, x2: WIDTH - EDGE.right, y1: py(mark.y), y2: py(mark.y) }),
        h("text", { x: WIDTH - EDGE.right, y: py(mark.y) - 4, "text-anchor": "end" }, mark.name))),
      series.map((each, index) => {
        const colour = index % COLOURS + 1;
        return h("g", {}, h("path", { class: `line s${colour}`, d: each.points.map((point, at) => `${at ? "L" : "M"}${px(point[0]).toFixed(1)} ${py(point[1]).toFixed(1)}`).join("") }),
          each.points.map((point) => h("circle", { class: `f${colour}`, cx: px(point[0]), cy: py(point[1]), r: each.points.length > 40 ? 1.2 : 2.6 }, h("title", {}, `${each.name}, ${xName} ${point[0]}: ${number(point[1])}`))));
      })),
    series.length > 1 ? legend(series.map((each) => each.name)) : null,
    asTable(label, xName, series));
  return figure;
}

/** Groups of bars: groups are the names along the axis, series [{name, values}] one value a group. */
export function barChart(label, groups, series, { height = 220, format = number, width: WIDTH = HALF } = {}) {
  const values = series.flatMap((each) => each.values);
  const [, top, ticks] = scale(0, Math.max(0.0001, ...values));
  const room = (WIDTH - EDGE.left - EDGE.right) / Math.max(1, groups.length);
  const wide = Math.min(26, room * 0.8 / series.length);
  const py = (value) => height - EDGE.bottom - value / top * (height - EDGE.top - EDGE.bottom);
  return h("figure", {},
    h("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label },
      ticks.map((tick) => h("g", {}, h("line", { class: "grid", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: py(tick), y2: py(tick) }),
        h("text", { x: EDGE.left - 8, y: py(tick) + 4, "text-anchor": "end" }, format(tick)))),
      groups.map((group, at) => {
        const middle = EDGE.left + room * (at + 0.5);
        return h("g", {}, h("text", { x: middle, y: height - 8, "text-anchor": "middle" }, group),
          series.map((each, index) => h("rect", { class: `f${index % COLOURS + 1}`, rx: 2, x: middle + (index - series.length / 2) * wide + 1, width: Math.max(1, wide - 2), y: py(each.values[at]), height: Math.max(0, py(0) - py(each.values[at])) },
            h("title", {}, `${each.name}, ${group}: ${format(each.values[at])}`))));
      })),
    series.length > 1 ? legend(series.map((each) => each.name)) : null,
    asTable(label, "", series.map((each) => ({ name: each.name, points: groups.map((group, at) => [group, each.values[at]]) }))));
}

function legend(names) {
  return h("ul", { class: "legend", "aria-hidden": "true" }, names.map((name, index) =>
    h("li", {}, h("svg", { viewBox: "0 0 16 4" }, h("rect", { class: `f${index % COLOURS + 1}`, width: 16, height: 4, rx: 2 })), name)));
}

function asTable(label, xName, series) {
  const at = [...new Set(series.flatMap((each) => each.points.map((point) => point[0])))];
  const values = series.map((each) => new Map(each.points));
  return h("div", { class: "unseen" }, h("table", {}, h("caption", {}, label),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, xName || "class"), series.map((each) => h("th", { scope: "col" }, each.name)))),
    h("tbody", {}, at.map((x) => h("tr", {}, h("th", { scope: "row" }, String(x)), values.map((each) => h("td", {}, number(each.get(x)))))))));
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

function whole(left, right) {
  const count = Math.min(10, Math.max(1, Math.round(right - left)));
  return [...new Set(Array.from({ length: count + 1 }, (_, index) => Math.round(left + (right - left) * index / count)))];
}
