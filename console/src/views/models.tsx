/** The lifecycle board: versions by stage, promoting with a reason, approvals, rollouts, the history. */

import { useRef, useState } from "preact/hooks";
import { may, refused, useMe } from "../access";
import { announce } from "../announce";
import * as api from "../api";
import { Empty, Loading, Notice, PageHead } from "../components/basics";
import { ModelChoice, UnknownModel, useModel } from "../components/model-choice";
import { usePolling } from "../polling";
import { linkTo, useAddress } from "../routing";
import type { ModelDetail, Rollout, Transition } from "../schema";
import { Approvals } from "./approvals";
import { Bin } from "./bin";
import { type Decision, DecisionDialog } from "./decision-dialog";
import { Lane } from "./lane";
import { canMove, isOpen, STAGES, type Stage, type Version } from "./lifecycle";
import { RolloutCard } from "./rollout-card";
import { RolloutDialog } from "./rollout-dialog";
import { TransitionHistory } from "./transition-history";
import { VersionCompared } from "./version-compared";

const INTERVAL = 3000;

interface Seen {
  detail: ModelDetail;
  history: Transition[];
  /** The newest one, with its counts; null if there never was one. */
  rollout: Rollout | null;
}

export function Models({ params }: { params: URLSearchParams }) {
  const me = useMe();
  const chosen = useModel(params);
  const { names, model, unknown } = chosen;
  const [version, setVersion] = useAddress(params, "version");
  const [seen, setSeen] = useState<Seen>();
  const [decision, setDecision] = useState<Decision>();
  const [rolling, setRolling] = useState(false);
  // All versions are read again only when one was added or moved.
  const whole = useRef<{ state: string; detail: ModelDetail } | null>(null);
  const refresh = usePolling(
    async (signal) => {
      if (!model) return false;
      const newest = await api.model(model, { signal });
      const { transitions } = await api.modelHistory(model, { signal });
      const rollout = newest.servable ? await newestRollout(model, signal) : null;
      const state = stateOf(newest, transitions);
      if (whole.current?.state !== state) whole.current = { state, detail: await api.wholeModel(model, { signal }) };
      const { versions, next_cursor } = whole.current.detail;
      setSeen({ detail: { ...newest, versions, next_cursor: next_cursor ?? null }, history: transitions, rollout });
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
  const no = refused(me, "train", "To move a version");
  const approver = may(me, "approve");
  const why = no ?? refused(me, "approve", "To roll back or roll out");
  const serving = current?.detail.servable ? current.detail : undefined;
  return (
    <>
      <PageHead title="Models" text="The versions by stage. Drag a card to another stage, or use its buttons.">
        <ModelChoice {...chosen} />
        {model && approver ? (
          <>
            {serving?.production_version && serving.staging_version && !isOpen(current?.rollout) ? (
              <button class="button" type="button" onClick={() => setRolling(true)}>
                Roll out
              </button>
            ) : null}
            <button
              class="button"
              type="button"
              disabled={!serving?.production_version}
              onClick={() => setDecision({ kind: "rollback", model })}
            >
              Roll back
            </button>
          </>
        ) : null}
      </PageHead>
      <Notice>{why}</Notice>
      {unknown ? (
        <UnknownModel {...chosen} />
      ) : names?.length === 0 ? (
        <Empty title="No models yet">
          A finished run registers one. <a href={linkTo("jobs")}>Start a run</a>.
        </Empty>
      ) : !current || !model ? (
        <Loading />
      ) : (
        <div class="stack">
          {current.detail.servable ? null : <p class="banner">{`${current.detail.reason}.`}</p>}
          <Approvals transitions={current.history} onDecided={refresh} />
          {current.rollout ? <RolloutCard rollout={current.rollout} onChanged={refresh} /> : null}
          <div class="board">
            {STAGES.map((stage) => (
              <Lane
                key={`${model} ${stage}`}
                stage={stage}
                versions={inStage(current.detail, stage)}
                refusal={refusalIn(current.detail, stage)}
                movable={current.detail.servable && !no}
                onMove={move}
                onOpen={(number) => setVersion(String(number))}
              />
            ))}
          </div>
          {current.detail.next_cursor ? (
            <p class="quiet">{`These are the newest ${current.detail.versions.length} versions; older ones are not shown.`}</p>
          ) : null}
          {version ? (
            <VersionCompared
              key={`${model} ${version}`}
              number={Number(version)}
              {...current}
              onClose={() => setVersion("")}
            />
          ) : null}
          <TransitionHistory transitions={current.history} />
        </div>
      )}
      <Bin
        onRestored={() => {
          whole.current = null;
          chosen.refresh();
          refresh();
        }}
      />
      {decision ? (
        <DecisionDialog decision={decision} onDone={refresh} onClosed={() => setDecision(undefined)} />
      ) : null}
      {rolling && serving?.staging_version ? (
        <RolloutDialog
          model={serving.name}
          version={serving.staging_version}
          onStarted={refresh}
          onClosed={() => setRolling(false)}
        />
      ) : null}
    </>
  );
}

async function newestRollout(model: string, signal: AbortSignal): Promise<Rollout | null> {
  const newest = (await api.rollouts(model, { signal })).rollouts[0];
  return newest ? api.rollout(model, newest.rollout_id, { signal }) : null;
}

/** Changes when a version is added, or moves. */
const stateOf = ({ versions, production_version, staging_version }: ModelDetail, history: Transition[]): string =>
  JSON.stringify([
    versions[0]?.version,
    versions[0]?.metrics,
    production_version,
    staging_version,
    history.map(({ transition_id, status }) => [transition_id, status]),
  ]);

/** Why the gate would no longer admit what serves the stage. */
const refusalIn = (detail: ModelDetail, stage: Stage): string | null => {
  if (stage === "Production") return detail.production_refusal ?? null;
  return stage === "Staging" ? (detail.staging_refusal ?? null) : null;
};

const inStage = (detail: ModelDetail, stage: Stage): Version[] =>
  detail.versions.filter((version) => version.stage === stage);
