/** Asking again and again, more slowly while nothing answers. */

import { type Inputs, useCallback, useContext, useEffect, useRef, useState } from "preact/hooks";
import { announce } from "./announce";
import { ApiError, isAbort } from "./http";
import { pause } from "./pause";
import { FailingContext, type Problems, ProblemsContext } from "./problems";

/** After a miss, whatever the interval is: what failed once is mostly back soon. */
const FIRST_RETRY = 2000;
const MAX_INTERVAL = 8000;

/** Asks once; false ends the polling. */
export type Look = (signal: AbortSignal) => Promise<undefined | boolean>;

/**
 * Look now and every `milliseconds`, but not while the page is hidden. While errors are transient it goes on, at longer
 * pauses or when the server says; any other error ends it.
 */
export async function poll(look: Look, milliseconds: number, signal: AbortSignal, problems: Problems): Promise<void> {
  let misses = 0;
  try {
    for (let first = true; !signal.aborted; first = false) {
      let wait = milliseconds;
      if (first || !document.hidden) {
        try {
          const more = await look(signal);
          if (misses) {
            problems.well();
            announce("The API answers again");
          }
          if (more === false) return;
          misses = 0;
        } catch (error) {
          if (signal.aborted || isAbort(error)) return;
          problems.failed(error);
          if (!(error instanceof ApiError) || !error.transient) return;
          misses += 1;
          const slower = Math.min(MAX_INTERVAL, FIRST_RETRY * 2 ** (misses - 1));
          wait = Math.max(slower, (error.retryAfter ?? 0) * 1000);
        }
      }
      await pause(wait, signal);
    }
  } catch (error) {
    if (!isAbort(error)) throw error;
  }
}

/**
 * Poll while the component is shown; anew when one of `inputs` changes. Returns a function that looks at once.
 * `look` is the one of the last rendering, so it sees the state as it is.
 */
export function usePolling(look: Look, milliseconds: number, inputs: Inputs): () => void {
  const problems = useContext(ProblemsContext);
  const { tries } = useContext(FailingContext);
  const [round, setRound] = useState(0);
  const latest = useRef(look);
  latest.current = look;
  useEffect(() => {
    const end = new AbortController();
    void poll((signal) => latest.current(signal), milliseconds, end.signal, problems);
    return () => end.abort();
  }, [round, tries, milliseconds, problems, ...inputs]);
  return useCallback(() => setRound((before) => before + 1), []);
}

const RETRY = 2000;

/** What `load` resolves to, once it has; undefined until then. It is tried again while errors are transient. */
export function useLoaded<T>(load: (signal: AbortSignal) => Promise<T>): T | undefined {
  const [loaded, setLoaded] = useState<T>();
  usePolling(
    async (signal) => {
      const value = await load(signal);
      if (!signal.aborted) setLoaded(() => value);
      return false;
    },
    RETRY,
    [],
  );
  return loaded;
}

/** A part of the console that is fetched when it is needed. Throws an Error that says what `name` is, and what to do. */
export async function loaded<T>(name: string, part: Promise<T>): Promise<T> {
  try {
    return await part;
  } catch {
    // The page is older than the deployed console, whose files have other names.
    throw new Error(`${name} could not be loaded. Reload the page.`);
  }
}
