import { render } from "preact";
import { expect, it } from "vitest";
import { MeContext } from "../src/access";
import { RolloutCard } from "../src/views/rollout-card";

const ROLLOUT = {
  rollout_id: "ro_1",
  model_name: "churn",
  version: 7,
  champion: 6,
  plan: { steps: [{ weight: 5, minutes: 30 }], shadow_minutes: 0 },
  phase: 0,
  weight: 5,
  note: "the note",
  phase_began_at: "2026-01-01T00:00:00Z",
};

const shown = (status: string, role = "approve"): { text: string; buttons: string[] } => {
  const place = document.createElement("div");
  const me = { name: "ann", owner: "ann", role, models: ["*"] } as never;
  render(
    <MeContext.Provider value={me}>
      <RolloutCard rollout={{ ...ROLLOUT, status } as never} onChanged={() => {}} />
    </MeContext.Provider>,
    place,
  );
  const buttons = [...place.querySelectorAll("button")].map(({ textContent }) => textContent ?? "");
  return { text: place.textContent ?? "", buttons };
};

it.each([
  ["awaiting_approval", ["Abort"]],
  ["starting", ["Abort"]],
  ["running", ["Pause", "Complete now", "Abort"]],
  ["paused", ["Resume", "Complete now", "Abort"]],
  ["promoting", []],
  ["baking", ["Complete now"]],
  ["returning", []],
  ["rolled_back", []],
])("a rollout that is %s offers what the API allows: %j", (status, buttons) => {
  expect(shown(status).buttons).toEqual(buttons);
  expect(shown(status, "train").buttons).toEqual([]);
});

it("says where the version is after the last step", () => {
  expect(shown("running").text).toContain("It answers 5 % of the callers, version 6 the others.");
  expect(shown("baking").text).toContain("They can still bring version 6 back.");
  expect(shown("returning").text).toContain("Version 6 goes back to Production.");
  expect(shown("returning").text).toContain("the note");
  const waiting = shown("awaiting_approval").text;
  expect(waiting).toContain("until then version 6 answers.");
  expect(waiting).toContain("The plan: 5 % for 30 minutes.");
  expect(shown("rejected").text).toContain("beside version 6.");
  expect(shown("rolled_back").text).toContain("beside version 6.");
});
