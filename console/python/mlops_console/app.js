// The frame: signing in, the navigation, one view at a time.

import { ApiError, api, session } from "./api.js";
import { announce, fill, h } from "./dom.js";
import { reason } from "./parts.js";

const VIEWS = {
  draw: { title: "Draw", icon: "M4 20l4-1L19 8l-3-3L5 16z", module: () => import("./draw.js") },
  jobs: { title: "Jobs", icon: "M4 6h16M4 12h10M4 18h6", module: () => import("./jobs.js") },
  runs: { title: "Runs", icon: "M4 19l5-7 4 4 7-10", module: () => import("./runs.js") },
  models: { title: "Models", icon: "M4 5h5v14H4zM15 5h5v9h-5z", module: () => import("./board.js") },
  drift: { title: "Drift", icon: "M3 12h4l3 7 4-14 3 7h4", module: () => import("./drift.js") },
  health: { title: "Health", icon: "M12 20s-7-4.6-7-10a4 4 0 017-2.6A4 4 0 0119 10c0 5.4-7 10-7 10z", module: () => import("./health.js") },
};
const THEMES = ["system", "light", "dark"];
const THEME = "mlops.theme";

const app = document.getElementById("app");
let current = null;

function theme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  sessionStorage.setItem(THEME, name);
}

function themeButton() {
  const button = h("button", { class: "button plain small", type: "button", title: "Change the colours" });
  const label = () => fill(button, "Colours: ", sessionStorage.getItem(THEME) ?? "system");
  button.addEventListener("click", () => {
    theme(THEMES[(THEMES.indexOf(sessionStorage.getItem(THEME) ?? "system") + 1) % THEMES.length]);
    label();
  });
  label();
  return button;
}

function brand() {
  return h("div", { class: "brand" }, h("img", { src: "console/icon.svg", alt: "", width: 24, height: 24 }), "mlops");
}

function showSignIn(message) {
  current?.abort();
  current = null;
  document.title = "Sign in · mlops";
  const problem = h("p", { class: "banner", role: "alert", hidden: !message }, message ?? "");
  const input = h("input", { id: "key", type: "password", autocomplete: "off", required: true, spellcheck: "false" });
  const button = h("button", { class: "button primary" }, "Open the console");
  const form = h("form", {
    onsubmit: async (event) => {
      event.preventDefault();
      button.disabled = true;
      problem.hidden = true;
      try {
        await checkKey(input.value.trim());
        session.key = input.value.trim();
        showFrame();
      } catch (error) {
        fill(problem, error.signedOut ? "This key is not known. Check it, or ask an operator for one." : reason(error));
        problem.hidden = false;
        input.focus();
      } finally {
        button.disabled = false;
      }
    },
  },
  h("div", { class: "field" }, h("label", { for: "key" }, "API key"), input,
    h("small", {}, "Kept for this tab only. The local stack's is in .local/env; elsewhere an operator makes one.")),
  button);
  fill(app, h("main", { class: "sign-in", id: "main", tabindex: "-1" },
    h("section", { class: "card" }, brand(), h("h1", {}, "Sign in"), problem, form)));
  input.focus();
}

/** Whether the key is known. One that may only predict is, though it may not read this list. */
async function checkKey(key) {
  try {
    await api.get("train/jobs?limit=1", { key });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 403 || error.signedOut) throw error;
  }
}

function showFrame() {
  const dot = h("span", { class: "dot" });
  const state = h("span", {}, "looking…");
  fill(app, h("div", { class: "frame" },
    h("div", { class: "side" }, brand(),
      h("nav", { "aria-label": "Views" }, h("ul", {}, Object.entries(VIEWS).map(([name, view]) =>
        h("li", {}, h("a", { href: `#/${name}`, "data-view": name },
          h("svg", { viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": "1.8", "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" },
            h("path", { d: view.icon })), view.title))))),
      h("footer", {}, h("div", { class: "row", id: "state" }, dot, state), h("div", { class: "row address" }, h("a", { href: "docs" }, "API docs")),
        h("div", { class: "row settings" }, themeButton(),
          h("button", { class: "button plain small", type: "button", onclick: () => { session.key = null; showSignIn(); } }, "Sign out")))),
    h("main", { id: "main", tabindex: "-1" })));
  watchHealth(dot, state);
  showView();
}

async function watchHealth(dot, state) {
  while (dot.isConnected) {
    if (!document.hidden) {
      try {
        const { version } = await api.get("health", { key: null });
        dot.className = "dot good";
        fill(state, `API ${version}`);
      } catch {
        dot.className = "dot bad";
        fill(state, "API down");
      }
    }
    await new Promise((done) => setTimeout(done, 5000));
  }
}

async function showView() {
  const [name, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const view = VIEWS[name] ?? VIEWS.draw;
  if (!session.key || !app.querySelector(".frame")) return;
  current?.abort();
  const mine = new AbortController();
  current = mine;
  for (const link of app.querySelectorAll("[data-view]")) {
    if (VIEWS[link.dataset.view] === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${view.title} · mlops`;
  const main = document.getElementById("main");
  const banner = h("div", { class: "banner", role: "alert", hidden: true });
  const root = h("div", {}, h("p", { class: "quiet" }, "Looking…"));
  fill(main, banner, root);
  announce(view.title);
  await (await view.module()).mount(root, context(mine.signal, banner, new URLSearchParams(search)));
}

/** What a view gets: its end, its place in the address, a way to look again and again, and one to say what failed. */
function context(signal, banner, params) {
  const failed = (error) => {
    if (signal.aborted || error.name === "AbortError") return;
    if (error.signedOut) { session.key = null; showSignIn("The key is no longer valid. Sign in again."); return; }
    if (!(error instanceof ApiError)) console.error(error);
    fill(banner, reason(error));
    banner.hidden = false;
  };
  const well = () => { banner.hidden = true; };
  return {
    signal, params, failed, well,
    /** Look now and every `milliseconds`, slower while nothing answers and not at all while the tab is hidden. */
    async every(milliseconds, look) {
      let misses = 0;
      while (!signal.aborted) {
        if (!document.hidden || misses === 0) {
          try {
            await look();
            if (misses) { well(); announce("The API answers again"); }
            misses = 0;
          } catch (error) {
            misses += 1;
            failed(error);
            if (!error.down) return;
          }
        }
        await new Promise((done) => setTimeout(done, Math.min(Math.max(8000, milliseconds), milliseconds * 2 ** Math.min(misses, 4))));
      }
    },
    /** Do something once and say if it fails. */
    async attempt(deed) {
      try { const found = await deed(); well(); return found; } catch (error) { failed(error); return undefined; }
    },
  };
}

addEventListener("hashchange", () => {
  showView();
  document.getElementById("main")?.focus();
});
theme(sessionStorage.getItem(THEME) ?? "system");
if (session.key) showFrame();
else showSignIn();
