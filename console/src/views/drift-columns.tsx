/** The columns of a table model that moved most, and the histograms of the one that is chosen. */

import { useState } from "preact/hooks";
import * as api from "../api";
import { BarChart } from "../charts/lazy";
import { Card, Headings, Loading, Scroll, Tag } from "../components/basics";
import { number, percent } from "../format";
import { usePolling } from "../polling";
import type { ColumnDetail, ColumnResult, ColumnsResult, DriftStatus } from "../schema";

const INTERVAL = 15_000;

interface Properties {
  status: DriftStatus;
  /** The column that moved most first. */
  columns: ColumnsResult;
  chosen: string;
  onColumn: (name: string) => void;
}

export function DriftColumns({ status, columns, chosen, onColumn }: Properties) {
  const name = columns.columns.find((column) => column.name === chosen)?.name ?? columns.columns[0]?.name;
  return (
    <div class="halves tables">
      <Card title="Columns">
        <div class="stack">
          <p class="quiet">{columns.note ?? summary(columns)}</p>
          {columns.columns.length ? (
            <Scroll label="Table of columns">
              <table>
                <thead>
                  <tr>
                    <Headings text={["Column"]} numbers={["PSI", "Missing", "Unseen", "Out of range"]} />
                    <Headings text={["Verdict"]} />
                  </tr>
                </thead>
                <tbody>
                  {columns.columns.map((column) => (
                    <ColumnRow
                      key={column.name}
                      column={column}
                      chosen={column.name === name}
                      onChoose={() => onColumn(column.name)}
                    />
                  ))}
                </tbody>
              </table>
            </Scroll>
          ) : null}
        </div>
      </Card>
      {name !== undefined ? (
        <Card title={`Values of ${name}`}>
          <Histograms key={`${status.model_name} ${name}`} status={status} name={name} />
        </Card>
      ) : null}
    </div>
  );
}

interface RowProperties {
  column: ColumnResult;
  chosen: boolean;
  onChoose: () => void;
}

const ColumnRow = ({ column, chosen, onChoose }: RowProperties) => (
  <tr aria-selected={chosen}>
    <th scope="row">
      <button class="link" type="button" onClick={onChoose}>
        {column.name}
      </button>
    </th>
    <td class="number">{column.psi.toFixed(3)}</td>
    <td class="number">{share(column.missing)}</td>
    <td class="number">{share(column.unseen)}</td>
    <td class="number">{share(outOfRange(column))}</td>
    <td>
      <Tag status={column.status} />
    </td>
  </tr>
);

function Histograms({ status, name }: { status: DriftStatus; name: string }) {
  const [column, setColumn] = useState<ColumnDetail | null>();
  const { model_name, current } = status;
  usePolling(
    async (signal) => {
      const answer = await api.driftColumn(model_name, name, current.hours, { signal });
      setColumn(answer.columns[0] ?? null);
      return undefined;
    },
    INTERVAL,
    [model_name, name, current.hours],
  );
  if (column === undefined) return <Loading />;
  if (column === null) return <p class="quiet">There are too few rows for a histogram.</p>;
  const { groups, series } = histogramsOf(column);
  return (
    <div class="stack">
      <p class="quiet">{column.message ?? "No change beyond chance."}</p>
      <BarChart
        label={`Values of ${name}`}
        xName="value"
        groups={groups}
        series={series}
        format={(value) => percent(value, 0)}
      />
    </div>
  );
}

/** The shares of both samples, without the bins that are empty in both. */
export function histogramsOf(column: ColumnDetail) {
  const kept = column.bins.flatMap((_, index) =>
    (column.counts[index] ?? 0) + (column.reference_counts[index] ?? 0) > 0 ? [index] : [],
  );
  const shares = (counts: number[]) => {
    const total = counts.reduce((sum, count) => sum + count, 0) || 1;
    return kept.map((index) => (counts[index] ?? 0) / total);
  };
  return {
    groups: kept.map((index) => column.bins[index] ?? ""),
    series: [
      { name: "current", values: shares(column.counts) },
      { name: "training data", values: shares(column.reference_counts) },
    ],
  };
}

function summary({ rows, reference_rows, watched, moved }: ColumnsResult): string {
  const verdict = moved ? `${moved} of ${watched} columns have moved` : `None of ${watched} columns has moved`;
  return `${verdict}: ${number(rows)} rows, compared with ${number(reference_rows)} of the training data.`;
}

const outOfRange = ({ below_range, above_range }: ColumnResult) =>
  below_range === null ? null : below_range + (above_range ?? 0);

const share = (value: number | null) => (value === null ? "" : percent(value, 1));
