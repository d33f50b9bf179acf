import uPlot from "uplot";
import { number } from "../format";
import { SERIES_COLOURS, seriesColour } from "./colours";
import { align, type Line } from "./data";
import { Figure, type Mark } from "./figure";
import type { Paint } from "./plot";

export interface LineChartProperties {
  label: string;
  lines: Line[];
  /** What the x axis is. */
  xName?: string;
  xText?: (x: number) => string;
  /** Texts of x in the table; those along the axis unless given. */
  xLong?: (x: number) => string;
  /** Lines across. */
  marks?: Mark[];
  /** The lowest y shown; that of the points unless given. */
  low?: number;
  height?: number;
  gap?: string;
}

export function LineChart(properties: LineChartProperties) {
  const {
    label,
    lines,
    xName = "epoch",
    xText = String,
    xLong,
    marks = [],
    low,
    height = 180,
    gap = "no value",
  } = properties;
  const { xs, columns } = align(lines);
  if (!columns.some((column) => column.some((y) => typeof y === "number"))) return <p class="quiet">No points yet.</p>;
  const levels = marks.map(({ value }) => value);
  const series = (paint: Paint): uPlot.Series[] =>
    lines.map(({ name }, index) => ({
      label: name,
      stroke: () => paint(seriesColour(index)),
      width: 2,
      // More lines than there are colours differ in their dashes.
      dash: index < SERIES_COLOURS ? [] : [6, 4],
      points: { show: true, size: xs.length > 40 ? 3 : 6, fill: () => paint(seriesColour(index)) },
    }));
  return (
    <Figure
      label={label}
      names={lines.map(({ name }) => name)}
      height={height}
      xName={xName}
      xs={xs}
      xText={xText}
      {...(xLong ? { xLong } : {})}
      yText={number}
      xRange={(_, min, max) => (min === max ? [min - 0.5, max + 0.5] : [min, max])}
      yRange={(_, min, max) => uPlot.rangeNum(low ?? Math.min(min, ...levels), Math.max(max, ...levels), 0.1, true)}
      columns={columns}
      gap={gap}
      marks={marks}
      series={series}
      over={(plot, paint) => {
        for (const mark of marks) drawMark(plot, mark, paint);
      }}
    />
  );
}

const MARK_COLOURS = { warning: "--warn", alert: "--bad" };

function drawMark(plot: uPlot, mark: Mark, paint: Paint): void {
  const { ctx, bbox } = plot;
  const y = Math.round(plot.valToPos(mark.value, "y", true));
  ctx.save();
  ctx.strokeStyle = paint(MARK_COLOURS[mark.kind]);
  ctx.lineWidth = 2 * devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}
