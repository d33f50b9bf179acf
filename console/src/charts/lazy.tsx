/** The charts, whose library is fetched by the views that have charts only. */

import { useLoaded } from "../polling";
import type { BarChartProperties } from "./bar-chart";
import type { LineChartProperties } from "./line-chart";

async function load() {
  try {
    return await import("./index");
  } catch {
    // The page is older than the deployed console, whose files have other names.
    throw new Error("The charts could not be loaded. Reload the page.");
  }
}

export function LineChart(properties: LineChartProperties) {
  const charts = useLoaded(load);
  return charts ? <charts.LineChart {...properties} /> : null;
}

export function BarChart(properties: BarChartProperties) {
  const charts = useLoaded(load);
  return charts ? <charts.BarChart {...properties} /> : null;
}
