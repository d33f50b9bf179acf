// Builds elements without any markup in strings, so that no text from outside can become markup.

const SVG = new Set(["svg", "path", "line", "circle", "rect", "text", "g", "title", "polyline"]);

/** An element: h("button", {class: "button", onclick}, "Text", child…). null and false children are left out. */
export function h(tag, properties = {}, ...children) {
  const inSvg = SVG.has(tag);
  const element = inSvg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "selected") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Replaces what is in `parent`; the control that has the focus gets it again, found by its data-key. */
export function fill(parent, ...children) {
  const key = parent.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  parent.replaceChildren(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  if (key) parent.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

/** Keeps the rows of `parent` in step with `items`: only what changed is built anew, so selection and focus stay. */
export function keyed(parent, items, keyOf, build) {
  const rows = (parent.rowsByKey ??= new Map());
  const wanted = new Set();
  let after = null;
  for (const item of items) {
    const key = String(keyOf(item));
    wanted.add(key);
    const shown = JSON.stringify(item);
    let row = rows.get(key);
    if (!row || row.shown !== shown) {
      const element = build(item);
      if (row) {
        const focused = row.element.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
        row.element.replaceWith(element);
        if (focused) element.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
      }
      row = { element, shown };
      rows.set(key, row);
    }
    const place = after ? after.nextSibling : parent.firstChild;
    if (row.element !== place) parent.insertBefore(row.element, place);
    after = row.element;
  }
  for (const [key, row] of rows) {
    if (wanted.has(key)) continue;
    row.element.remove();
    rows.delete(key);
  }
}

/** Says something to screen readers. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}
