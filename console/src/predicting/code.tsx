/** The request as it is, to copy into a shell or a program. */

import { useState } from "preact/hooks";
import { announce } from "../announce";
import type { Stage } from "../api";
import { Card } from "../components/basics";
import { Button, type Option, Segments } from "../components/controls";
import type { Row } from "./rows";

const LANGUAGES: Option[] = [
  ["curl", "curl"],
  ["python", "Python"],
  ["cli", "Command line"],
];

export interface Code {
  curl: string;
  python: string;
  cli: string;
}

/** A row's request to the version in a stage. */
export function codeOf(row: Row, model: string, stage: Stage): Code {
  const staging = stage === "Staging";
  const body = JSON.stringify({ row, model_name: model });
  const python = `row=${pythonOf(row)}, model_name=${JSON.stringify(model)}${staging ? ", staging=True" : ""}`;
  return {
    curl: `curl -H "x-api-key: $MLOPS_API_KEY" -d ${quoted(body)} "$MLOPS_API_URL/predict${staging ? "/staging" : ""}"`,
    python: `from mlops_client import Client\n\nClient().predict(${python})`,
    cli: `mlops predict --row ${quoted(JSON.stringify(row))} --model ${quoted(model)}${staging ? " --staging" : ""}`,
  };
}

/** A word for a shell. */
export const quoted = (text: string): string =>
  /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** The same row in Python, whose strings JSON's are; the words for nothing and for truth are others. */
export function pythonOf(row: Row): string {
  const cell = (value: Row[string] | undefined): string => {
    if (value === null || value === undefined) return "None";
    if (typeof value === "boolean") return value ? "True" : "False";
    return JSON.stringify(value);
  };
  return `{${Object.entries(row)
    .map(([name, value]) => `${JSON.stringify(name)}: ${cell(value)}`)
    .join(", ")}}`;
}

export function CopyCode({ code }: { code: Code }) {
  const [language, setLanguage] = useState<keyof Code>("curl");
  const [copied, setCopied] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(code[language]);
      setCopied("Copied.");
    } catch {
      // Without https, browsers give pages no clipboard.
      setCopied("This browser does not let the page copy. Select the text.");
    }
    announce("Copied");
  };
  const choose = (name: string) => {
    setLanguage(name as keyof Code);
    setCopied("");
  };
  return (
    <Card title="As code">
      <div class="stack">
        <div class="row-tools">
          <Segments label="Language" options={LANGUAGES} chosen={language} onChoose={choose} />
          <Button class="button small" onClick={() => void copy()}>
            Copy
          </Button>
          <span class="faint">{copied}</span>
        </div>
        <section class="logs" aria-label="The request as code">
          <pre data-testid="code">{code[language]}</pre>
        </section>
      </div>
    </Card>
  );
}
