/** One version: its lineage, its metrics beside those of Production, and what its last transition compared. */

import { Facts, Headings, NotFound, Scroll, Tag } from "../components/basics";
import { Detail } from "../components/detail";
import { ago, metricText, words } from "../format";
import type { ModelDetail, Transition } from "../schema";
import type { Version } from "./lifecycle";
import { Lineage } from "./lineage";

interface Properties {
  number: number;
  detail: ModelDetail;
  history: Transition[];
  onClose: () => void;
}

export function VersionCompared({ number, detail, history, onClose }: Properties) {
  const version = detail.versions.find((each) => each.version === number);
  const production = detail.versions.find((each) => each.version === detail.production_version);
  const last = history.find((transition) => transition.version === number);
  // Beside a version that it would replace; without one every parameter would be a change.
  const changed = last?.comparison?.replaced_version ? last.comparison.params : [];
  return (
    <Detail label={`Version ${number}`} title={`Version ${number}`} closing="Close the version" onClose={onClose}>
      {!version ? (
        <NotFound kind="version" name={String(number)}>
          It may have been deleted.
        </NotFound>
      ) : (
        <div class="body stack">
          <Lineage model={detail.name} version={version} />
          <div class="side-by-side">
            <Facts
              of={[
                ["Stage", <Tag key="stage" status={version.stage} />],
                ["Registered", ago(version.created_at)],
                ["SHA-256", version.sha256 ? <code key="sha256">{version.sha256}</code> : null],
                ["Last move", last ? `to ${last.stage}, ${words(last.status)}, by ${last.actor}` : null],
                ["Reason", last?.reason],
                ...changed
                  .slice(0, 8)
                  .map(({ name, before, now }): [string, string] => [
                    `Changed: ${words(name)}`,
                    `${before ?? "–"} → ${now ?? "–"}`,
                  ]),
              ]}
            />
            <Metrics version={version} beside={production && production !== version ? production : null} />
          </div>
        </div>
      )}
    </Detail>
  );
}

function Metrics({ version, beside }: { version: Version; beside: Version | null }) {
  const names = [...new Set([...Object.keys(version.metrics), ...Object.keys(beside?.metrics ?? {})])].sort();
  const columns = [version, ...(beside ? [beside] : [])];
  if (!names.length) return <p class="quiet">The version has no metrics.</p>;
  return (
    <Scroll label="Table of metrics">
      <table>
        <thead>
          <tr>
            <Headings
              text={["Metric"]}
              numbers={columns.map((each) =>
                each === beside ? `Version ${each.version}, in Production` : `Version ${each.version}`,
              )}
            />
          </tr>
        </thead>
        <tbody>
          {names.map((name) => (
            <tr key={name}>
              <th scope="row">{words(name)}</th>
              {columns.map((each) => (
                <td key={each.version} class="number">
                  {metricText(name, each.metrics[name])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
