/** The key that is signed in, and which keys there are: names, owners, roles and models, never the keys themselves. */

import { useState } from "preact/hooks";
import { refused, useMe } from "../access";
import * as api from "../api";
import { Card, Facts, Headings, Loading, Notice, Scroll, Tag } from "../components/basics";
import { ago } from "../format";
import { usePolling } from "../polling";
import type { KeyEntry, KeyHistory, Me } from "../schema";

const INTERVAL = 30_000;

export function Keys() {
  const me = useMe();
  const no = mayNotList(me);
  return (
    <Card title="Keys">
      <div class="stack">
        <Facts
          of={[
            ["Your key", me.name],
            ["Owner", me.owner],
            ["Role", <Tag key="role" status={me.role} />],
            ["Models and experiments", me.models.join(", ")],
          ]}
        />
        {no ? <Notice>{no}</Notice> : <AllKeys />}
      </div>
    </Card>
  );
}

/** Why the key may not see the others; null if it may. */
export function mayNotList(me: Me): string | null {
  const no = refused(me, "admin", "To see all keys");
  if (no) return no;
  return me.models.includes("*")
    ? null
    : `To see all keys needs a key for all models; yours, ${me.name}, is for ${me.models.join(", ")}.`;
}

function AllKeys() {
  const [history, setHistory] = useState<KeyHistory>();
  usePolling(
    async (signal) => {
      setHistory(await api.keyHistory({ signal }));
      return undefined;
    },
    INTERVAL,
    [],
  );
  if (!history) return <Loading />;
  const { entries, verification } = history;
  return (
    <>
      {verification.valid ? null : (
        <p class="banner">{`The history of keys is not as it was written: ${verification.problem}`}</p>
      )}
      <KeyTable label="Table of keys" entries={inForce(entries)} />
      <details>
        <summary>{`Changes of keys: ${entries.length}`}</summary>
        <KeyTable label="Table of changes of keys" entries={entries} changes />
      </details>
      <p class="faint">
        A key that was made or revoked is seen within five minutes. <code>mlops keys create</code> makes one.
      </p>
    </>
  );
}

/** The newest entry of each key that was not revoked, by name. */
export function inForce(entries: KeyEntry[]): KeyEntry[] {
  const newest = new Map<string, KeyEntry>();
  for (const entry of [...entries].sort((a, b) => a.seq - b.seq)) newest.set(entry.key_id, entry);
  return [...newest.values()]
    .filter(({ change }) => change !== "revoked")
    .sort((a, b) => a.name.localeCompare(b.name, "en"));
}

const KeyTable = ({ label, entries, changes = false }: { label: string; entries: KeyEntry[]; changes?: boolean }) => (
  <Scroll label={label}>
    <table>
      <thead>
        <tr>
          <Headings
            text={["Key", ...(changes ? ["Change"] : []), "Role", "Owner", "Models", changes ? "When" : "Since"]}
          />
        </tr>
      </thead>
      <tbody>
        {entries.map((entry) => (
          <tr key={entry.seq}>
            <th scope="row" class="long" title={entry.name}>
              {entry.name}
            </th>
            {changes ? <td>{entry.change}</td> : null}
            <td>{entry.role}</td>
            <td class="long" title={entry.owner}>
              {entry.owner}
            </td>
            <td class="long" title={entry.models.join(", ")}>
              {entry.models.join(", ")}
            </td>
            <td class="faint">{ago(entry.at)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </Scroll>
);
