import { useEffect, useRef } from "preact/hooks";
import { SIDE } from "./frames";

/** What the model is sent, as a picture; null is an empty one. */
export function Preview({ values }: { values: number[] | null }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const paint = canvas.current?.getContext("2d");
    if (!paint) return;
    const picture = paint.createImageData(SIDE, SIDE);
    values?.forEach((value, index) => {
      picture.data.set([255, 255, 255, Math.round(value * 255)], index * 4);
    });
    paint.putImageData(picture, 0, 0);
  }, [values]);
  return (
    <canvas
      ref={canvas}
      class="sees"
      width={SIDE}
      height={SIDE}
      role="img"
      aria-label="What the model is sent: 28 by 28 pixels"
    />
  );
}
