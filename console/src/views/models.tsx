/** The lifecycle board: versions by stage, promoting with a reason, rolling back, the history. */

import { useState } from "preact/hooks";
import { announce } from "../announce";
import * as api from "../api";
import { Empty, Loading, PageHead } from "../components/basics";
import { ModelChoice, useModel } from "../components/model-choice";
import { usePolling } from "../polling";
import type { ModelDetail, Transition } from "../schema";
import { type Decision, DecisionDialog } from "./decision-dialog";
import { Lane } from "./lane";
import { canMove, STAGES, type Stage, type Version } from "./lifecycle";
import { TransitionHistory } from "./transition-history";

const INTERVAL = 3000;

export function Models({ params }: { params: URLSearchParams }) {
  const chosen = useModel(params.get("model"));
  const { names, model } = chosen;
  const [seen, setSeen] = useState<{ detail: ModelDetail; history: Transition[] }>();
  const [decision, setDecision] = useState<Decision>();
  const refresh = usePolling(
    async (signal) => {
      if (!model) return false;
      const [detail, { transitions }] = await Promise.all([
        api.model(model, { signal }),
        api.modelHistory(model, { signal }),
      ]);
      setSeen({ detail, history: transitions });
      return undefined;
    },
    INTERVAL,
    [model],
  );
  const current = seen?.detail.name === model ? seen : undefined;
  const move = (version: number, from: Stage, to: Stage) => {
    if (!model) return;
    if (canMove(from, to)) setDecision({ kind: "move", model, version, stage: to });
    else announce(`A version cannot move from ${from} to ${to}`);
  };
  return (
    <>
      <PageHead title="Models" text="The versions by stage. Drag a card to another stage, or use its buttons.">
        <ModelChoice {...chosen} />
        {model ? (
          <button
            class="button"
            type="button"
            disabled={!current?.detail.servable || !current.detail.production_version}
            onClick={() => setDecision({ kind: "rollback", model })}
          >
            Roll back
          </button>
        ) : null}
      </PageHead>
      {names?.length === 0 ? (
        <Empty title="No models yet">A finished run registers one. Start a run under Jobs.</Empty>
      ) : !current ? (
        <Loading />
      ) : (
        <div class="stack">
          {current.detail.servable ? null : <p class="banner">{`${current.detail.reason}.`}</p>}
          <div class="board">
            {STAGES.map((stage) => (
              <Lane
                key={`${model} ${stage}`}
                stage={stage}
                versions={inStage(current.detail, stage)}
                refusal={refusalIn(current.detail, stage)}
                movable={current.detail.servable}
                onMove={move}
              />
            ))}
          </div>
          <TransitionHistory transitions={current.history} />
        </div>
      )}
      {decision ? (
        <DecisionDialog decision={decision} onDone={refresh} onClosed={() => setDecision(undefined)} />
      ) : null}
    </>
  );
}

/** Why the gate would no longer admit what serves the stage. */
const refusalIn = (detail: ModelDetail, stage: Stage): string | null => {
  if (stage === "Production") return detail.production_refusal ?? null;
  return stage === "Staging" ? (detail.staging_refusal ?? null) : null;
};

const inStage = (detail: ModelDetail, stage: Stage): Version[] =>
  detail.versions.filter((version) => version.stage === stage);
