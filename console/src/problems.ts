/** What goes wrong in a view: shown above it, and cleared when it works again. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { ApiError } from "./http";

export interface Problems {
  /** Show an error; an ended request is none. */
  failed(error: unknown): void;
  /** What failed works again. */
  well(): void;
}

export const ProblemsContext = createContext<Problems>({ failed: () => {}, well: () => {} });

export interface Failing {
  /** What is wrong now; empty if nothing is. */
  problem: string;
  /** How often somebody has asked to try again. */
  tries: number;
  /** Look again now. */
  again(): void;
}

/** Apart from the other, whose value never changes: what polls would begin anew with each problem. */
export const FailingContext = createContext<Failing>({ problem: "", tries: 0, again: () => {} });

export function useProblems(): Problems & { attempt<T>(deed: () => Promise<T>): Promise<T | undefined> } {
  const { failed, well } = useContext(ProblemsContext);
  return {
    failed,
    well,
    /** Do something once, and show the error if it fails. */
    async attempt(deed) {
      try {
        const result = await deed();
        well();
        return result;
      } catch (error) {
        failed(error);
        return undefined;
      }
    },
  };
}

/** An error in a sentence, with what an operator can look up. */
export function reason(error: unknown): string {
  if (error instanceof ApiError)
    return error.requestId ? `${error.message} (request ${error.requestId})` : error.message;
  return error instanceof Error ? error.message : String(error);
}
