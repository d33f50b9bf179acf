import { expect, it, vi } from "vitest";
import type { KeyEntry, Me } from "../src/schema";
import { inForce, mayNotList } from "../src/views/keys";
import { requestFrom } from "../src/views/new-webhook";
import { until } from "../src/views/webhook-opened";

const entry = (seq: number, key_id: string, change: KeyEntry["change"], role = "read"): KeyEntry => ({
  seq,
  key_id,
  change,
  role,
  name: `name of ${key_id}`,
  owner: "ann",
  at: "2026-01-01T00:00:00Z",
  models: ["*"],
  sha256: "",
});

it("the keys in force are those whose last change did not revoke them, whatever the order of the entries", () => {
  const entries = [
    entry(5, "b", "revoked"),
    entry(4, "a", "changed", "admin"),
    entry(3, "c", "made"),
    entry(2, "b", "made"),
    entry(1, "a", "made"),
  ];
  for (const order of [entries, [...entries].reverse()]) {
    expect(inForce(order).map(({ key_id, role }) => [key_id, role])).toEqual([
      ["a", "admin"],
      ["c", "read"],
    ]);
  }
});

it("who may not see the other keys is told why", () => {
  const me: Me = { name: "bo", owner: "bo", role: "admin", models: ["*"] };
  expect(mayNotList(me)).toBeNull();
  expect(mayNotList({ ...me, models: ["churn*", "wine"] })).toContain("for all models; yours, bo, is for churn*, wine");
  expect(mayNotList({ ...me, role: "approve" })).toContain("needs a key with the role admin");
});

it("a webhook's request leaves out what is empty", () => {
  const fields = new FormData();
  for (const [name, value] of [
    ["url", " https://hooks.example.com/a "],
    ["events", "transition.*, job.failed,"],
    ["models", " "],
    ["format", "slack"],
    ["description", ""],
  ] as const)
    fields.set(name, value);
  expect(requestFrom(fields)).toEqual({
    url: "https://hooks.example.com/a",
    events: ["transition.*", "job.failed"],
    format: "slack",
  });
  fields.set("models", "churn*");
  fields.set("description", "for the team");
  expect(requestFrom(fields)).toMatchObject({ models: ["churn*"], description: "for the team" });
});

it("says when the next try is", () => {
  vi.setSystemTime("2026-01-01T00:00:00Z");
  const said = ["2026-01-01T00:00:30Z", "2026-01-01T00:05:00Z", "2026-01-01T05:00:00Z", "2025-01-01T00:00:00Z"];
  expect(said.map(until)).toEqual(["within a minute", "in 5 min", "in 5 h", "within a minute"]);
  vi.useRealTimers();
});
