import { render } from "preact";
import { expect, it } from "vitest";
import { Lane } from "../src/views/lane";

const VERSION = {
  version: 2,
  stage: "Production",
  run_id: "r",
  metrics: { accuracy: 0.9 },
  sha256: "ab".repeat(32),
  created_at: "2026-01-01T00:00:00Z",
};

const shown = (stage: "Production" | "Staging", refusal: string | null): string => {
  const place = document.createElement("div");
  render(
    <Lane stage={stage} versions={[VERSION]} refusal={refusal} movable={true} onMove={() => {}} onOpen={() => {}} />,
    place,
  );
  return place.textContent ?? "";
};

it("says on the card why the gate would no longer admit what serves, and what to do", () => {
  const reason = "it answers with 1 number per row";
  expect(shown("Production", reason)).toContain(
    `It serves, but the gate would no longer admit it: ${reason}. Move another version here, or roll back.`,
  );
  expect(shown("Staging", reason)).toContain(`${reason}. Move another version here.`);
  expect(shown("Production", null)).not.toContain("gate");
});
