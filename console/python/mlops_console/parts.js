// Pieces that several views are made of.

import { api, query } from "./api.js";
import { fill, h } from "./dom.js";
import { kind, words } from "./format.js";

/** An error in a sentence, with what an operator can look up. */
export function reason(error) {
  const known = error.requestId ? ` (request ${error.requestId})` : "";
  return `${error.message}${known}`;
}

export const tag = (status) => h("span", { class: kind(status) }, words(status));

export function pageHead(title, text, ...tools) {
  return h("div", { class: "page-head" }, h("div", {}, h("h1", {}, title), h("p", {}, text)), h("div", { class: "tools" }, ...tools));
}

export function card(title, body, ...tools) {
  return h("section", { class: "card", "aria-label": title }, h("header", {}, h("h2", {}, title), h("div", { class: "tools" }, ...tools)), h("div", { class: "body" }, body));
}

/** A figure with its name and what it is about, for a list of class "tiles". */
export const tile = (name, value, more) => h("div", { class: "card tile" }, h("dt", {}, name), h("dd", {}, value, h("small", {}, more)));

/** Names and values side by side; what has no value is left out. */
export const facts = (pairs) => h("dl", { class: "facts" }, factRows(pairs));
export const factRows = (pairs) => pairs.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);

export const empty = (title, text) => h("div", { class: "empty" }, h("strong", {}, title), text);

/** A labelled choice: choice("Model", [["a", "A"]], "a", onchange). */
export function choice(label, options, chosen, onchange) {
  const select = h("select", { "aria-label": label, onchange: () => onchange(select.value) },
    options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
  return select;
}

/** Buttons of which one is pressed. */
export function segments(label, options, chosen, onchange) {
  const group = h("div", { class: "segments", role: "group", "aria-label": label });
  const show = (value) => fill(group, options.map(([name, text]) =>
    h("button", { type: "button", "data-key": name, "aria-pressed": String(name === value), onclick: () => { show(name); onchange(name); } }, text)));
  show(chosen);
  return group;
}

/** Opens a dialog with a form; `build(close)` gives its contents. Escape closes it. */
export function openDialog(label, build) {
  const dialog = h("dialog", { "aria-label": label });
  const before = document.activeElement;
  const close = () => dialog.close();
  dialog.addEventListener("close", () => { dialog.remove(); before?.isConnected && before.focus(); });
  dialog.append(build(close));
  document.body.append(dialog);
  dialog.showModal();
  return close;
}

export function field(label, control, hint) {
  const id = `f${(field.count = (field.count ?? 0) + 1)}`;
  control.id = id;
  return h("div", { class: "field" }, h("label", { for: id }, label), control, hint ? h("small", {}, hint) : null);
}

/** Names of the registered models, the default one first. */
export async function modelNames(signal) {
  const { models } = await api.get(`models${query({ limit: 200 })}`, { signal });
  const names = models.map((model) => model.name);
  return names.includes("digit-classifier") ? ["digit-classifier", ...names.filter((name) => name !== "digit-classifier")] : names;
}

export function gateList(gates) {
  return h("ul", { class: "gates" }, gates.map((gate) => h("li", {},
    h("span", { class: gate.passed ? "pass" : "fail" }, gate.passed ? "✓" : "✗", h("span", { class: "unseen" }, gate.passed ? "passed" : "failed")),
    h("span", {}, words(gate.check)), h("span", { class: "detail" }, gate.detail))));
}
