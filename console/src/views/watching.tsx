/** Whether the model still does well: its inputs and answers, column by column, and what labels say. */

import { useState } from "preact/hooks";
import * as api from "../api";
import { Banner, Card, Empty, Loading, PageHead } from "../components/basics";
import { Choice, type Option } from "../components/controls";
import { ModelChoice, UnknownModel, useModel } from "../components/model-choice";
import { StartRun } from "../components/start-run";
import { words } from "../format";
import { ApiError } from "../http";
import { usePolling } from "../polling";
import { useAddress } from "../routing";
import type { DriftHistory, DriftStatus, PerformanceHistory, PerformanceStatus } from "../schema";
import { DriftNow } from "./drift-now";
import { DriftOverTime } from "./drift-over-time";
import { Performance } from "./performance";

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
/** Labels come late: of how many hours predictions are judged by them, and in which steps. */
const LABELLED = 720;
const LABELLED_STEP = 24;

interface Watched {
  model: string;
  drift: { status: DriftStatus; lastHour: DriftStatus | null; history: DriftHistory } | { nothing: string };
  performance: { status: PerformanceStatus; history: PerformanceHistory | null } | null;
}

export function Watching({ params }: { params: URLSearchParams }) {
  const chosen = useModel(params);
  const [window, setWindow] = useAddress(params, "window", "24");
  const [span, setSpan] = useAddress(params, "time", "24");
  const [column, setColumn] = useAddress(params, "column");
  const [seen, setSeen] = useState<Watched>();
  const { names, model, unknown } = chosen;
  usePolling(
    async (signal) => {
      if (!model) return false;
      const { Production } = await api.serving(model, { signal });
      setSeen({
        model,
        drift: Production
          ? await driftOf(model, window, span, signal)
          : { nothing: `No version of ${model} is in Production.` },
        performance: await performanceOf(model, signal),
      });
      return undefined;
    },
    INTERVAL,
    [model, window, span],
  );
  const current = seen?.model === model ? seen : undefined;
  const spans = <Choice label="Time" options={SPANS} chosen={span} onChoose={setSpan} />;
  return (
    <>
      <PageHead
        title="Watching"
        text="The latest predictions, compared with earlier ones, with training and with labels."
      >
        <ModelChoice {...chosen} />
        <Choice label="Window" options={WINDOWS} chosen={window} onChoose={setWindow} />
      </PageHead>
      {unknown ? (
        <UnknownModel {...chosen} />
      ) : names?.length === 0 ? (
        <Empty title="No models yet">
          What the version in Production answers is watched. One comes from a run. <StartRun />
        </Empty>
      ) : !current ? (
        <Loading />
      ) : (
        <div class="stack">
          {"nothing" in current.drift ? (
            <Empty title="Nothing to compare yet">{current.drift.nothing}</Empty>
          ) : (
            <>
              <LastHour {...current.drift} />
              <DriftNow status={current.drift.status} column={column} onColumn={setColumn} />
              <Card title="Over time, by signal" tools={spans}>
                <DriftOverTime history={current.drift.history} />
              </Card>
            </>
          )}
          {current.performance ? <Performance {...current.performance} /> : null}
        </div>
      )}
    </>
  );
}

/** A change of this hour is not in a day's verdict yet: the two are said apart. */
function LastHour({ status, lastHour }: { status: DriftStatus; lastHour: DriftStatus | null }) {
  if (!lastHour || lastHour.status === status.status || !["warning", "alert"].includes(lastHour.status)) return null;
  return (
    <Banner kind={lastHour.status === "alert" ? "bad" : "warn"}>
      {`The last ${status.current.hours} hours: ${words(status.status)}. The last hour alone: ${words(lastHour.status)}. ${lastHour.message}`}
    </Banner>
  );
}

async function driftOf(model: string, window: string, span: string, signal: AbortSignal): Promise<Watched["drift"]> {
  try {
    const [status, history, lastHour] = await Promise.all([
      api.driftStatus(model, Number(window), { signal }),
      api.driftHistory(model, Number(span), STEPS[span] ?? 1, { signal }),
      window === "1" ? null : api.driftStatus(model, 1, { signal }),
    ]);
    return { status, history, lastHour };
  } catch (error) {
    // Without a version in Production, or without predictions, there is nothing to compare.
    if (error instanceof ApiError && (error.status === 409 || error.status === 404)) return { nothing: error.message };
    throw error;
  }
}

async function performanceOf(model: string, signal: AbortSignal): Promise<Watched["performance"]> {
  try {
    const status = await api.performance(model, LABELLED, { signal });
    const labelled = status.versions.some(({ labels }) => labels > 0);
    const history = labelled ? await api.performanceHistory(model, LABELLED, LABELLED_STEP, { signal }) : null;
    return { status, history };
  } catch (error) {
    if (error instanceof ApiError && (error.status === 409 || error.status === 404)) return null;
    throw error;
  }
}
