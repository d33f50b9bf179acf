/** The charts, whose library is fetched by the views that have charts only. */

import { loaded, useLoaded } from "../polling";
import type { BarChartProperties } from "./bar-chart";
import type { LineChartProperties } from "./line-chart";

const load = () => loaded("The charts", import("./index"));

export function LineChart(properties: LineChartProperties) {
  const charts = useLoaded(load);
  return charts ? <charts.LineChart {...properties} /> : null;
}

export function BarChart(properties: BarChartProperties) {
  const charts = useLoaded(load);
  return charts ? <charts.BarChart {...properties} /> : null;
}
