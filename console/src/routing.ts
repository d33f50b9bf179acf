/** Where one is, from the address: #/runs?experiment=a */

import { useEffect, useState } from "preact/hooks";

export const VIEW_NAMES = ["draw", "jobs", "runs", "models", "drift", "health"] as const;
export type ViewName = (typeof VIEW_NAMES)[number];

export interface Route {
  view: ViewName;
  params: URLSearchParams;
}

/** The route of an address's hash; an unknown view is the first one. */
export function readRoute(hash: string): Route {
  const [name = "", search = ""] = hash.replace(/^#\/?/, "").split("?");
  const view = VIEW_NAMES.find((view) => view === name) ?? VIEW_NAMES[0];
  return { view, params: new URLSearchParams(search) };
}

/** The hash as it is now; a change is also a change of the view, which then has the focus. */
export function useHash(onChange: () => void): string {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = () => {
      setHash(location.hash);
      onChange();
    };
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, [onChange]);
  return hash;
}
