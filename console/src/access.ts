/** What the key may do, so that nothing is offered that the API would refuse. The API decides. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Me } from "./schema";

/** Each role may do what the roles before it may do. */
const ROLES = ["predict", "read", "feedback", "train", "approve", "admin"] as const;
export type Role = (typeof ROLES)[number];

export const MeContext = createContext<Me>({ name: "", owner: "", role: "predict", models: [] });

export const useMe = (): Me => useContext(MeContext);

const rank = (role: string): number => (ROLES as readonly string[]).indexOf(role);

export const may = (me: Pick<Me, "role">, needed: Role): boolean => rank(me.role) >= rank(needed);

/** Why the key may not do something, in a sentence; null if it may. `deed` is its subject, such as "To start a run". */
export function refused(me: Pick<Me, "name" | "role">, needed: Role, deed: string): string | null {
  if (may(me, needed)) return null;
  const enough = ROLES.slice(rank(needed))
    .join(", ")
    .replace(/, ([^,]+)$/, " or $1");
  return `${deed} needs a key with the role ${enough}; yours, ${me.name}, has the role ${me.role}.`;
}

/** Whether the key is for a model or an experiment of this name. */
export const covers = ({ models }: Pick<Me, "models">, name: string): boolean =>
  models.some((pattern) => (pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name));

/** The names of models that the key is for, as far as it says them in full. */
export const namedModels = ({ models }: Pick<Me, "models">): string[] =>
  models.filter((pattern) => !pattern.endsWith("*"));
