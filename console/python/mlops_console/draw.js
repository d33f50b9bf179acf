// Draw a digit and see what Production and Staging make of it as one draws.

import { api, path } from "./api.js";
import { announce, fill, h } from "./dom.js";
import { percent } from "./format.js";
import { makePad } from "./pad.js";
import { card, choice, modelNames, pageHead, reason, segments } from "./parts.js";

const STAGES = [["Production", "predict"], ["Staging", "predict/staging"]];

export async function mount(root, context) {
  let model = context.params.get("model") ?? "digit-classifier";
  let frame = "mnist";
  const panels = STAGES.map(([stage, route]) => panel(stage, route, context));
  const sees = h("canvas", { class: "sees", width: 28, height: 28, role: "img", "aria-label": "What the model is sent: 28 by 28 pixels" });
  const pad = makePad(changed);
  // The version in each stage; asked for now and then, so that an empty stage is not asked in vain.
  let serving = {};
  let waiting = false;

  function changed() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      const values = pad.pixels(frame);
      preview(sees, values);
      const image = values.some((value) => value > 0) ? values : null;
      for (const each of panels) each.ask(image && { image, model_name: model }, serving[each.stage]);
    });
  }

  const choose = (name) => framing.querySelector(`[data-key="${name}"]`).click();
  const framing = segments("How the drawing is framed", [["mnist", "MNIST"], ["full", "Digits"], ["drawn", "As drawn"]], frame, (name) => { frame = name; changed(); });
  const models = h("span", {});
  fill(root, pageHead("Draw", "What the models in Production and in Staging read, as you draw.", models),
    h("div", { class: "drawing" },
      card("Your drawing", h("div", {}, pad.element,
        h("div", { class: "pad-tools" },
          h("button", { class: "button", type: "button", onclick: () => pad.clear() }, "Clear"),
          h("label", { class: "check" }, "Pen", h("input", { type: "range", min: "1.2", max: "3.6", step: "0.2", value: "2.6", oninput: (event) => { pad.brush = Number(event.target.value); } }))),
        h("div", { class: "pad-tools" }, sees, h("div", { class: "stack" }, h("span", { class: "faint" }, "Sent as 28×28, framed like"), framing)))),
      h("div", { class: "halves" }, panels.map((each) => each.element))));
  changed();

  let framedFor;
  async function look() {
    const wanted = model;
    const detail = await api.get(path("models", wanted), { signal: context.signal }).catch((error) => {
      if (error.status !== 404) throw error;
      return { versions: [], production_version: null, staging_version: null };
    });
    if (wanted !== model) return;
    const before = JSON.stringify(serving);
    serving = { Production: detail.production_version, Staging: detail.staging_version };
    const run = detail.versions.find((version) => version.version === (serving.Production ?? serving.Staging))?.run_id;
    if (run && run !== framedFor) {
      framedFor = run;
      choose(await usualFrame(run, context.signal));
    }
    if (JSON.stringify(serving) !== before) changed();
  }
  const names = await context.attempt(() => modelNames(context.signal));
  if (names?.length) {
    if (!names.includes(model)) model = names[0];
    if (names.length > 1) fill(models, choice("Model", names.map((name) => [name, name]), model, (name) => { model = name; serving = {}; context.attempt(look); }));
  }
  await context.every(4000, look);
}

/** The frame that fits what a run was trained on. */
async function usualFrame(run, signal) {
  const { jobs } = await api.get("train/jobs?limit=100", { signal });
  const dataset = jobs.find((job) => job.run_id === run)?.params.dataset ?? "mnist";
  return { mnist: "mnist", digits: "full" }[dataset] ?? "drawn";
}

function preview(canvas, values) {
  const paint = canvas.getContext("2d");
  const data = paint.createImageData(28, 28);
  values.forEach((value, index) => data.data.set([255, 255, 255, Math.round(value * 255)], index * 4));
  paint.putImageData(data, 0, 0);
}

/** A stage's answer. One request at a time: what was drawn meanwhile is asked next, and only the newest. */
function panel(stage, route, context) {
  const said = h("div", { class: "said" });
  const bars = h("ul", { class: "bars", "aria-label": `${stage}'s probabilities` });
  const version = h("span", { class: "faint" });
  let busy = false;
  let next;

  function blank(text) {
    fill(said, h("span", { class: "quiet" }, text));
    fill(bars);
    fill(version);
  }

  function show(answer, milliseconds) {
    fill(said, h("b", { "data-testid": `says-${stage}` }, String(answer.prediction)),
      h("div", {}, h("div", {}, percent(answer.confidence)), h("div", { class: "faint" }, `${milliseconds} ms there and back`)));
    fill(version, `version ${answer.model_version}`);
    const top = answer.probabilities.indexOf(Math.max(...answer.probabilities));
    const places = answer.prediction === top;
    const shown = answer.probabilities.map((share, index) => [share, places ? String(index) : index === top ? String(answer.prediction) : `#${index}`]);
    while (bars.children.length > shown.length) bars.lastChild.remove();
    shown.forEach(([share, name], index) => {
      const row = bars.children[index] ?? bars.appendChild(h("li", {}, h("span", { class: "name" }), h("div", { class: "track" }, h("div", { class: "fill" })), h("span", { class: "share" })));
      row.className = index === top ? "top" : "";
      fill(row.children[0], name);
      row.children[1].firstChild.style.width = `${share * 100}%`;
      fill(row.children[2], percent(share));
    });
    announce(`${stage} says ${answer.prediction}, ${percent(answer.confidence, 0)}`);
  }

  async function ask(body, held) {
    if (held === null) body = null;
    if (!body) {
      next = busy ? null : undefined;
      blank(held === null ? `No version is in ${stage}.` : "Draw something.");
      return;
    }
    if (!said.querySelector("b")) blank("Reading…");
    next = body;
    if (busy) return;
    busy = true;
    while (next !== undefined && !context.signal.aborted) {
      const sent = next;
      next = undefined;
      if (!sent) continue;
      try {
        const began = performance.now();
        const answer = await api.post(route, sent, { signal: context.signal });
        if (next === undefined || next) show(answer, Math.round(performance.now() - began));
      } catch (error) {
        if (error.name === "AbortError") break;
        if (error.signedOut) { context.failed(error); break; }
        blank(error.status === 409 ? `No version is in ${stage}.` : reason(error));
      }
    }
    busy = false;
  }

  return { stage, element: card(stage, h("div", { class: "stack" }, said, bars), version), ask };
}
