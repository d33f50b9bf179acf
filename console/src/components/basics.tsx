/** The small pieces that every view is made of. */

import type { ComponentChildren } from "preact";
import { useContext } from "preact/hooks";
import { words } from "../format";
import { FailingContext } from "../problems";

type Content = ComponentChildren;

const KINDS: Record<string, string> = {
  completed: "good",
  succeeded: "good",
  Production: "good",
  stable: "good",
  delivered: "good",
  finished: "good",
  ready: "good",
  running: "info live",
  queued: "info live",
  converting: "info live",
  awaiting_rollout: "info live",
  Staging: "info",
  failed: "bad",
  rejected: "bad",
  alert: "bad",
  dead: "bad",
  degraded: "bad",
  awaiting_approval: "warn",
  cancelled: "warn",
  killed: "warn",
  pruned: "warn",
  warning: "warn",
  retrying: "warn",
};

/** A status or a stage, in its colour. */
export const Tag = ({ status }: { status: string }) => (
  <span class={`tag ${KINDS[status] ?? ""}`}>{words(status)}</span>
);

export const PageHead = ({ title, text, children }: { title: string; text: string; children?: Content }) => (
  <div class="page-head">
    <div>
      <h1>{title}</h1>
      <p>{text}</p>
    </div>
    <div class="tools">{children}</div>
  </div>
);

export const Card = ({ title, tools, children }: { title: string; tools?: Content; children: Content }) => (
  <section class="card" aria-label={title}>
    <header>
      <h2>{title}</h2>
      <div class="tools">{tools}</div>
    </header>
    <div class="body">{children}</div>
  </section>
);

/** What went wrong, in a sentence; nothing if it is empty. */
export const Problem = ({ text }: { text: string | undefined }) =>
  text ? (
    <p class="banner" role="alert">
      {text}
    </p>
  ) : null;

/** A figure with its name and what it is about, for a list of class "tiles". */
export const Tile = ({ name, more, children }: { name: string; more: string; children: Content }) => (
  <div class="card tile">
    <dt>{name}</dt>
    <dd>
      {children}
      <small>{more}</small>
    </dd>
  </div>
);

/** Names and values side by side; what has no value is left out. */
export const Facts = ({ of }: { of: [string, Content][] }) => (
  <dl class="facts">
    {of
      .filter(([, value]) => value)
      .map(([name, value]) => [<dt key={`${name} name`}>{name}</dt>, <dd key={name}>{value}</dd>])}
  </dl>
);

export const Empty = ({ title, children }: { title: string; children: Content }) => (
  <div class="empty">
    <strong>{title}</strong>
    {children}
  </div>
);

/** In place of what is not there yet: never the empty state, and with a way on when nothing comes. */
export function Loading() {
  const { problem, again } = useContext(FailingContext);
  if (problem)
    return (
      <Empty title="Not loaded yet">
        <button class="button small" type="button" onClick={again}>
          Load again
        </button>
      </Empty>
    );
  return (
    <div class="skeleton">
      <Unseen>Loading…</Unseen>
      <i />
      <i />
      <i />
    </div>
  );
}

/** Something that is wrong, or that waits for somebody. */
export const Banner = ({ kind = "", children }: { kind?: string; children: Content }) => (
  <div class={`banner ${kind}`} role={kind ? "status" : "alert"}>
    {children}
  </div>
);

/** Why something is not offered. */
export const Notice = ({ children }: { children: Content }) => (children ? <p class="notice">{children}</p> : null);

/** What an address names does not exist, or the key is not for it. */
export const NotFound = ({ kind, name, children }: { kind: string; name: string; children?: Content }) => (
  <Empty title={`There is no ${kind} ${name}`}>
    {children ?? "It may have been deleted, or your key is not for it. Choose another one above."}
  </Empty>
);

export const Unseen = ({ children }: { children: Content }) => <span class="unseen">{children}</span>;

/** A region that scrolls sideways when its table is wider than the page; by keyboard too. */
export const Scroll = ({ label, children }: { label: string; children: Content }) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable without a mouse
  <section class="scroll" tabIndex={0} aria-label={label}>
    {children}
  </section>
);

/** Column headings; those of numbers are aligned to the right. */
export const Headings = ({ text = [], numbers = [] }: { text?: string[]; numbers?: string[] }) => (
  <>
    {text.map((name) => (
      <th key={name} scope="col">
        {name}
      </th>
    ))}
    {numbers.map((name) => (
      <th key={name} scope="col" class="number">
        {name}
      </th>
    ))}
  </>
);

export const More = ({ shown, total, onMore }: { shown: number; total: number; onMore: () => void }) =>
  shown < total ? (
    <div class="more">
      <span class="faint">{`${shown} of ${total.toLocaleString("en")}`}</span>
      <button class="button small" type="button" onClick={onMore}>
        Show more
      </button>
    </div>
  ) : null;
