/** The newest rollout of a model: how far it is, its guardrails, and what its requests have shown. */

import { useState } from "preact/hooks";
import { may, useMe } from "../access";
import { announce } from "../announce";
import * as api from "../api";
import { Card, Headings, Scroll, Tag } from "../components/basics";
import { ago, number, percent, words } from "../format";
import { useProblems } from "../problems";
import type { GuardrailFigure, Rollout, RolloutCounts } from "../schema";
import { isOpen } from "./lifecycle";

interface Properties {
  rollout: Rollout;
  onChanged: () => void;
}

export function RolloutCard({ rollout, onChanged }: Properties) {
  const me = useMe();
  const { attempt } = useProblems();
  const [busy, setBusy] = useState(false);
  const { model_name, rollout_id, version, status, note } = rollout;
  const steer = async (deed: api.RolloutDeed) => {
    setBusy(true);
    await attempt(async () => {
      await api.steerRollout(model_name, rollout_id, deed);
      announce(`The rollout of version ${version}: ${deed}`);
      onChanged();
    });
    setBusy(false);
  };
  const tools = may(me, "approve")
    ? DEEDS[status]?.map((deed) => (
        <button
          key={deed}
          class={deed === "abort" ? "button small danger" : "button small"}
          type="button"
          disabled={busy}
          onClick={() => void steer(deed)}
        >
          {TEXTS[deed]}
        </button>
      ))
    : null;
  return (
    <Card title={`Rollout of version ${version}`} tools={tools}>
      <div class="stack">
        <p>
          <Tag status={status} />
          {` ${progress(rollout)}`}
        </p>
        {note ? <p class="quiet">{note}</p> : null}
        {status === "awaiting_approval" ? <p class="quiet">{planText(rollout)}</p> : null}
        {rollout.figures?.length ? <Figures figures={rollout.figures} broken={rollout.broken ?? null} /> : null}
        {rollout.phases?.length ? <Phases rollout={rollout} phases={rollout.phases} /> : null}
      </div>
    </Card>
  );
}

/** Which deeds the API allows, by status; none while a transition is under way. */
const DEEDS: Partial<Record<Rollout["status"], api.RolloutDeed[]>> = {
  awaiting_approval: ["abort"],
  starting: ["abort"],
  running: ["pause", "complete", "abort"],
  paused: ["resume", "complete", "abort"],
  baking: ["complete"],
};
const TEXTS: Record<api.RolloutDeed, string> = {
  pause: "Pause",
  resume: "Resume",
  complete: "Complete now",
  abort: "Abort",
};

function progress(rollout: Rollout): string {
  const { champion, created_at, phase, phase_began_at, status, weight } = rollout;
  if (status === "awaiting_approval")
    return `Asked for ${ago(created_at)}. It begins when somebody else has approved it; until then version ${champion} answers.`;
  if (status === "baking")
    return `In Production; its days of labels began ${ago(phase_began_at)}. They can still bring version ${champion} back.`;
  if (status === "returning") return `Version ${champion} goes back to Production.`;
  if (!isOpen(rollout)) return `${ago(rollout.completed_at)}, beside version ${champion}.`;
  const answers = `It answers ${number(weight)} % of the callers, version ${champion} the others.`;
  return `${phaseName(rollout, phase)}, begun ${ago(phase_began_at)}. ${answers}`;
}

/** The plan in a sentence, for those who approve it. */
export function planText({ plan }: Pick<Rollout, "plan">): string {
  const steps = plan.steps.map(({ weight, minutes }) => `${number(weight)} % for ${number(minutes)} minutes`);
  const shadow = plan.shadow_minutes ? [`${number(plan.shadow_minutes)} minutes in the shadow`] : [];
  return `The plan: ${[...shadow, ...steps].join(", then ")}.`;
}

/** "the shadow", or "step 2 of 3, 25 %". */
export function phaseName({ plan }: Pick<Rollout, "plan">, phase: number): string {
  const shadowed = (plan.shadow_minutes ?? 0) > 0;
  if (shadowed && phase === 0) return "In the shadow";
  const index = phase - (shadowed ? 1 : 0);
  return `Step ${index + 1} of ${plan.steps.length}, ${number(plan.steps[index]?.weight)} %`;
}

const Figures = ({ figures, broken }: { figures: GuardrailFigure[]; broken: string | null }) => (
  <Scroll label="Table of guardrails">
    <table>
      <thead>
        <tr>
          <Headings text={["Guardrail"]} numbers={["Observed", "Limit", "Requests"]} />
          <Headings text={["Evidence against it"]} />
        </tr>
      </thead>
      <tbody>
        {figures.map((figure) => (
          <tr key={figure.guardrail}>
            <th scope="row">{words(figure.guardrail)}</th>
            <td class="number">{observed(figure)}</td>
            <td class="number">{number(figure.limit)}</td>
            <td class="number">{number(figure.observations)}</td>
            <td>
              <progress
                class={figure.guardrail === broken ? "bad" : ""}
                max={1}
                value={figure.evidence}
                aria-label={`Evidence against ${words(figure.guardrail)}`}
              />{" "}
              <span class="faint">{figure.guardrail === broken ? "broken" : percent(figure.evidence, 0)}</span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </Scroll>
);

const observed = ({ guardrail, observed }: GuardrailFigure): string =>
  observed === null || observed === undefined
    ? "–"
    : guardrail === "max_latency_ratio"
      ? `${percent(observed)} slower`
      : percent(observed);

const Phases = ({ rollout, phases }: { rollout: Rollout; phases: RolloutCounts[] }) => (
  <Scroll label="Table of phases">
    <table>
      <thead>
        <tr>
          <Headings
            text={["Phase"]}
            numbers={["Requests", "Answered by it", "Compared", "Answered differently", "Failed", "Slower"]}
          />
        </tr>
      </thead>
      <tbody>
        {phases.map((counts, index) => (
          <tr key={index} aria-selected={isOpen(rollout) && index === rollout.phase}>
            <th scope="row">{phaseName(rollout, index)}</th>
            <td class="number">{number(counts.requests)}</td>
            <td class="number">{number(counts.canary)}</td>
            <td class="number">{number(counts.pairs)}</td>
            <td class="number">{counts.pairs ? percent(counts.disagreed / 1000 / counts.pairs) : "–"}</td>
            <td class="number">{number(counts.failed)}</td>
            <td class="number">{number(counts.slower)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </Scroll>
);
