/** uPlot as a component. */

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { onThemeChange } from "../theme";
import { colourOf } from "./colours";
import { WHOLE_STEPS } from "./data";

/** About the width of a letter along an axis. */
const LETTER = 6.5;

/** A colour of the style sheet, by the name of its custom property. */
export type Paint = (property: string) => string;

export interface PlotOptions {
  label: string;
  height: number;
  /** Texts along the x axis, at whole numbers. */
  xText: (x: number) => string;
  yText: (y: number) => string;
  xRange: uPlot.Range.Function;
  yRange: uPlot.Range.Function;
  series: (paint: Paint) => uPlot.Series[];
  /** Paints over the finished plot. */
  over?: (plot: uPlot, paint: Paint) => void;
}

interface Properties extends PlotOptions {
  data: uPlot.AlignedData;
  /** Called with the index of the x under the pointer. */
  onPoint: (index: number | null) => void;
}

export function Plot({ data, onPoint, ...options }: Properties) {
  const host = useRef<HTMLDivElement>(null);
  // What was fetched again but has not changed is not drawn again.
  const shown = JSON.stringify([data, options.label]);
  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const paint: Paint = (property) => colourOf(element, property);
    const configuration = configured(options, data, paint, element.clientWidth, onPoint);
    const plot = new uPlot(configuration, data, element);
    const sizes = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: options.height }));
    sizes.observe(element);
    const stop = onThemeChange(() => plot.redraw());
    return () => {
      stop();
      sizes.disconnect();
      plot.destroy();
    };
  }, [shown]);
  return <div class="plot" role="img" aria-label={options.label} ref={host} />;
}

function configured(
  options: PlotOptions,
  data: uPlot.AlignedData,
  paint: Paint,
  width: number,
  onPoint: (index: number | null) => void,
): uPlot.Options {
  const axis = {
    stroke: () => paint("--ink-3"),
    font: "11px system-ui, sans-serif",
    grid: { stroke: () => paint("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height: options.height,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false, setScale: false } },
    scales: { x: { time: false, range: options.xRange }, y: { range: options.yRange } },
    axes: [
      {
        ...axis,
        grid: { show: false },
        incrs: WHOLE_STEPS,
        space: 12 + LETTER * Math.max(...[...data[0]].map((x) => options.xText(x).length)),
        size: 26,
        values: (_, splits) => splits.map((x) => (Number.isInteger(x) ? options.xText(x) : "")),
      },
      { ...axis, size: 46, values: (_, splits) => splits.map(options.yText) },
    ],
    series: [{}, ...options.series(paint)],
    hooks: {
      draw: [(plot) => options.over?.(plot, paint)],
      setCursor: [(plot) => onPoint(plot.cursor.idx ?? null)],
    },
  };
}
