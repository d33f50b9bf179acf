// The lifecycle board: versions by stage, promoting with a reason, the gate's results, rolling back, the history.

import { api, path, query } from "./api.js";
import { announce, fill, h, keyed } from "./dom.js";
import { accuracy, ago, percent } from "./format.js";
import { card, choice, empty, field, gateList, modelNames, openDialog, pageHead, reason, tag } from "./parts.js";

const LANES = ["Registered", "Staging", "Production", "Archived"];
// Where people may move a version from each stage; the API decides, this only spares them a refusal.
const MOVES = { Registered: ["Staging", "Production", "Archived"], Staging: ["Production", "Archived"], Production: ["Archived"], Archived: ["Staging", "Production"] };
const FIRST = 12;
const DRAGGED = "application/x-mlops-version";

export async function mount(root, context) {
  let model = context.params.get("model");
  const bar = h("span", {});
  const back = h("button", { class: "button", type: "button", onclick: () => rollBack(model, refresh) }, "Roll back");
  const board = h("div", { class: "board" });
  const history = h("div", {});
  const content = h("div", { class: "stack" }, h("p", { class: "quiet" }, "Looking…"));
  fill(root, pageHead("Models", "Each version in its stage. Drag a card, or use its buttons.", bar, back), content);

  const names = await context.attempt(() => modelNames(context.signal));
  if (!names) return;
  if (!names.length) {
    back.hidden = true;
    fill(content, empty("No models yet", "A finished run registers one. Start a run under Jobs."));
    return;
  }
  if (!names.includes(model)) model = names[0];
  fill(bar, choice("Model", names.map((name) => [name, name]), model, (name) => { model = name; for (const lane of Object.values(lanes)) lane.shown = FIRST; refresh(); }));
  const lanes = Object.fromEntries(LANES.map((stage) => [stage, makeLane(stage, (version, from) => ask(version, from, stage), () => refresh())]));
  fill(content, board, history);
  fill(board, Object.values(lanes).map((lane) => lane.element));
  const rows = h("tbody", {});
  fill(history, h("section", { class: "card", "aria-label": "History" }, h("header", {}, h("h2", {}, "History")),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of transitions" }, h("table", {}, h("thead", {}, h("tr", {}, ["When", "Version", "From", "To", "Outcome", "By", "Why", "Gate"].map((name) => h("th", { scope: "col" }, name)))), rows))));

  function ask(version, from, stage) {
    if (!MOVES[from].includes(stage)) { announce(`A version cannot go from ${from} to ${stage}`); return; }
    move(model, version, stage, refresh);
  }

  async function look() {
    const wanted = model;
    const [detail, past] = await Promise.all([
      api.get(path("models", wanted), { signal: context.signal }),
      api.get(`${path("models", wanted, "history")}${query({ limit: 20 })}`, { signal: context.signal }),
    ]);
    if (wanted !== model) return;
    back.disabled = !detail.production_version;
    for (const stage of LANES) lanes[stage].show(detail.versions.filter((version) => version.stage === stage), (version, to) => ask(version, stage, to));
    keyed(rows, past.transitions, (each) => each.transition_id, historyRow);
  }
  async function refresh() { await context.attempt(look); }
  await context.every(3000, look);
}

function makeLane(stage, dropped, refresh) {
  const list = h("ul", {});
  const none = h("p", { class: "faint none" }, "None");
  const count = h("span", { class: "count" });
  const more = h("button", { class: "button small plain", type: "button", hidden: true, onclick: () => { lane.shown += 50; refresh(); } }, "Show more");
  const element = h("section", { class: `lane ${stage.toLowerCase()}`, "aria-label": stage }, h("header", {}, tag(stage), count), none, list, more);
  element.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes(DRAGGED)) return;
    event.preventDefault();
    element.classList.add("over");
  });
  for (const name of ["dragleave", "drop"]) element.addEventListener(name, () => element.classList.remove("over"));
  element.addEventListener("drop", (event) => {
    const [version, from] = event.dataTransfer.getData(DRAGGED).split("|");
    if (from && from !== stage) dropped(Number(version), from);
  });
  const lane = {
    element, shown: FIRST,
    show(versions, ask) {
      fill(count, versions.length ? String(versions.length) : "");
      none.hidden = versions.length > 0;
      keyed(list, versions.slice(0, lane.shown), (version) => version.version, (version) => versionCard(version, ask));
      more.hidden = versions.length <= lane.shown;
      fill(more, `Show more of ${versions.length}`);
    },
  };
  return lane;
}

