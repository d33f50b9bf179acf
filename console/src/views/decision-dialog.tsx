/** A dialog that asks why, moves a version or rolls back, and shows what the gates found. */

import { useRef, useState } from "preact/hooks";
import { announce } from "../announce";
import * as api from "../api";
import { Problem, Tag } from "../components/basics";
import { Field } from "../components/controls";
import { Acts, Dialog } from "../components/dialog";
import { Gates } from "../components/gates";
import { pause } from "../pause";
import { reason } from "../problems";
import type { Transition } from "../schema";
import type { Stage } from "./lifecycle";

const INTERVAL = 700;
const CONVERTING =
  "A job converts the version to ONNX and proves the result, which takes minutes. The move goes on by itself, also without this page…";

export type Decision =
  | { kind: "move"; model: string; version: number; stage: Stage }
  | { kind: "rollback"; model: string };

interface Properties {
  decision: Decision;
  /** Called when the transition has ended. */
  onDone: () => void;
  onClosed: () => void;
}

export const DecisionDialog = ({ onClosed, ...rest }: Properties) => (
  <Dialog label={wordsFor(rest.decision).title} onClosed={onClosed}>
    <Form {...rest} />
  </Dialog>
);

type Outcome =
  | { state: "asking" }
  | { state: "waiting"; converting: boolean }
  | { state: "ended"; moved: Transition }
  | { state: "failed"; why: string };

function Form({ decision, onDone }: Omit<Properties, "onClosed">) {
  const { title, text, verb } = wordsFor(decision);
  const [outcome, setOutcome] = useState<Outcome>({ state: "asking" });
  const why = useRef<HTMLTextAreaElement>(null);
  const force = useRef<HTMLInputElement>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    const wait = (converting: boolean) => setOutcome({ state: "waiting", converting });
    wait(false);
    try {
      const moved = await carryOut(decision, why.current?.value.trim() ?? "", force.current?.checked ?? false, wait);
      setOutcome({ state: "ended", moved });
      announce(`${title}: ${moved.status}`);
      onDone();
    } catch (error) {
      setOutcome({ state: "failed", why: reason(error) });
    }
  };
  const over = outcome.state === "ended" && ["succeeded", "awaiting_approval"].includes(outcome.moved.status);
  return (
    <form onSubmit={submit}>
      <h2>{title}</h2>
      <p class="quiet">{text}</p>
      <Field label="Reason">
        <textarea ref={why} maxLength={1000} placeholder="Shown in the history" />
      </Field>
      {decision.kind === "move" && decision.stage === "Production" ? (
        <label class="check">
          <input ref={force} type="checkbox" />
          Skip the metric gate (needs a reason)
        </label>
      ) : null}
      <div class="stack" role="status">
        <Result outcome={outcome} />
      </div>
      <Acts
        verb={over ? null : verb}
        busy={outcome.state === "waiting"}
        leave={outcome.state === "ended" ? "Close" : "Cancel"}
      />
    </form>
  );
}

export function Result({ outcome }: { outcome: Outcome }) {
  switch (outcome.state) {
    case "asking":
      return null;
    case "waiting":
      return <p class="quiet">{outcome.converting ? CONVERTING : "Queued. The gates check the version…"}</p>;
    case "failed":
      return <Problem text={outcome.why} />;
    case "ended": {
      const { moved } = outcome;
      return (
        <>
          <Gates gates={moved.gates} />
          {moved.status === "awaiting_approval" ? (
            <Waiting moved={moved} />
          ) : moved.status === "succeeded" ? (
            <p>
              <Tag status="succeeded" />
              {` Version ${moved.version} is in ${moved.stage}`}
              {moved.replaced_version ? `. It replaces version ${moved.replaced_version}.` : "."}
            </p>
          ) : (
            <p class="banner">{`${moved.status}: ${moved.error ?? "a gate refused the version"}`}</p>
          )}
        </>
      );
    }
  }
}

const Waiting = ({ moved }: { moved: Transition }) => (
  <p>
    <Tag status="awaiting_approval" />
    {` Somebody with a key of another owner has to approve it within seven days, here or with `}
    <code>{`mlops approve ${moved.transition_id}`}</code>.
  </p>
);

async function carryOut(
  decision: Decision,
  why: string,
  force: boolean,
  wait: (converting: boolean) => void,
): Promise<Transition> {
  let moved = await request(decision, why, force);
  while (moved.status === "queued" || moved.status === "converting") {
    wait(moved.status === "converting");
    await pause(INTERVAL);
    moved = await api.transition(moved.transition_id);
  }
  return moved;
}

function request(decision: Decision, why: string, force: boolean): Promise<Transition> {
  if (decision.kind === "rollback") return api.rollBack(decision.model, why);
  const { model, version, stage } = decision;
  const more = { ...(why ? { reason: why } : {}), ...(force ? { force } : {}) };
  return api.moveVersion({ model_name: model, version, stage, ...more });
}

function wordsFor(decision: Decision): { title: string; text: string; verb: string } {
  if (decision.kind === "rollback") {
    return {
      title: "Roll back",
      text: "The version that was in Production before returns there, in place of the current one.",
      verb: "Roll back",
    };
  }
  const { version, stage } = decision;
  return {
    title: `Move version ${version} to ${stage}`,
    text:
      stage === "Production"
        ? "If it passes the gates, it answers all predictions, and the current version is archived."
        : `The version's stage becomes ${stage}.`,
    verb: stage === "Archived" ? "Archive" : "Promote",
  };
}
