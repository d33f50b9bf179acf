/** The dialog that starts a rollout of the version in Staging. */

import { useRef, useState } from "preact/hooks";
import { announce } from "../announce";
import * as api from "../api";
import { Problem } from "../components/basics";
import { Field } from "../components/controls";
import { Acts, Dialog, useClose } from "../components/dialog";
import { words } from "../format";
import { reason } from "../problems";
import type { RolloutRequest } from "../schema";

interface Properties {
  model: string;
  version: number;
  onStarted: () => void;
  onClosed: () => void;
}

export const RolloutDialog = ({ onClosed, ...rest }: Properties) => (
  <Dialog label="Roll out" onClosed={onClosed}>
    <Form {...rest} />
  </Dialog>
);

function Form({ model, version, onStarted }: Omit<Properties, "onClosed">) {
  const [problem, setProblem] = useState("");
  const steps = useRef<HTMLInputElement>(null);
  const shadow = useRef<HTMLInputElement>(null);
  const why = useRef<HTMLTextAreaElement>(null);
  const close = useClose();
  const submit = async (event: Event) => {
    event.preventDefault();
    const found = stepsFrom(steps.current?.value ?? "");
    if (typeof found === "string") {
      setProblem(found);
      return;
    }
    const reasoned = why.current?.value.trim();
    try {
      const { status } = await api.startRollout(model, {
        version,
        steps: found,
        shadow_minutes: Number(shadow.current?.value),
        ...(reasoned ? { reason: reasoned } : {}),
      } as RolloutRequest);
      announce(`The rollout of version ${version}: ${words(status)}`);
      close();
      onStarted();
    } catch (error) {
      setProblem(reason(error));
    }
  };
  return (
    <form onSubmit={submit}>
      <h2>{`Roll out version ${version} of ${model}`}</h2>
      <p class="quiet">
        First it is asked beside Production and compared; then it answers a growing share of the callers. A guardrail
        that it breaks sends it back by itself. The last step moves it to Production.
      </p>
      <Field label="Minutes in the shadow">
        <input ref={shadow} type="number" min={0} defaultValue="30" required />
      </Field>
      <Field label="Steps" hint="Percent and minutes of each step, such as 5:30 25:60">
        <input ref={steps} defaultValue="5:30 25:60" required />
      </Field>
      <Field label="Reason">
        <textarea ref={why} maxLength={1000} placeholder="Shown in the history" />
      </Field>
      <Problem text={problem} />
      <Acts verb="Start" />
    </form>
  );
}

/** Steps from text as the command line takes them; what is wrong with it, in a sentence. */
export function stepsFrom(text: string): { weight: number; minutes: number }[] | string {
  const parts = text.split(/[\s,]+/).filter(Boolean);
  const steps = parts.map((part) => part.split(":").map(Number));
  if (!steps.length || steps.some((step) => step.length !== 2 || step.some((value) => !Number.isFinite(value))))
    return "A step is a percentage and minutes, such as 5:30; steps are separated by spaces.";
  return steps.map(([weight = 0, minutes = 0]) => ({ weight, minutes }));
}
