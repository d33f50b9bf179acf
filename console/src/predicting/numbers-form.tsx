/** For models of vectors, and of images that nobody draws: a list of numbers. */

import { useRef, useState } from "preact/hooks";
import { Card, Problem } from "../components/basics";
import { Field } from "../components/controls";

interface Properties {
  /** How many numbers the model takes. */
  count: number;
  onAsk: (inputs: number[]) => void;
}

export function NumbersForm({ count, onAsk }: Properties) {
  const [problem, setProblem] = useState("");
  const text = useRef<HTMLTextAreaElement>(null);
  const submit = (event: Event) => {
    event.preventDefault();
    const found = numbersIn(text.current?.value ?? "", count);
    setProblem(typeof found === "string" ? found : "");
    if (typeof found !== "string") onAsk(found);
  };
  return (
    <Card title={`${count} numbers`}>
      <form class="stack" onSubmit={submit}>
        <Field label="Numbers" hint="As a JSON list, or separated by commas, spaces or lines.">
          <textarea ref={text} class="mono" rows={6} spellcheck={false} defaultValue={zeros(count)} />
        </Field>
        <Problem text={problem} />
        <div class="row-tools">
          <button class="button primary" type="submit">
            Predict
          </button>
        </div>
      </form>
    </Card>
  );
}

const zeros = (count: number): string => new Array(count).fill("0").join(", ");

/** The numbers of a text; what is wrong with it, in a sentence, if it does not have `count` of them. */
export function numbersIn(text: string, count: number): number[] | string {
  const parts = text.split(/[\s,;[\]]+/).filter(Boolean);
  const wrong = parts.find((part) => !Number.isFinite(Number(part)));
  if (wrong !== undefined) return `${wrong.slice(0, 40)} is not a number.`;
  if (parts.length !== count) return `The model takes ${count} numbers, and these are ${parts.length}.`;
  return parts.map(Number);
}
