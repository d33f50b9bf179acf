/** Transitions that wait until somebody else approves them. */

import { useRef, useState } from "preact/hooks";
import { refused, useMe } from "../access";
import { announce } from "../announce";
import * as api from "../api";
import { Card, Problem } from "../components/basics";
import { Field } from "../components/controls";
import { Gates } from "../components/gates";
import { ago, number, words } from "../format";
import { reason } from "../problems";
import type { Me, Transition } from "../schema";

interface Properties {
  transitions: Transition[];
  onDecided: () => void;
}

export const Approvals = ({ transitions, onDecided }: Properties) => (
  <>
    {transitions
      .filter(({ status }) => status === "awaiting_approval")
      .map((transition) => (
        <Approval key={transition.transition_id} {...{ transition, onDecided }} />
      ))}
  </>
);

function Approval({ transition, onDecided }: { transition: Transition; onDecided: () => void }) {
  const me = useMe();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const comment = useRef<HTMLTextAreaElement>(null);
  const { version, stage, actor, created_at, decisions, approvals_needed } = transition;
  const decide = async (verb: "approve" | "reject") => {
    setBusy(true);
    try {
      const decided = await api.decide(transition.transition_id, verb, comment.current?.value.trim() ?? "");
      announce(`Version ${version}: ${words(decided.status)}`);
      onDecided();
    } catch (error) {
      setProblem(reason(error));
    }
    setBusy(false);
  };
  const no = mayNotDecide(me, transition);
  const missing = approvals_needed - decisions.filter(({ approved }) => approved).length;
  return (
    <Card
      title={`${transition.rollout_id ? "The rollout of version" : "Version"} ${version} waits for approval to ${stage}`}
    >
      <div class="stack">
        <p class="quiet">
          {`Asked for by ${actor} ${ago(created_at)}${transition.reason ? `, with the reason “${transition.reason}”` : ""}. ` +
            `It needs ${number(missing)} more ${missing === 1 ? "approval" : "approvals"}.`}
        </p>
        {decisions.map((decision) => (
          <p key={decision.at} class="quiet">
            {`${decision.name} has ${decision.approved ? "approved" : "rejected"} it${decision.comment ? `: ${decision.comment}` : "."}`}
          </p>
        ))}
        <Gates gates={transition.gates} />
        {no ? (
          <p class="notice">{no}</p>
        ) : (
          <>
            <Field label="Comment">
              <textarea ref={comment} maxLength={1000} placeholder="Shown in the history" />
            </Field>
            <div class="row-tools">
              <button class="button primary" type="button" disabled={busy} onClick={() => void decide("approve")}>
                Approve
              </button>
              <button class="button danger" type="button" disabled={busy} onClick={() => void decide("reject")}>
                Reject
              </button>
            </div>
          </>
        )}
        <Problem text={problem} />
      </div>
    </Card>
  );
}

type Asked = Pick<Transition, "actor" | "actor_owner" | "decisions">;

/** Why the key may not decide about a transition; null if it may. The API decides. */
export function mayNotDecide(me: Pick<Me, "name" | "owner" | "role">, asked: Asked): string | null {
  const no = refused(me, "approve", "To approve or reject it");
  if (no) return no;
  if (me.owner === (asked.actor_owner ?? asked.actor))
    return `You have asked for it: somebody with a key of another owner than ${me.owner} has to decide.`;
  return asked.decisions.some(({ owner }) => owner === me.owner) ? `${me.owner} has decided already.` : null;
}