function versionCard(version, ask) {
  const item = h("li", { class: "version", draggable: "true", "data-version": version.version },
    h("div", { class: "top" }, h("strong", {}, `Version ${version.version}`), h("span", {}, percent(accuracy(version.metrics), 2))),
    h("div", { class: "faint" }, `${ago(version.created_at)} · `, h("code", {}, (version.sha256 ?? version.run_id ?? "").slice(0, 10))),
    h("div", { class: "acts" }, MOVES[version.stage].map((stage) =>
      h("button", { class: "button small plain", type: "button", "data-key": `${version.version}-${stage}`, onclick: () => ask(version.version, stage) },
        stage === "Archived" ? ["Archive", h("span", { class: "unseen" }, ` version ${version.version}`)] : [h("span", { class: "unseen" }, `Move version ${version.version} to `), stage]))));
  item.addEventListener("dragstart", (event) => event.dataTransfer.setData(DRAGGED, `${version.version}|${version.stage}`));
  return item;
}

function move(model, version, stage, done) {
  const force = h("input", { type: "checkbox" });
  decide(`Move version ${version} to ${stage}`, stage === "Production" ? "It answers all predictions from then on, if the gates let it through; the version before it is archived." : `The version's stage becomes ${stage}.`,
    stage === "Archived" ? "Archive" : "Promote", done,
    (reason) => api.start("models/transition?wait=20", { model_name: model, version, stage, ...(reason ? { reason } : {}), ...(force.checked ? { force: true } : {}) }),
    stage === "Production" ? h("label", { class: "check" }, force, "Go past the metric gate (needs a reason)") : null);
}

function rollBack(model, done) {
  decide("Roll back", "The version that was in Production before the present one goes back there.", "Roll back", done,
    (reason) => api.start(`${path("models", model, "rollback")}?wait=20`, reason ? { reason } : {}));
}

/** A dialog that asks why, does it, and shows what the gates found. */
function decide(title, text, verb, done, deed, extra) {
  openDialog(title, (close) => {
    const why = h("textarea", { maxlength: 1000, placeholder: "For whoever reads the history" });
    const result = h("div", { class: "stack", role: "status" });
    const go = h("button", { class: "button primary" }, verb);
    const leave = h("button", { class: "button plain", type: "button", onclick: close }, "Cancel");
    const form = h("form", {
      onsubmit: async (event) => {
        event.preventDefault();
        go.disabled = true;
        fill(result, h("p", { class: "quiet" }, "Queued; the gates are looking…"));
        try {
          let moved = await deed(why.value.trim());
          while (moved.status === "queued") {
            await new Promise((next) => setTimeout(next, 700));
            moved = await api.get(path("models", "transitions", moved.transition_id));
          }
          fill(result, gateList(moved.gates), moved.status === "succeeded"
            ? h("p", {}, tag("succeeded"), ` Version ${moved.version} is in ${moved.stage}${moved.replaced_version ? `; version ${moved.replaced_version} made room` : ""}.`)
            : h("p", { class: "banner" }, `${moved.status}: ${moved.error ?? "a gate said no"}`));
          announce(`${title}: ${moved.status}`);
          go.hidden = moved.status === "succeeded";
          fill(leave, "Close");
          done();
        } catch (error) {
          fill(result, h("p", { class: "banner", role: "alert" }, reason(error)));
        }
        go.disabled = false;
      },
    }, h("h2", {}, title), h("p", { class: "quiet" }, text), field("Reason", why), extra, result, h("div", { class: "acts" }, leave, go));
    return form;
  });
}

function historyRow(each) {
  const failed = each.gates.filter((gate) => !gate.passed).length;
  return h("tr", {},
    h("td", { class: "faint" }, ago(each.created_at)), h("th", { scope: "row" }, String(each.version)), h("td", {}, each.from_stage ?? ""), h("td", {}, each.stage),
    h("td", {}, tag(each.status)), h("td", {}, each.actor), h("td", { class: "wrap" }, each.reason ?? each.error ?? ""),
    h("td", {}, each.gates.length ? h("button", { class: "link", type: "button", onclick: () => openDialog("Gate results", (close) => h("form", { method: "dialog" }, h("h2", {}, `Version ${each.version} to ${each.stage}`), gateList(each.gates), h("div", { class: "acts" }, h("button", { class: "button", type: "button", onclick: close }, "Close")))) }, failed ? `${failed} failed` : `${each.gates.length} passed`) : ""));
}
