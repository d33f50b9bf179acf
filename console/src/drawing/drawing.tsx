/** Draw what the model reads: its image, as 28 by 28 values. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { Card, Problem } from "../components/basics";
import { Button, type Option, Segments } from "../components/controls";
import { type FrameName, framed } from "./frames";
import { Pad, type PadControls } from "./pad";
import { Preview } from "./preview";

const FRAMES: Option[] = [
  ["mnist", "MNIST"],
  ["full", "Digits"],
  ["drawn", "As drawn"],
];
/** The frame that fits, by what the model's contract says of its training pictures. */
const FITTING: Record<string, FrameName> = { mnist: "mnist", digits: "full" };

interface Properties {
  /** The contract's `framing`; null if the version does not say it. */
  framing: string | null;
  /** Called with the values as one draws; with null when nothing is drawn. */
  onImage: (image: number[] | null) => void;
}

export function Drawing({ framing, onImage }: Properties) {
  const fitting = FITTING[framing ?? ""];
  const [chosen, setChosen] = useState<FrameName>();
  const frame = chosen ?? fitting ?? "drawn";
  const [pen, setPen] = useState(2.6);
  const [problem, setProblem] = useState("");
  const pad = useRef<PadControls>(null);
  const { image, changed } = useImage(pad, frame);
  useEffect(() => onImage(image), [image, onImage]);
  const drawn = () => {
    setProblem("");
    changed();
  };
  const open = (file: File | undefined) => {
    if (file)
      pad.current?.show(file).catch(() => setProblem(`${file.name} is not a picture that this browser can read.`));
  };
  return (
    <Card title="Your drawing">
      <Pad controls={pad} pen={pen} onChange={drawn} onProblem={setProblem} />
      <Problem text={problem} />
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
        <div class="stack close">
          <span class="faint">Sent as 28×28 pixels. Frame:</span>
          <Segments
            label="Frame of the drawing"
            options={FRAMES}
            chosen={frame}
            onChoose={(name) => setChosen(name as FrameName)}
          />
          {fitting ? null : <span class="faint">The version does not say how its training pictures were framed.</span>}
        </div>
      </div>
    </Card>
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
