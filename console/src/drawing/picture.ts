/** A picture that was dropped in, as ink. */

/**
 * The strength of ink of each pixel, 0 to 255, from RGBA values: bright on dark as MNIST is, or dark on bright as on
 * paper. The pixels along the edge say which; transparent ones are background.
 */
export function inkOf(pixels: Uint8ClampedArray, width: number): Uint8ClampedArray {
  const count = pixels.length / 4;
  const height = count / width;
  const light = new Float64Array(count);
  let transparent = false;
  for (let index = 0; index < count; index += 1) {
    const [red = 0, green = 0, blue = 0, alpha = 0] = pixels.subarray(index * 4, index * 4 + 4);
    // The weights of ITU-R BT.601, as pictures are turned to grey everywhere.
    light[index] = 0.299 * red + 0.587 * green + 0.114 * blue;
    transparent ||= alpha < 128;
  }
  if (transparent) return Uint8ClampedArray.from({ length: count }, (_, index) => pixels[index * 4 + 3] ?? 0);
  let edge = 0;
  let edges = 0;
  for (let index = 0; index < count; index += 1) {
    const x = index % width;
    const y = Math.floor(index / width);
    if (x > 0 && y > 0 && x < width - 1 && y < height - 1) continue;
    edge += light[index] ?? 0;
    edges += 1;
  }
  const paper = edge / edges > 127;
  const lightest = light.reduce((most, value) => Math.max(most, value), 0);
  const darkest = light.reduce((least, value) => Math.min(least, value), 255);
  // Stretched over the whole range, as paper in a photograph is grey and ink is not black.
  const span = lightest - darkest || 1;
  return Uint8ClampedArray.from(light, (value) => {
    const share = (value - darkest) / span;
    return 255 * (paper ? 1 - share : share);
  });
}
