/** The frame around one view: navigation, the API's state, and what goes wrong. */

import type { ComponentChildren, ComponentType } from "preact";
import { useCallback, useContext, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { MeContext, may, type Role, refused } from "./access";
import { announce } from "./announce";
import * as api from "./api";
import { Brand } from "./brand";
import { Banner, Empty, Loading, PageHead } from "./components/basics";
import { Button } from "./components/controls";
import { ApiError, isAbort } from "./http";
import { Palette } from "./palette";
import { poll, usePolling } from "./polling";
import { FailingContext, type Problems, ProblemsContext, reason } from "./problems";
import { linkTo, readRoute, useVisit, VIEW_NAMES, type ViewName } from "./routing";
import type { Me } from "./schema";
import { applyTheme, currentTheme, nextTheme } from "./theme";
import { Data } from "./views/data";
import { Jobs } from "./views/jobs";
import { Models } from "./views/models";
import { Operations } from "./views/operations";
import { Predict } from "./views/predict";
import { Runs } from "./views/runs";
import { Start } from "./views/start";
import { Watching } from "./views/watching";

interface View {
  title: string;
  /** An SVG path in a box of 24 by 24. */
  icon: string;
  needs: Role;
  component: ComponentType<{ params: URLSearchParams }>;
}

export const VIEWS: Record<ViewName, View> = {
  start: { title: "Start", icon: "M4 11l8-7 8 7v9h-6v-6h-4v6H4z", needs: "read", component: Start },
  predict: { title: "Predict", icon: "M4 20l4-1L19 8l-3-3L5 16z", needs: "predict", component: Predict },
  data: {
    title: "Data",
    icon: "M5 6c0-3 14-3 14 0v12c0 3-14 3-14 0zM5 6c0 3 14 3 14 0M5 12c0 3 14 3 14 0",
    needs: "read",
    component: Data,
  },
  jobs: { title: "Jobs", icon: "M4 6h16M4 12h10M4 18h6", needs: "read", component: Jobs },
  runs: { title: "Runs", icon: "M4 19l5-7 4 4 7-10", needs: "read", component: Runs },
  models: { title: "Models", icon: "M4 5h5v14H4zM15 5h5v9h-5z", needs: "read", component: Models },
  watching: { title: "Watching", icon: "M3 12h4l3 7 4-14 3 7h4", needs: "read", component: Watching },
  operations: {
    title: "Operations",
    icon: "M12 20s-7-4.6-7-10a4 4 0 017-2.6A4 4 0 0119 10c0 5.4-7 10-7 10z",
    needs: "read",
    component: Operations,
  },
};
const HEALTH_INTERVAL = 5000;

type SignOut = (why?: string) => void;

/** `known` is what the key may do, unless it was kept from before the page was loaded. */
export function Frame({ known, signOut }: { known: Me | undefined; signOut: SignOut }) {
  const { hash, serial } = useVisit(focusOnMain);
  const [me, setMe] = useState(known);
  const { view, params } = readRoute(hash);
  const shown = me && view === "start" && !may(me, "read") ? "predict" : view;
  const nav = useRef<HTMLElement>(null);
  // On a narrow page the views are a row that scrolls.
  useEffect(() => {
    const current = nav.current?.querySelector<HTMLElement>("[aria-current]");
    // Not scrollIntoView, after which the Tab key would begin there.
    if (nav.current && current) nav.current.scrollLeft = current.offsetLeft - nav.current.clientWidth / 3;
  }, [shown]);
  const allowed = VIEW_NAMES.filter((name) => !me || may(me, VIEWS[name].needs));
  return (
    <div class="frame">
      <header class="side">
        <Brand />
        <nav ref={nav} aria-label="Views">
          <ul>
            {allowed.map((name) => (
              <li key={name}>
                <a href={linkTo(name)} aria-current={name === shown ? "page" : undefined}>
                  <Icon path={VIEWS[name].icon} />
                  {VIEWS[name].title}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <div class="foot">
          {me ? <Key me={me} /> : null}
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
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <Watched key={`${serial} ${hash}`} signOut={signOut}>
          {me ? (
            <MeContext.Provider value={me}>
              <ShownView name={shown} params={params} />
              <Palette views={allowed.map((name) => [linkTo(name), VIEWS[name].title])} />
            </MeContext.Provider>
          ) : (
            <WhoAmI onMe={setMe} />
          )}
        </Watched>
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

const Key = ({ me }: { me: Me }) => (
  <div class="row key" title={`The key ${me.name} of ${me.owner}, for ${me.models.join(", ")}`}>
    <span class="name">{me.name}</span>
    <span class="tag plain">{me.role}</span>
  </div>
);

function WhoAmI({ onMe }: { onMe: (me: Me) => void }) {
  usePolling(
    async (signal) => {
      onMe(await api.me({ signal }));
      return false;
    },
    1000,
    [],
  );
  return <Loading />;
}

function ShownView({ name, params }: { name: ViewName | undefined; params: URLSearchParams }) {
  const me = useContext(MeContext);
  const view = name && VIEWS[name];
  const title = view?.title ?? "Not found";
  useEffect(() => {
    document.title = `${title} · mlops`;
    announce(title);
  }, [title]);
  if (!view)
    return (
      <>
        <PageHead title={title} text="" />
        <Empty title="There is no such view">
          <a href={linkTo("start")}>Go to the start</a>
        </Empty>
      </>
    );
  const no = refused(me, view.needs, "This view");
  if (no)
    return (
      <>
        <PageHead title={title} text="" />
        <Empty title="Not with this key">{no}</Empty>
      </>
    );
  const Component = view.component;
  return <Component params={params} />;
}

/** Shows above a view what goes wrong in it. A new address is a new view. */
function Watched({ signOut, children }: { signOut: SignOut; children: ComponentChildren }) {
  const [{ problem, passes }, setProblem] = useState({ problem: "", passes: false });
  const [tries, setTries] = useState(0);
  const problems = useMemo<Problems>(
    () => ({
      failed(error) {
        if (isAbort(error)) return;
        if (error instanceof ApiError && error.signedOut) {
          signOut("The key is no longer valid. Sign in again.");
          return;
        }
        if (!(error instanceof ApiError)) console.error(error);
        setProblem({ problem: reason(error), passes: error instanceof ApiError && error.transient });
      },
      well: () => setProblem({ problem: "", passes: false }),
    }),
    [signOut],
  );
  const again = useCallback(() => {
    problems.well();
    setTries((before) => before + 1);
  }, [problems]);
  const failing = useMemo(() => ({ problem, tries, again }), [problem, tries, again]);
  return (
    <ProblemsContext.Provider value={problems}>
      <FailingContext.Provider value={failing}>
        {problem ? (
          <Banner>
            {passes ? `${problem}. It is asked again by itself.` : problem}
            <Button class="button small" onClick={again}>
              Try again
            </Button>
          </Banner>
        ) : null}
        {children}
      </FailingContext.Provider>
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
