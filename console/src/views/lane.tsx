/** One stage's versions, as cards that can be dragged to another stage. */

import { useState } from "preact/hooks";
import { Tag, Unseen } from "../components/basics";
import { ago, objectiveOf, objectiveText, words } from "../format";
import { MOVES, STAGES, type Stage, type Version } from "./lifecycle";

const FIRST = 12;
const MORE = 50;
/** The type of a dragged card; anything else that is dropped here is ignored. */
const DRAGGED = "application/x-mlops-version";

type Move = (version: number, from: Stage, to: Stage) => void;

interface Properties {
  stage: Stage;
  versions: Version[];
  /** Why the gate would no longer admit the version that serves the stage; null if it would, or if none does. */
  refusal: string | null;
  /** Whether versions of this model can be moved to other stages. */
  movable: boolean;
  onMove: Move;
  /** Called when somebody wants to see more of a version. */
  onOpen: (version: number) => void;
}

export function Lane({ stage, versions, refusal, movable, onMove, onOpen }: Properties) {
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
    const source = STAGES.find((name) => name === from);
    if (source && source !== stage) onMove(Number(version), source, stage);
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
          <VersionCard key={version.version} {...{ version, stage, refusal, movable, onMove, onOpen }} />
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

type CardProperties = Omit<Properties, "versions"> & { version: Version };

function VersionCard({ version, stage, refusal, movable, onMove, onOpen }: CardProperties) {
  return (
    <li
      class="version"
      draggable={movable}
      onDragStart={(event) => event.dataTransfer?.setData(DRAGGED, `${version.version}|${stage}`)}
    >
      <div class="top">
        <button class="link" type="button" onClick={() => onOpen(version.version)}>
          {`Version ${version.version}`}
        </button>
        <span title={words(objectiveOf(version))}>{objectiveText(version)}</span>
      </div>
      <div class="faint">
        {`${ago(version.created_at)} · `}
        <code>{(version.sha256 ?? version.run_id ?? "").slice(0, 10)}</code>
      </div>
      {refusal ? (
        <p class="refusal">
          {`It serves, but the gate would no longer admit it: ${refusal}. Move another version here${stage === "Production" ? ", or roll back" : ""}.`}
        </p>
      ) : null}
      <div class="acts">
        {(movable ? MOVES[stage] : []).map((to) => (
          <button key={to} class="button small plain" type="button" onClick={() => onMove(version.version, stage, to)}>
            {to === "Archived" ? "Archive" : <Unseen>{`Move version ${version.version} to `}</Unseen>}
            {to === "Archived" ? <Unseen>{` version ${version.version}`}</Unseen> : to}
          </button>
        ))}
      </div>
    </li>
  );
}
