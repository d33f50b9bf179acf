/** The style sheet's colours, for a canvas. */

/** Colours for as many series as a chart may have before they repeat. */
export const SERIES_COLOURS = 5;

export const seriesColour = (index: number): string => `--series-${(index % SERIES_COLOURS) + 1}`;

/** A custom property's colour as it is now: only a computed colour has light or dark decided. */
export function colourOf(element: HTMLElement, property: string): string {
  element.style.color = `var(${property})`;
  const { color } = getComputedStyle(element);
  element.style.color = "";
  return color;
}
