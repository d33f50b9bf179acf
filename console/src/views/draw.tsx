/** Draw a digit and see how Production and Staging read it. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import * as api from "../api";
import { Card, PageHead } from "../components/basics";
import { Button, type Option, Segments } from "../components/controls";
import { DEFAULT_MODEL, ModelChoice, useModel } from "../components/model-choice";
import { type FrameName, framed } from "../drawing/frames";
import { Pad, type PadControls } from "../drawing/pad";
import { Preview } from "../drawing/preview";
import { ApiError } from "../http";
import { usePolling } from "../polling";
import type { ModelDetail } from "../schema";
import { type Serving, StageAnswer } from "./stage-answer";

const INTERVAL = 4000;
const FRAMES: Option[] = [
  ["mnist", "MNIST"],
  ["full", "Digits"],
  ["drawn", "As drawn"],
];
/** The frame that fits what a run was trained on, by its data set. */
const USUAL_FRAMES: Record<string, FrameName> = { mnist: "mnist", digits: "full" };

export function Draw({ params }: { params: URLSearchParams }) {
  const chosen = useModel(params.get("model"));
  const model = chosen.model ?? (chosen.names ? DEFAULT_MODEL : undefined);
  const { serving, usualFrame } = useServing(model);
  const [frame, setFrame] = useState<FrameName>("mnist");
  const [pen, setPen] = useState(2.6);
  const [problem, setProblem] = useState("");
  const pad = useRef<PadControls>(null);
  const { image, changed } = useImage(pad, frame);
  useEffect(() => usualFrame && setFrame(usualFrame), [usualFrame]);
  const drawn = () => {
    setProblem("");
    changed();
  };
  const open = (file: File | undefined) => {
    if (file)
      pad.current?.show(file).catch(() => setProblem(`${file.name} is not a picture that this browser can read.`));
  };
  return (
    <>
      <PageHead title="Draw" text="How the models in Production and Staging read a digit as you draw it.">
        {chosen.names && chosen.names.length > 1 ? <ModelChoice {...chosen} /> : null}
      </PageHead>
      <div class="drawing">
        <Card title="Your drawing">
          <Pad controls={pad} pen={pen} onChange={drawn} onProblem={setProblem} />
          {problem ? (
            <p class="banner" role="alert">
              {problem}
            </p>
          ) : null}
          <div class="pad-tools">
            <Button class="button" onClick={() => pad.current?.clear()}>
              Clear
            </Button>
            <label class="button">
              Open a picture
              <input
                class="unseen"
                type="file"
                accept="image/*"
                onChange={(event) => {
                  open(event.currentTarget.files?.[0]);
                  event.currentTarget.value = "";
                }}
              />
            </label>
            <label class="check">
              Pen
              <input
                type="range"
                min="1.2"
                max="3.6"
                step="0.2"
                value={pen}
                onInput={(event) => setPen(Number(event.currentTarget.value))}
              />
            </label>
          </div>
          <div class="pad-tools">
            <Preview values={image} />
            <div class="stack">
              <span class="faint">Sent as 28×28 pixels. Frame:</span>
              <Segments
                label="Frame of the drawing"
                options={FRAMES}
                chosen={frame}
                onChoose={(name) => setFrame(name as FrameName)}
              />
            </div>
          </div>
        </Card>
        <div class="halves">
          <StageAnswer stage="Production" route="predict" image={image} model={model} version={serving?.Production} />
          <StageAnswer stage="Staging" route="predict/staging" image={image} model={model} version={serving?.Staging} />
        </div>
      </div>
    </>
  );
}

/** The pixels of the drawing, read at most once for each picture on the screen; null while nothing is drawn. */
function useImage(pad: { current: PadControls | null }, frame: FrameName) {
  const [image, setImage] = useState<number[] | null>(null);
  const waiting = useRef(false);
  const now = useRef(frame);
  now.current = frame;
  const changed = useCallback(() => {
    if (waiting.current) return;
    waiting.current = true;
    requestAnimationFrame(() => {
      waiting.current = false;
      if (!pad.current) return;
      const values = framed(pad.current.ink(), now.current);
      setImage(values.some((value) => value > 0) ? values : null);
    });
  }, [pad]);
  useEffect(changed, [frame, changed]);
  return { image, changed };
}

/** The version in each stage, and the frame that fits it; undefined until they are known. */
function useServing(model: string | undefined): { serving: Serving | undefined; usualFrame: FrameName | undefined } {
  const [seen, setSeen] = useState<{ model: string; serving: Serving }>();
  const [fitting, setFitting] = useState<{ run: string; frame: FrameName }>();
  usePolling(
    async (signal) => {
      if (!model) return false;
      const { versions, production_version: Production, staging_version: Staging } = await detail(model, signal);
      setSeen({ model, serving: { Production, Staging } });
      const run = versions.find(({ version }) => version === (Production ?? Staging))?.run_id;
      if (run && run !== fitting?.run) setFitting({ run, frame: await frameOf(run, signal) });
      return undefined;
    },
    INTERVAL,
    [model],
  );
  return { serving: seen && seen.model === model ? seen.serving : undefined, usualFrame: fitting?.frame };
}

type Versions = Pick<ModelDetail, "versions" | "production_version" | "staging_version">;

async function detail(model: string, signal: AbortSignal): Promise<Versions> {
  try {
    return await api.model(model, { signal });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    return { versions: [], production_version: null, staging_version: null };
  }
}

async function frameOf(run: string, signal: AbortSignal): Promise<FrameName> {
  const { jobs } = await api.jobs({ limit: 100 }, { signal });
  const dataset = jobs.find((job) => job.run_id === run)?.params.dataset ?? "mnist";
  return USUAL_FRAMES[String(dataset)] ?? "drawn";
}
