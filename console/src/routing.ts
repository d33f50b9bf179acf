/** Where one is, from the address: #/runs?experiment=a */

import { useCallback, useEffect, useState } from "preact/hooks";

export const VIEW_NAMES = ["start", "predict", "data", "jobs", "runs", "models", "watching", "operations"] as const;
export type ViewName = (typeof VIEW_NAMES)[number];
/** Names that views had before; links with these are out there. */
const FORMER: Record<string, ViewName> = { draw: "predict", drift: "watching", health: "operations" };

export interface Route {
  /** Undefined where there is no view of that name. */
  view: ViewName | undefined;
  params: URLSearchParams;
}

export function readRoute(hash: string): Route {
  const [name = "", search = ""] = hash.replace(/^#\/?/, "").split("?");
  const view = name ? (VIEW_NAMES.find((view) => view === name) ?? FORMER[name]) : VIEW_NAMES[0];
  return { view, params: new URLSearchParams(search) };
}

/** A link to a view, with what it shows. */
export function linkTo(view: ViewName, params: Record<string, string | number | null | undefined> = {}): string {
  const given = Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `#/${view}${search ? `?${search}` : ""}`;
}

export interface Visit {
  hash: string;
  /** Counts what was visited: the same address again is a visit too. */
  serial: number;
}

/** The hash as it was visited last; a change is also a change of the view, which then has the focus. */
export function useVisit(onChange: () => void): Visit {
  const [visit, setVisit] = useState({ hash: location.hash, serial: 0 });
  useEffect(() => {
    const changed = () => {
      setVisit(({ serial }) => ({ hash: location.hash, serial: serial + 1 }));
      onChange();
    };
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, [onChange]);
  return visit;
}

/**
 * A choice within a view that is in the address too, so that a reload and a sent link show the same.
 * What is usual is left out of the address.
 */
export function useAddress(
  params: URLSearchParams,
  name: string,
  usual = "",
): [value: string, set: (value: string) => void] {
  const [value, setValue] = useState(params.get(name) ?? usual);
  const set = useCallback(
    (next: string) => {
      setValue(next);
      writeAddress(name, next === usual ? "" : next);
    },
    [name, usual],
  );
  return [value, set];
}

/** Put a value into the address, which is not another visit. */
function writeAddress(name: string, value: string): void {
  const [view = "", search = ""] = location.hash.split("?");
  const params = new URLSearchParams(search);
  if (value) params.set(name, value);
  else params.delete(name);
  history.replaceState(null, "", params.size ? `${view}?${params}` : view || "#/");
}
