/** A form with a field for each column of the contract, and the same row as JSON. */

import { useState } from "preact/hooks";
import { Problem } from "../components/basics";
import { Button, Field } from "../components/controls";
import type { ContractColumn } from "../schema";
import { type Row, rowFrom, ruleOf, textOf, withCell } from "./rows";

interface Properties {
  columns: ContractColumn[];
  row: Row;
  example: Row;
  onChange: (row: Row) => void;
  onAsk: () => void;
}

export function RowForm({ columns, row, example, onChange, onAsk }: Properties) {
  const [typed, setTyped] = useState<string>();
  const [problem, setProblem] = useState("");
  const paste = (text: string) => {
    setTyped(text);
    try {
      onChange(rowFrom(text));
      setProblem("");
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  const fill = (next: Row) => {
    setTyped(undefined);
    setProblem("");
    onChange(next);
  };
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (!problem) onAsk();
      }}
    >
      <div class="fields">
        {columns.map((column) => (
          <Field key={column.name} label={column.name} hint={ruleOf(column)}>
            <ColumnControl
              column={column}
              text={textOf(row[column.name])}
              onText={(text) => fill(withCell(row, column, text))}
            />
          </Field>
        ))}
      </div>
      <div class="row-tools">
        <button class="button primary" type="submit" disabled={problem !== ""}>
          Predict
        </button>
        <Button class="button" onClick={() => fill(example)}>
          Example row
        </Button>
        <Button class="button plain" onClick={() => fill({})}>
          Clear
        </Button>
      </div>
      <Field label="The row as JSON" hint="Paste a row here, or the body of a request; the form follows.">
        <textarea
          class="mono"
          spellcheck={false}
          rows={4}
          value={typed ?? JSON.stringify(row)}
          onInput={(event) => paste(event.currentTarget.value)}
        />
      </Field>
      <Problem text={problem} />
    </form>
  );
}

interface ControlProperties {
  column: ContractColumn;
  text: string;
  onText: (text: string) => void;
  id?: string;
}

/** Levels beyond which a list of suggestions helps nobody. */
const MOST_LEVELS = 200;

function ColumnControl({ column, text, onText, id = "" }: ControlProperties) {
  const { type, levels, proved } = column;
  const closed = levels !== null && levels.length <= MOST_LEVELS && !proved.includes("unseen");
  if (type === "boolean" || closed) {
    const options = type === "boolean" ? ["true", "false"] : (levels ?? []);
    // A pasted value that the column does not know is shown all the same.
    const shown = text && !options.includes(text) ? [text, ...options] : options;
    return (
      <select id={id} value={text} onChange={(event) => onText(event.currentTarget.value)}>
        <option value="">–</option>
        {shown.map((option) => (
          <option key={option}>{option}</option>
        ))}
      </select>
    );
  }
  const suggested = levels?.slice(0, MOST_LEVELS) ?? [];
  return (
    <>
      <input
        id={id}
        inputMode={type === "double" || type === "long" ? "decimal" : "text"}
        list={suggested.length ? `${id}-levels` : undefined}
        value={text}
        onChange={(event) => onText(event.currentTarget.value)}
      />
      {suggested.length ? (
        <datalist id={`${id}-levels`}>
          {suggested.map((level) => (
            <option key={level} value={level} />
          ))}
        </datalist>
      ) : null}
    </>
  );
}
