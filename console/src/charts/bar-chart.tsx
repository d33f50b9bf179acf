import uPlot from "uplot";
import { number } from "../format";
import { seriesColour } from "./colours";
import { barPlaces } from "./data";
import { Figure } from "./figure";
import type { Paint } from "./plot";

export interface BarChartProperties {
  label: string;
  /** The names along the axis. */
  groups: string[];
  /** One value for each group. */
  series: { name: string; values: number[] }[];
  format?: (value: number) => string;
  /** What a group is. */
  xName?: string;
  height?: number;
}

/** Groups of bars. */
export function BarChart({
  label,
  groups,
  series,
  format = number,
  xName = "class",
  height = 180,
}: BarChartProperties) {
  const bars = (paint: Paint): uPlot.Series[] =>
    series.map(({ name }, index) => {
      const { lefts, width } = barPlaces(groups.length, series.length, index);
      const paths = uPlot.paths.bars?.({
        disp: { x0: { unit: 1, values: () => lefts }, size: { unit: 1, values: () => [width] } },
        gap: 1,
      });
      return {
        label: name,
        fill: () => paint(seriesColour(index)),
        width: 0,
        points: { show: false },
        ...(paths ? { paths } : {}),
      };
    });
  return (
    <Figure
      label={label}
      names={series.map(({ name }) => name)}
      height={height}
      xName={xName}
      xs={groups.map((_, index) => index)}
      xText={(index) => groups[index] ?? ""}
      yText={format}
      xRange={() => [-0.5, groups.length - 0.5]}
      yRange={(_, __, max) => [0, Math.max(0.0001, max * 1.05)]}
      columns={series.map(({ values }) => values)}
      gap="no value"
      series={bars}
    />
  );
}
