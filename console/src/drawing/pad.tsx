/** A canvas for mouse, pen, finger and keyboard, and for pictures that are dropped in. */

import type { Ref } from "preact";
import { useEffect, useImperativeHandle, useRef } from "preact/hooks";
import { type Ink, SIDE } from "./frames";
import { inkOf } from "./picture";

const SCALE = 12;
const SIZE = SIDE * SCALE;
const STEPS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

interface Point {
  x: number;
  y: number;
}

export interface PadControls {
  clear(): void;
  ink(): Ink;
  /** Put a picture in place of the drawing. Rejects when the file is no picture. */
  show(file: Blob): Promise<void>;
}

interface Properties {
  controls: Ref<PadControls>;
  /** The pen's width in pixels of the 28 by 28. */
  pen: number;
  /** Called as one draws. */
  onChange: () => void;
  /** Called when what was dropped is no picture. */
  onProblem: (text: string) => void;
}

export function Pad({ controls, pen, onChange, onProblem }: Properties) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const last = useRef<Point | null>(null);
  const keyboard = useRef({ x: SIDE / 2, y: 4, down: false });
  const brush = () => {
    const paint = canvas.current?.getContext("2d", { willReadFrequently: true });
    if (!paint) throw new Error("This browser cannot draw on a canvas");
    return paint;
  };

  const clear = () => {
    brush().clearRect(0, 0, SIZE, SIZE);
    keyboard.current = { x: SIDE / 2, y: 4, down: false };
    onChange();
  };
  const ink = (): Ink => {
    const { data } = brush().getImageData(0, 0, SIZE, SIZE);
    return { width: SIZE, height: SIZE, values: data.filter((_, index) => index % 4 === 3) };
  };
  const show = async (file: Blob) => {
    // Not an <img>: the content policy allows no blob: address, and needs none.
    const picture = await createImageBitmap(file);
    paintPicture(brush(), picture);
    picture.close();
    onChange();
  };
  useImperativeHandle(controls, () => ({ clear, ink, show }));

  const stroke = (from: Point, to: Point) => {
    const paint = brush();
    paint.strokeStyle = "#fff";
    paint.lineWidth = pen * SCALE;
    paint.lineCap = "round";
    paint.lineJoin = "round";
    paint.beginPath();
    paint.moveTo(from.x, from.y);
    paint.lineTo(to.x + 0.01, to.y);
    paint.stroke();
    onChange();
  };
  const pressKey = (event: KeyboardEvent) => {
    const at = keyboard.current;
    const here = { x: at.x * SCALE, y: at.y * SCALE };
    const step = STEPS[event.key];
    if (step) {
      at.x = Math.min(SIDE - 2, Math.max(2, at.x + step[0]));
      at.y = Math.min(SIDE - 2, Math.max(2, at.y + step[1]));
      if (at.down) stroke(here, { x: at.x * SCALE, y: at.y * SCALE });
    } else if (event.key === " ") {
      at.down = !at.down;
      if (at.down) stroke(here, here);
    } else if (event.key === "Delete" || event.key === "Escape") {
      clear();
    } else {
      return;
    }
    event.preventDefault();
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file) show(file).catch(() => onProblem(`${file.name} is not a picture that this browser can read.`));
  };
  const lift = () => {
    last.current = null;
  };

  useEffect(onChange, []);
  return (
    // biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: arrow keys draw here, as in a program
    <canvas
      ref={canvas}
      class="pad"
      width={SIZE}
      height={SIZE}
      tabIndex={0}
      role="application"
      aria-label="Drawing pad. Arrow keys move the pen, space lowers and lifts it, Delete clears."
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        last.current = placeOf(event);
        stroke(last.current, last.current);
      }}
      onPointerMove={(event) => {
        if (!last.current) return;
        const to = placeOf(event);
        stroke(last.current, to);
        last.current = to;
      }}
      onPointerUp={lift}
      onPointerCancel={lift}
      onKeyDown={pressKey}
      onDragOver={(event) => event.preventDefault()}
      onDrop={drop}
    />
  );
}

/** Where the pointer is on the canvas, in its own pixels. */
function placeOf(event: PointerEvent): Point {
  const canvas = event.currentTarget as HTMLCanvasElement;
  const box = canvas.getBoundingClientRect();
  return {
    x: ((event.clientX - box.left) * canvas.width) / box.width,
    y: ((event.clientY - box.top) * canvas.height) / box.height,
  };
}

/** The picture as white ink, as large as the pad allows, in place of what was there. */
function paintPicture(paint: CanvasRenderingContext2D, picture: ImageBitmap): void {
  const factor = SIZE / Math.max(picture.width, picture.height);
  const width = Math.max(1, Math.round(picture.width * factor));
  const height = Math.max(1, Math.round(picture.height * factor));
  paint.clearRect(0, 0, SIZE, SIZE);
  paint.imageSmoothingQuality = "high";
  const left = Math.round((SIZE - width) / 2);
  const top = Math.round((SIZE - height) / 2);
  paint.drawImage(picture, left, top, width, height);
  const pixels = paint.getImageData(left, top, width, height);
  const ink = inkOf(pixels.data, width);
  ink.forEach((strength, index) => {
    pixels.data.set([255, 255, 255, strength], index * 4);
  });
  paint.putImageData(pixels, left, top);
}
