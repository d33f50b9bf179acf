/** A chart with its legend, and with its numbers as a table for those who do not see it. */

import { useState } from "preact/hooks";
import type uPlot from "uplot";
import { Headings } from "../components/basics";
import { SERIES_COLOURS } from "./colours";
import { Plot, type PlotOptions } from "./plot";

type Value = number | null | undefined;

export interface Mark {
  name: string;
  value: number;
  kind: "warning" | "alert";
}

interface Properties extends PlotOptions {
  names: string[];
  /** What the x axis is. */
  xName: string;
  xs: number[];
  /** Texts of x in the table and under the pointer; those along the axis unless given. */
  xLong?: (x: number) => string;
  columns: Value[][];
  /** What the table says where a line has a gap. */
  gap: string;
  marks?: Mark[];
}

export function Figure({ names, xName, xs, xLong, columns, gap, marks = [], ...plot }: Properties) {
  const [at, setAt] = useState<number | null>(null);
  const nameOf = xLong ?? plot.xText;
  const text = (value: Value) => (value === undefined ? "" : value === null ? gap : plot.yText(value));
  const pointed = at === null ? undefined : xs[at];
  return (
    <figure class="chart">
      <Plot {...plot} data={[xs, ...columns] as uPlot.AlignedData} onPoint={setAt} />
      <ul class="legend" aria-hidden="true">
        {names.map((name, index) => (
          <li key={name} class="series">
            <span class={`swatch s${(index % SERIES_COLOURS) + 1}${index < SERIES_COLOURS ? "" : " dashed"}`} />
            {name}
            {at === null ? null : <b>{text(columns[index]?.[at])}</b>}
          </li>
        ))}
        {marks.map((mark) => (
          <li key={mark.name} class="mark">
            <span class={`swatch ${mark.kind}`} />
            {`${mark.name} ${plot.yText(mark.value)}`}
          </li>
        ))}
        {pointed === undefined ? null : <li class="faint">{`${xName} ${nameOf(pointed)}`}</li>}
      </ul>
      <div class="unseen">
        <table>
          <caption>{plot.label}</caption>
          <thead>
            <tr>
              <Headings text={[xName, ...names]} />
            </tr>
          </thead>
          <tbody>
            {xs.map((x, row) => (
              <tr key={x}>
                <th scope="row">{nameOf(x)}</th>
                {columns.map((column, index) => (
                  <td key={names[index]}>{text(column[row])}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </figure>
  );
}
