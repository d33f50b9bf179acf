/** What the version in one stage reads in the drawing. */

import { useContext, useEffect, useMemo, useState } from "preact/hooks";
import { announce } from "../announce";
import * as api from "../api";
import { Card } from "../components/basics";
import { percent } from "../format";
import { ApiError, isAbort } from "../http";
import { newestOnly } from "../newest-only";
import { ProblemsContext, reason } from "../problems";
import type { PredictResponse } from "../schema";

type Stage = "Production" | "Staging";
/** The version in each stage; null where there is none. */
export type Serving = Record<Stage, number | null>;

interface Properties {
  stage: Stage;
  route: "predict" | "predict/staging";
  /** Null while nothing is drawn. */
  image: number[] | null;
  /** Undefined until it is known, as is the version. */
  model: string | undefined;
  version: number | null | undefined;
}

type Seen = { text: string } | { answer: PredictResponse; milliseconds: number };

const EMPTY = { text: "Draw something." };

export function StageAnswer({ stage, route, image, model, version }: Properties) {
  const [seen, setSeen] = useState<Seen>(EMPTY);
  const { failed } = useContext(ProblemsContext);
  const end = useMemo(() => new AbortController(), []);
  useEffect(() => () => end.abort(), [end]);
  const none = `No version is in ${stage}.`;
  const ask = useMemo(
    () =>
      newestOnly(async (request: { image: number[]; model_name: string } | { text: string }) => {
        if ("text" in request) {
          setSeen(request);
          return;
        }
        try {
          const began = performance.now();
          const answer = await api.predict(route, request, { signal: end.signal });
          setSeen({ answer, milliseconds: Math.round(performance.now() - began) });
          announce(`${stage} reads ${answer.prediction}, ${percent(answer.confidence, 0)}`);
        } catch (error) {
          if (isAbort(error)) return;
          if (error instanceof ApiError && error.signedOut) failed(error);
          setSeen({ text: error instanceof ApiError && error.status === 409 ? none : reason(error) });
        }
      }),
    [route, stage, none, end, failed],
  );
  useEffect(() => {
    if (version === null) void ask({ text: none });
    else if (!image || !model) void ask(EMPTY);
    else void ask({ image, model_name: model });
  }, [ask, image, model, version, none]);
  const answered = "answer" in seen;
  return (
    <Card title={stage} tools={<span class="faint">{answered ? `version ${seen.answer.model_version}` : ""}</span>}>
      <div class="stack">
        <div class="answer">
          {answered ? (
            <>
              <b data-testid={`says-${stage}`}>{String(seen.answer.prediction)}</b>
              <div>
                <div>{percent(seen.answer.confidence)}</div>
                <div class="faint">{`${seen.milliseconds} ms round trip`}</div>
              </div>
            </>
          ) : (
            <span class="quiet">{seen.text}</span>
          )}
        </div>
        <Shares stage={stage} answer={answered ? seen.answer : null} />
      </div>
    </Card>
  );
}

function Shares({ stage, answer }: { stage: Stage; answer: PredictResponse | null }) {
  const shares = answer ? namedShares(answer) : [];
  const top = Math.max(...shares.map(({ share }) => share));
  return (
    <ul class="bars" aria-label={`${stage}'s probabilities`}>
      {shares.map(({ name, share }) => (
        <li key={name} class={share === top ? "top" : ""}>
          <span class="name">{name}</span>
          <div class="track">
            <div class="fill" style={{ width: `${share * 100}%` }} />
          </div>
          <span class="share">{percent(share)}</span>
        </li>
      ))}
    </ul>
  );
}

interface NamedShare {
  name: string;
  share: number;
}

/**
 * The classes and their probabilities, none for a quantity. A list has no names: they are the places where those are the
 * labels, else only the label that was predicted is known.
 */
export function namedShares(answer: Pick<PredictResponse, "prediction" | "probabilities">): NamedShare[] {
  const { prediction, probabilities } = answer;
  if (probabilities === undefined) return [];
  if (!Array.isArray(probabilities)) return Object.entries(probabilities).map(([name, share]) => ({ name, share }));
  const top = probabilities.indexOf(Math.max(...probabilities));
  const places = prediction === top;
  const name = (index: number) => (places ? String(index) : index === top ? String(prediction) : `#${index}`);
  return probabilities.map((share, index) => ({ name: name(index), share }));
}
