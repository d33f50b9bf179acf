/** The verdict, the signals behind it, and the shares of the classes. */

import { BarChart } from "../charts/lazy";
import { Card, Headings, Scroll, Tag, Tile } from "../components/basics";
import { number, percent, words } from "../format";
import type { ComparisonResult, DriftStatus, SignalResult } from "../schema";
import { DriftColumns } from "./drift-columns";

/** What the current predictions are compared with, in words. */
export const AGAINST = { baseline: "earlier predictions", reference: "training data" };

interface NowProperties {
  status: DriftStatus;
  /** The column whose histograms are shown; the first one if empty. */
  column: string;
  onColumn: (name: string) => void;
}

export function DriftNow({ status, column, onColumn }: NowProperties) {
  const { thresholds } = status;
  return (
    <>
      <dl class="tiles">
        <Tile name="Verdict" more={status.against ? `against ${AGAINST[status.against]}` : "too few predictions"}>
          <Tag status={status.status} />
        </Tile>
        <Tile name="PSI" more={decidedBy(status)}>
          {status.psi === null ? "–" : status.psi.toFixed(3)}
        </Tile>
        <Tile
          name="Predictions"
          more={`in the last ${status.current.hours} h; a verdict needs ${number(thresholds.minimum_samples)}`}
        >
          {number(status.current.samples)}
        </Tile>
        <Tile
          name="Compared with"
          more={`earlier predictions, and ${number(status.reference_samples)} rows of training data`}
        >
          {number(status.baseline.samples)}
        </Tile>
      </dl>
      {status.columns ? <DriftColumns {...{ status, onColumn }} columns={status.columns} chosen={column} /> : null}
      <div class="halves tables">
        <Card title="Signals">
          <Signals status={status} />
        </Card>
        <Card title="Classes">
          <Classes status={status} />
        </Card>
      </div>
    </>
  );
}

/** What gave the verdict: a signal, or a column of a table. */
function decidedBy({ signal, column, against }: DriftStatus): string {
  const name = signal ? words(signal) : column;
  return name && against ? `${name} against ${AGAINST[against]}` : "no verdict yet";
}

function Signals({ status }: { status: DriftStatus }) {
  const rows = status.comparisons.flatMap((comparison) =>
    comparison.signals.map((signal) => <SignalRow key={key(comparison, signal)} {...{ comparison, signal }} />),
  );
  // The message already has the reason of the comparison that it is about.
  const notes = status.comparisons.filter(({ note }) => note && !status.message.includes(note));
  return (
    <div class="stack">
      {rows.length || !notes.length ? <p class="quiet">{status.message}</p> : null}
      {rows.length ? (
        <Scroll label="Table of signals">
          <table>
            <thead>
              <tr>
                <Headings text={["Signal", "Against"]} numbers={["PSI", "p-value"]} />
                <Headings text={["Verdict"]} />
              </tr>
            </thead>
            <tbody>{rows}</tbody>
          </table>
        </Scroll>
      ) : null}
      {notes.map(({ against, note }) => (
        <p key={against} class="quiet">{`Against ${AGAINST[against]}: ${note}`}</p>
      ))}
    </div>
  );
}

const key = (comparison: ComparisonResult, signal: SignalResult) => `${comparison.against} ${signal.signal}`;

const SignalRow = ({ comparison, signal }: { comparison: ComparisonResult; signal: SignalResult }) => (
  <tr>
    <th scope="row">{words(signal.signal)}</th>
    <td>{AGAINST[comparison.against]}</td>
    <td class="number">{signal.psi.toFixed(3)}</td>
    <td class="number faint">{signal.p_value < 0.001 ? "< 0.001" : signal.p_value.toFixed(3)}</td>
    <td>
      <Tag status={signal.status} />
    </td>
  </tr>
);

function Classes({ status }: { status: DriftStatus }) {
  const shares: [string, Record<string, number> | null][] = [
    ["current", status.current_distribution],
    [AGAINST.baseline, status.baseline_distribution],
    [AGAINST.reference, status.reference_distribution],
  ];
  const known = shares.flatMap(([name, share]) => (share && Object.keys(share).length ? [{ name, share }] : []));
  const groups = [...new Set(known.flatMap(({ share }) => Object.keys(share)))].sort((a, b) =>
    a.localeCompare(b, "en", { numeric: true }),
  );
  if (!known.length) return <p class="quiet">No predictions yet.</p>;
  const series = known.map(({ name, share }) => ({ name, values: groups.map((group) => share[group] ?? 0) }));
  return <BarChart label="Share of each class" groups={groups} series={series} format={(share) => percent(share, 0)} />;
}
