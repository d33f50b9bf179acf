/** The frame around one view: navigation, the API's state, and what goes wrong. */

import type { ComponentType } from "preact";
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { announce } from "./announce";
import * as api from "./api";
import { Brand } from "./brand";
import { Button } from "./components/controls";
import { ApiError, isAbort } from "./http";
import { poll } from "./polling";
import { type Problems, ProblemsContext, reason } from "./problems";
import { readRoute, useHash, VIEW_NAMES, type ViewName } from "./routing";
import { applyTheme, currentTheme, nextTheme } from "./theme";
import { Draw } from "./views/draw";
import { Drift } from "./views/drift";
import { Health } from "./views/health";
import { Jobs } from "./views/jobs";
import { Models } from "./views/models";
import { Runs } from "./views/runs";

interface View {
  title: string;
  /** An SVG path in a box of 24 by 24. */
  icon: string;
  component: ComponentType<{ params: URLSearchParams }>;
}

const VIEWS: Record<ViewName, View> = {
  draw: { title: "Draw", icon: "M4 20l4-1L19 8l-3-3L5 16z", component: Draw },
  jobs: { title: "Jobs", icon: "M4 6h16M4 12h10M4 18h6", component: Jobs },
  runs: { title: "Runs", icon: "M4 19l5-7 4 4 7-10", component: Runs },
  models: { title: "Models", icon: "M4 5h5v14H4zM15 5h5v9h-5z", component: Models },
  drift: { title: "Drift", icon: "M3 12h4l3 7 4-14 3 7h4", component: Drift },
  health: {
    title: "Health",
    icon: "M12 20s-7-4.6-7-10a4 4 0 017-2.6A4 4 0 0119 10c0 5.4-7 10-7 10z",
    component: Health,
  },
};
const HEALTH_INTERVAL = 5000;

type SignOut = (why?: string) => void;

export function Frame({ signOut }: { signOut: SignOut }) {
  const hash = useHash(focusOnMain);
  const { view, params } = readRoute(hash);
  return (
    <div class="frame">
      <div class="side">
        <Brand />
        <nav aria-label="Views">
          <ul>
            {VIEW_NAMES.map((name) => (
              <li key={name}>
                <a href={`#/${name}`} aria-current={name === view ? "page" : undefined}>
                  <Icon path={VIEWS[name].icon} />
                  {VIEWS[name].title}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <footer>
          <ApiState />
          <div class="row address">
            <a href="docs">API docs</a>
          </div>
          <div class="row settings">
            <ThemeButton />
            <Button class="button plain small" onClick={() => signOut()}>
              Sign out
            </Button>
          </div>
        </footer>
      </div>
      <main id="main" tabIndex={-1}>
        <ShownView key={hash} view={VIEWS[view]} params={params} signOut={signOut} />
      </main>
    </div>
  );
}

const focusOnMain = () => document.getElementById("main")?.focus();

const Icon = ({ path }: { path: string }) => (
  <svg viewBox="0 0 24 24" aria-hidden="true">
    <path d={path} />
  </svg>
);

/** One view and the banner above it. A new address is a new view. */
function ShownView({ view, params, signOut }: { view: View; params: URLSearchParams; signOut: SignOut }) {
  const [problem, setProblem] = useState("");
  const problems = useMemo<Problems>(
    () => ({
      failed(error) {
        if (isAbort(error)) return;
        if (error instanceof ApiError && error.signedOut) {
          signOut("The key is no longer valid. Sign in again.");
          return;
        }
        if (!(error instanceof ApiError)) console.error(error);
        setProblem(reason(error));
      },
      well: () => setProblem(""),
    }),
    [signOut],
  );
  useEffect(() => {
    document.title = `${view.title} · mlops`;
    announce(view.title);
  }, [view]);
  const Component = view.component;
  return (
    <ProblemsContext.Provider value={problems}>
      {problem ? (
        <div class="banner" role="alert">
          {problem}
        </div>
      ) : null}
      <Component params={params} />
    </ProblemsContext.Provider>
  );
}

/** Whether the API answers, and its version. */
function ApiState() {
  const [state, setState] = useState({ dot: "", text: "checking…" });
  const look = useCallback(async (signal: AbortSignal) => {
    const { version } = await api.health({ signal });
    setState({ dot: "good", text: `API ${version}` });
    return undefined;
  }, []);
  useEffect(() => {
    const end = new AbortController();
    const failed = (error: unknown) => isAbort(error) || setState({ dot: "bad", text: "API down" });
    void poll(look, HEALTH_INTERVAL, end.signal, { failed, well: () => {} });
    return () => end.abort();
  }, [look]);
  return (
    <div class="row" id="state">
      <span class={`dot ${state.dot}`} />
      <span>{state.text}</span>
    </div>
  );
}

function ThemeButton() {
  const [theme, setTheme] = useState(currentTheme());
  const change = () => {
    const next = nextTheme(theme);
    applyTheme(next);
    setTheme(next);
  };
  return (
    <button class="button plain small" type="button" title="Change the colours" onClick={change}>
      Colours: {theme}
    </button>
  );
}
