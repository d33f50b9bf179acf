/** Whether the model's inputs and answers have changed: now, and hour by hour. */

import { useState } from "preact/hooks";
import * as api from "../api";
import { Card, Empty, Loading, PageHead } from "../components/basics";
import { Choice, type Option } from "../components/controls";
import { ModelChoice, useModel } from "../components/model-choice";
import { ApiError } from "../http";
import { usePolling } from "../polling";
import type { DriftHistory, DriftStatus } from "../schema";
import { DriftNow } from "./drift-now";
import { DriftOverTime } from "./drift-over-time";

const INTERVAL = 15_000;
const WINDOWS: Option[] = [
  ["1", "last hour"],
  ["6", "last 6 hours"],
  ["24", "last day"],
  ["72", "last 3 days"],
  ["168", "last 7 days"],
];
const SPANS: Option[] = [
  ["24", "1 day"],
  ["72", "3 days"],
  ["168", "7 days"],
];
/** Hours that one point stands for, by the hours that the line runs over. */
const STEPS: Record<string, number> = { 24: 1, 72: 3, 168: 6 };

type Seen = { status: DriftStatus; history: DriftHistory } | { nothing: string };

export function Drift({ params }: { params: URLSearchParams }) {
  const chosen = useModel(params.get("model"));
  const [window, setWindow] = useState("24");
  const [span, setSpan] = useState("24");
  const [seen, setSeen] = useState<Seen>();
  const { names, model } = chosen;
  usePolling(
    async (signal) => {
      if (!model) return false;
      setSeen(await look(model, Number(window), span, signal));
      return undefined;
    },
    INTERVAL,
    [model, window, span],
  );
  const spans = <Choice label="Time" options={SPANS} chosen={span} onChoose={setSpan} />;
  return (
    <>
      <PageHead title="Drift" text="The latest predictions, compared with earlier ones and with training.">
        {names && names.length > 1 ? <ModelChoice {...chosen} /> : null}
        <Choice label="Window" options={WINDOWS} chosen={window} onChoose={setWindow} />
      </PageHead>
      {names?.length === 0 ? (
        <Empty title="No models yet">Drift is measured on the predictions of a model in Production.</Empty>
      ) : !seen ? (
        <Loading />
      ) : "nothing" in seen ? (
        <Empty title="Nothing to compare yet">{seen.nothing}</Empty>
      ) : (
        <div class="stack">
          <DriftNow status={seen.status} />
          <Card title="Over time, by signal" tools={spans}>
            <DriftOverTime history={seen.history} />
          </Card>
        </div>
      )}
    </>
  );
}

async function look(model: string, window: number, span: string, signal: AbortSignal): Promise<Seen> {
  try {
    const [status, history] = await Promise.all([
      api.driftStatus(model, window, { signal }),
      api.driftHistory(model, Number(span), STEPS[span] ?? 1, { signal }),
    ]);
    return { status, history };
  } catch (error) {
    // Without a version in Production, or without predictions, there is nothing to compare.
    if (error instanceof ApiError && (error.status === 409 || error.status === 404)) return { nothing: error.message };
    throw error;
  }
}
