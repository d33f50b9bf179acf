/** What one chooses with. */

import { type ComponentChildren, cloneElement, type VNode } from "preact";
import { useId } from "preact/hooks";

export type Option = [value: string, text: string];

interface Choosing {
  label: string;
  options: Option[];
  chosen: string;
  onChoose: (value: string) => void;
}

export const Choice = ({ label, options, chosen, onChoose }: Choosing) => (
  <select aria-label={label} value={chosen} onChange={(event) => onChoose(event.currentTarget.value)}>
    {options.map(([value, text]) => (
      <option key={value} value={value}>
        {text}
      </option>
    ))}
  </select>
);

/** Buttons of which one is pressed. */
export const Segments = ({ label, options, chosen, onChoose }: Choosing) => (
  // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out as one row of buttons everywhere
  <div class="segments" role="group" aria-label={label}>
    {options.map(([value, text]) => (
      <button key={value} type="button" aria-pressed={value === chosen} onClick={() => onChoose(value)}>
        {text}
      </button>
    ))}
  </div>
);

interface FieldProperties {
  label: string;
  hint?: string;
  /** One control. */
  children: VNode<{ id?: string }>;
}

export function Field({ label, hint, children }: FieldProperties) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {cloneElement(children, { id })}
      {hint ? <small>{hint}</small> : null}
    </div>
  );
}

export const Button = ({ children, ...more }: { children: ComponentChildren; class: string; onClick: () => void }) => (
  <button type="button" {...more}>
    {children}
  </button>
);
