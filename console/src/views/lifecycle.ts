/** The stages, and where people may move a version. */

import type { ModelVersion, Rollout } from "../schema";

export type Version = ModelVersion;

export const STAGES = ["Registered", "Staging", "Production", "Archived"] as const;
export type Stage = (typeof STAGES)[number];

// The API decides; this only spares people a refusal.
export const MOVES: Record<Stage, readonly Stage[]> = {
  Registered: ["Staging", "Production", "Archived"],
  Staging: ["Production", "Archived"],
  Production: ["Archived"],
  Archived: ["Staging", "Production"],
};

export const canMove = (from: Stage, to: Stage): boolean => MOVES[from].includes(to);

const OPEN = ["awaiting_approval", "starting", "running", "paused", "promoting", "baking", "returning"];

/** Whether a rollout is under way. */
export const isOpen = (rollout: Pick<Rollout, "status"> | null | undefined): boolean =>
  rollout ? OPEN.includes(rollout.status) : false;
