/** The models and versions that were deleted, and can be restored for some time. */

import { useState } from "preact/hooks";
import { covers, may, useMe } from "../access";
import { announce } from "../announce";
import * as api from "../api";
import { Card, Headings, Problem, Scroll } from "../components/basics";
import { ago } from "../format";
import { usePolling } from "../polling";
import { reason } from "../problems";
import type { BinEntry, Me } from "../schema";

const INTERVAL = 15_000;

export function Bin({ onRestored }: { onRestored: () => void }) {
  const me = useMe();
  const [entries, setEntries] = useState<BinEntry[]>([]);
  const refresh = usePolling(
    async (signal) => {
      if (!may(me, "read")) return false;
      setEntries((await api.bin({ signal })).filter(isOfModels));
      return undefined;
    },
    INTERVAL,
    [],
  );
  if (!entries.length) return null;
  const restored = () => {
    refresh();
    onRestored();
  };
  return (
    <Card title="Bin">
      <div class="stack">
        <Scroll label="Table of what is in the bin">
          <table>
            <thead>
              <tr>
                <Headings text={["Deleted", "When", "By", "Why", "Can be restored until", "Restore"]} />
              </tr>
            </thead>
            <tbody>
              {entries.map((entry) => (
                <Row key={`${named(entry)} ${entry.deleted_at}`} entry={entry} me={me} onRestored={restored} />
              ))}
            </tbody>
          </table>
        </Scroll>
      </div>
    </Card>
  );
}

function Row({ entry, me, onRestored }: { entry: BinEntry; me: Me; onRestored: () => void }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const restore = async () => {
    setBusy(true);
    try {
      await api.restore(entry.name, entry.version ?? null);
      announce(`${named(entry)} is restored`);
      onRestored();
    } catch (error) {
      setProblem(reason(error));
      setBusy(false);
    }
  };
  return (
    <tr>
      <th scope="row" class="long" title={named(entry)}>
        {named(entry)}
      </th>
      <td class="faint">{ago(entry.deleted_at)}</td>
      <td class="long" title={entry.actor}>
        {entry.actor}
      </td>
      <td class="long" title={entry.reason}>
        {entry.reason}
      </td>
      <td>{entry.state === "purging" ? "It is too late" : entry.until.slice(0, 16).replace("T", " ")}</td>
      <td>
        {mayRestore(me, entry) ? (
          <button
            class="button small"
            type="button"
            disabled={busy}
            aria-label={`Restore ${named(entry)}`}
            onClick={() => void restore()}
          >
            Restore
          </button>
        ) : null}
        <Problem text={problem} />
      </td>
    </tr>
  );
}

/** Experiments and runs are in the bin too, and not of this view. What is claimed may still be refused. */
export const isOfModels = ({ kind, state }: Pick<BinEntry, "kind" | "state">): boolean =>
  (kind === "model" || kind === "version") && state !== "claimed";

export const named = ({ name, version }: Pick<BinEntry, "name" | "version">): string =>
  version ? `Version ${version} of ${name}` : `The model ${name}`;

/** Whether the key may restore an entry, and it is not too late. The API decides. */
export const mayRestore = (me: Pick<Me, "role" | "models">, { name, state }: Pick<BinEntry, "name" | "state">) =>
  state === "kept" && may(me, "admin") && covers(me, name);
