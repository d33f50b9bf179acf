// A pad to draw on, and what a model sees of it.

import { h } from "./dom.js";

const SIDE = 28;
const SCALE = 12;

/**
 * A canvas for mouse, pen, finger and keyboard; `onchange()` is called as one draws.
 * Keys: arrows move the pen, space lowers and lifts it, Delete or Escape clears.
 */
export function makePad(onchange) {
  const canvas = h("canvas", {
    class: "pad", width: SIDE * SCALE, height: SIDE * SCALE, tabindex: "0", role: "application",
    "aria-label": "Drawing pad. Arrow keys move the pen, space lowers and lifts it, Delete clears.",
  });
  const paint = canvas.getContext("2d", { willReadFrequently: true });
  let pen = null;
  let keyboard = { x: SIDE / 2, y: 4, down: false };
  const pad = {
    element: canvas,
    brush: 2.6,
    clear() {
      paint.clearRect(0, 0, canvas.width, canvas.height);
      keyboard = { x: SIDE / 2, y: 4, down: false };
      onchange();
    },
    pixels: (frame) => pixels(canvas, paint, frame),
  };

  function stroke(from, to) {
    paint.strokeStyle = "#fff";
    paint.lineWidth = pad.brush * SCALE;
    paint.lineCap = paint.lineJoin = "round";
    paint.beginPath();
    paint.moveTo(from.x, from.y);
    paint.lineTo(to.x + 0.01, to.y);
    paint.stroke();
    onchange();
  }
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: (event.clientX - box.left) * canvas.width / box.width, y: (event.clientY - box.top) * canvas.height / box.height };
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pen = place(event);
    stroke(pen, pen);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!pen) return;
    const to = place(event);
    stroke(pen, to);
    pen = to;
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { pen = null; });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (step) {
      const from = { x: keyboard.x * SCALE, y: keyboard.y * SCALE };
      keyboard.x = Math.min(SIDE - 2, Math.max(2, keyboard.x + step[0]));
      keyboard.y = Math.min(SIDE - 2, Math.max(2, keyboard.y + step[1]));
      if (keyboard.down) stroke(from, { x: keyboard.x * SCALE, y: keyboard.y * SCALE });
    } else if (event.key === " ") {
      keyboard.down = !keyboard.down;
      const at = { x: keyboard.x * SCALE, y: keyboard.y * SCALE };
      if (keyboard.down) stroke(at, at);
    } else if (event.key === "Delete" || event.key === "Escape") {
      pad.clear();
    } else {
      return;
    }
    event.preventDefault();
  });
  return pad;
}

const ink = (paint, canvas) => {
  const { data } = paint.getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((_, index) => index % 4 === 3);
};

/**
 * 784 numbers from 0 to 1, framed as the model's training data was:
 * "mnist": 20x20 with its centre of mass in the middle (LeCun et al.); "full": stretched to the whole height, as the
 * 8x8 digits of scikit-learn are, and as coarse as they are; "drawn": as it stands.
 */
function pixels(canvas, paint, frame) {
  const box = bounds(ink(paint, canvas), canvas.width);
  if (!box) return new Array(SIDE * SIDE).fill(0);
  const { width, height } = box;
  if (frame === "mnist") {
    const factor = 20 / Math.max(width, height);
    return centred(scaled(canvas, box, SIDE, width * factor, height * factor));
  }
  if (frame === "full") {
    // The data set's digits are all eight high and, but for upright ones, five to six wide.
    const wide = 8 * width / height;
    return interpolated(brightened(scaled(canvas, box, 8, wide < 3 ? wide : Math.min(6, Math.max(5.4, wide)), 8)), 8);
  }
  return scaled(canvas, { x: 0, y: 0, width: canvas.width, height: canvas.height }, SIDE, SIDE, SIDE);
}

function bounds(alpha, width) {
  let left = Infinity, top = Infinity, right = -1, bottom = -1;
  alpha.forEach((value, index) => {
    if (value < 32) return;
    const x = index % width, y = Math.floor(index / width);
    left = Math.min(left, x); right = Math.max(right, x);
    top = Math.min(top, y); bottom = Math.max(bottom, y);
  });
  return right < 0 ? null : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

/** The box as width x height pixels in the middle of side x side, by averaging. */
function scaled(canvas, box, side, width, height) {
  let source = canvas, at = box;
  // Halved step by step: one large step would drop pixels instead of averaging them.
  while (at.width > 2 * width && at.height > 2 * height) {
    const half = new OffscreenCanvas(Math.ceil(at.width / 2), Math.ceil(at.height / 2));
    half.getContext("2d").drawImage(source, at.x, at.y, at.width, at.height, 0, 0, half.width, half.height);
    source = half;
    at = { x: 0, y: 0, width: half.width, height: half.height };
  }
  const small = new OffscreenCanvas(side, side);
  const paint = small.getContext("2d");
  paint.imageSmoothingQuality = "high";
  paint.drawImage(source, at.x, at.y, at.width, at.height, (side - width) / 2, (side - height) / 2, width, height);
  const { data } = paint.getImageData(0, 0, side, side);
  return Array.from({ length: side * side }, (_, index) => round(data[index * 4 + 3] / 255));
}

/** Moved by whole pixels so that the centre of mass is in the middle. */
function centred(values) {
  let mass = 0, x = 0, y = 0;
  values.forEach((value, index) => { mass += value; x += value * (index % SIDE); y += value * Math.floor(index / SIDE); });
  if (!mass) return values;
  const right = Math.round((SIDE - 1) / 2 - x / mass), down = Math.round((SIDE - 1) / 2 - y / mass);
  return values.map((_, index) => {
    const column = (index % SIDE) - right, row = Math.floor(index / SIDE) - down;
    return column < 0 || row < 0 || column >= SIDE || row >= SIDE ? 0 : values[row * SIDE + column];
  });
}

/** The brightest value made 1: a pen thinner than a pixel is grey, where the data set's ink is white. */
function brightened(values) {
  const most = Math.max(...values);
  return most ? values.map((value) => value / most) : values;
}

/** side x side values as 28 x 28, linearly between pixel centres, as the trainer's data set is made. */
function interpolated(values, side) {
  const places = Array.from({ length: SIDE }, (_, index) => {
    const centre = Math.min(side - 1, Math.max(0, (index + 0.5) * side / SIDE - 0.5));
    const left = Math.min(Math.floor(centre), side - 2);
    return [left, centre - left];
  });
  return Array.from({ length: SIDE * SIDE }, (_, index) => {
    const [row, down] = places[Math.floor(index / SIDE)], [column, right] = places[index % SIDE];
    const at = (r, c) => values[r * side + c];
    const top = at(row, column) * (1 - right) + at(row, column + 1) * right;
    const bottom = at(row + 1, column) * (1 - right) + at(row + 1, column + 1) * right;
    return round(top * (1 - down) + bottom * down);
  });
}

const round = (value) => Math.round(Math.min(1, Math.max(0, value)) * 1000) / 1000;
