/** What the version in one stage answers. */

import { useContext, useEffect, useMemo, useState } from "preact/hooks";
import { announce } from "../announce";
import * as api from "../api";
import { Card } from "../components/basics";
import { number, percent, words } from "../format";
import { ApiError, isAbort } from "../http";
import { newestOnly } from "../newest-only";
import { ProblemsContext, reason } from "../problems";
import type { Explanation, PredictRequest, PredictResponse } from "../schema";

interface Properties {
  stage: api.Stage;
  /** The version in the stage; null if there is none. */
  version: number | null;
  /** Null while there is nothing to ask. */
  request: PredictRequest | null;
  /** Also ask what each column adds to the answer. */
  explain?: boolean;
  /** What to do before there is an answer. */
  hint: string;
}

type Seen = { text: string } | { answer: PredictResponse; milliseconds: number };
type Asked = { request: PredictRequest; explain: boolean } | { text: string };

export function StageAnswer({ stage, version, request, explain = false, hint }: Properties) {
  const [seen, setSeen] = useState<Seen>({ text: hint });
  const { failed } = useContext(ProblemsContext);
  const end = useMemo(() => new AbortController(), []);
  useEffect(() => () => end.abort(), [end]);
  const none = `No version is in ${stage}.`;
  const ask = useMemo(
    () =>
      newestOnly(async (asked: Asked) => {
        if ("text" in asked) {
          setSeen(asked);
          return;
        }
        try {
          const began = performance.now();
          const answer = await api.predict(stage, asked.request, asked.explain, { signal: end.signal });
          setSeen({ answer, milliseconds: Math.round(performance.now() - began) });
          const sure = answer.confidence === undefined ? "" : `, ${percent(answer.confidence, 0)}`;
          announce(`${stage} says ${answer.prediction}${sure}`);
        } catch (error) {
          if (isAbort(error)) return;
          if (error instanceof ApiError && error.signedOut) failed(error);
          setSeen({ text: error instanceof ApiError && error.status === 409 ? none : reason(error) });
        }
      }),
    [stage, none, end, failed],
  );
  useEffect(() => {
    if (version === null) void ask({ text: none });
    else if (!request) void ask({ text: hint });
    else void ask({ request, explain });
  }, [ask, request, explain, version, none, hint]);
  const answer = "answer" in seen ? seen.answer : null;
  const shown = answer?.model_version ?? version;
  return (
    <Card title={stage} tools={<span class="faint">{shown === null ? "" : `version ${shown}`}</span>}>
      <div class="stack">
        <div class="answer">
          {"answer" in seen ? (
            <>
              <b data-testid={`says-${stage}`}>{textOf(seen.answer.prediction)}</b>
              <div>
                <div>{percent(seen.answer.confidence)}</div>
                <div class="faint">{`${seen.milliseconds} ms round trip`}</div>
                {seen.answer.variant ? (
                  <div class="faint">{`answered by the rollout's ${seen.answer.variant}`}</div>
                ) : null}
              </div>
            </>
          ) : (
            <span class="quiet">{seen.text}</span>
          )}
        </div>
        {answer?.warnings?.map((warning) => (
          <p key={warning} class="notice">
            {warning}
          </p>
        ))}
        <Shares stage={stage} answer={answer} />
        {answer?.explanation ? <Parts stage={stage} explanation={answer.explanation} /> : null}
        {answer?.explanation_reason ? <p class="quiet">{answer.explanation_reason}</p> : null}
      </div>
    </Card>
  );
}

const textOf = (prediction: PredictResponse["prediction"]): string =>
  typeof prediction === "number" && !Number.isInteger(prediction) ? number(prediction) : String(prediction);

function Shares({ stage, answer }: { stage: api.Stage; answer: PredictResponse | null }) {
  const shares = answer ? namedShares(answer) : [];
  const top = Math.max(...shares.map(({ share }) => share));
  return shares.length ? (
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
  ) : null;
}

/** Columns that are shown; the others together are one more bar. */
const PARTS = 10;

function Parts({ stage, explanation }: { stage: api.Stage; explanation: Explanation }) {
  const { of, base, label } = explanation;
  const parts = largestParts(explanation.parts, PARTS);
  const most = Math.max(...parts.map(([, value]) => Math.abs(value)), Number.MIN_VALUE);
  const subject = label === undefined ? words(of) : `${words(of)} of ${label}`;
  return (
    <div>
      <h3>What each column adds</h3>
      <p class="faint">{`To the ${subject}, from ${number(base)} if nothing is known of the row.`}</p>
      <ul class="bars signed" aria-label={`What each column adds, ${stage}`}>
        {parts.map(([name, value]) => (
          <li key={name}>
            <span class="name" title={name}>
              {name}
            </span>
            <div class={value < 0 ? "track below" : "track above"}>
              <div class="fill" style={{ width: `${(Math.abs(value) / most) * 50}%` }} />
            </div>
            <span class="share">{`${value < 0 ? "−" : "+"}${number(Math.abs(value))}`}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** The parts that add most, largest first, and the sum of the others. */
export function largestParts(parts: Record<string, number>, most: number): [name: string, value: number][] {
  const ordered = Object.entries(parts).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
  if (ordered.length <= most) return ordered;
  const rest = ordered.slice(most - 1);
  const sum = rest.reduce((total, [, value]) => total + value, 0);
  return [...ordered.slice(0, most - 1), [`${rest.length} other columns`, sum]];
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
