import { render } from "preact";
import { expect, it } from "vitest";
import { Result } from "../src/views/decision-dialog";

const MOVED = {
  transition_id: "tr_1",
  model_name: "churn",
  version: 3,
  stage: "Production",
  actor: "ann",
  gates: [],
  created_at: "2026-01-01T00:00:00Z",
};

const shown = (status: string, error: string | null): string => {
  const place = document.createElement("div");
  render(<Result outcome={{ state: "ended", moved: { ...MOVED, status, error } as never }} />, place);
  return place.textContent ?? "";
};

it("says who has to approve a transition that waits, and how", () => {
  expect(shown("awaiting_approval", null)).toContain("Somebody with a key of another owner has to approve it");
  expect(shown("awaiting_approval", null)).toContain("mlops approve tr_1");
  expect(shown("awaiting_approval", null)).not.toContain("refused");
});

it("says why a transition was refused", () => {
  expect(shown("rejected", null)).toContain("rejected: a gate refused the version");
  expect(shown("failed", "S3 is away")).toContain("failed: S3 is away");
});
