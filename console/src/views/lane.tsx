/** One stage's versions, as cards that can be dragged to another stage. */

import { useState } from "preact/hooks";
import { Tag, Unseen } from "../components/basics";
import { accuracyOf, ago, percent } from "../format";
import { MOVES, STAGES, type Stage, type Version } from "./lifecycle";

const FIRST = 12;
const MORE = 50;
/** The type of what is dragged; other things that are dropped here are not ours. */
const DRAGGED = "application/x-mlops-version";

type Move = (version: number, from: Stage, to: Stage) => void;

interface Properties {
  stage: Stage;
  versions: Version[];
  onMove: Move;
}

export function Lane({ stage, versions, onMove }: Properties) {
  const [shown, setShown] = useState(FIRST);
  const [over, setOver] = useState(false);
  const dragOver = (event: DragEvent) => {
    if (!event.dataTransfer?.types.includes(DRAGGED)) return;
    event.preventDefault();
    setOver(true);
  };
  const drop = (event: DragEvent) => {
    setOver(false);
    const [version, from] = (event.dataTransfer?.getData(DRAGGED) ?? "").split("|");
    const known = STAGES.find((each) => each === from);
    if (known && known !== stage) onMove(Number(version), known, stage);
  };
  return (
    <section
      class={`lane ${stage.toLowerCase()}${over ? " over" : ""}`}
      aria-label={stage}
      onDragOver={dragOver}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <header>
        <Tag status={stage} />
        <span class="count">{versions.length || ""}</span>
      </header>
      {versions.length ? null : <p class="faint none">None</p>}
      <ul>
        {versions.slice(0, shown).map((version) => (
          <VersionCard key={version.version} version={version} stage={stage} onMove={onMove} />
        ))}
      </ul>
      {versions.length > shown ? (
        <button class="button small plain" type="button" onClick={() => setShown(shown + MORE)}>
          {`Show more of ${versions.length}`}
        </button>
      ) : null}
    </section>
  );
}

function VersionCard({ version, stage, onMove }: { version: Version; stage: Stage; onMove: Move }) {
  return (
    <li
      class="version"
      draggable
      onDragStart={(event) => event.dataTransfer?.setData(DRAGGED, `${version.version}|${stage}`)}
    >
      <div class="top">
        <strong>{`Version ${version.version}`}</strong>
        <span>{percent(accuracyOf(version.metrics), 2)}</span>
      </div>
      <div class="faint">
        {`${ago(version.created_at)} · `}
        <code>{(version.sha256 ?? version.run_id ?? "").slice(0, 10)}</code>
      </div>
      <div class="acts">
        {MOVES[stage].map((to) => (
          <button key={to} class="button small plain" type="button" onClick={() => onMove(version.version, stage, to)}>
            {to === "Archived" ? "Archive" : <Unseen>{`Move version ${version.version} to `}</Unseen>}
            {to === "Archived" ? <Unseen>{` version ${version.version}`}</Unseen> : to}
          </button>
        ))}
      </div>
    </li>
  );
}
