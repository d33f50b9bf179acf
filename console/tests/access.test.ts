import { expect, it } from "vitest";
import { covers, may, namedModels, refused } from "../src/access";
import { mayNotDecide } from "../src/views/approvals";

const key = (role: string, owner = "team") => ({ name: "ci", owner, role, models: ["churn*", "digits"] });

it("each role may do what the roles before it may do, and an unknown one nothing", () => {
  expect(["predict", "read", "train", "admin", "later"].map((role) => may(key(role), "train"))).toEqual([
    false,
    false,
    true,
    true,
    false,
  ]);
  expect(may(key("later"), "predict")).toBe(false);
});

it("says which roles would do", () => {
  expect(refused(key("approve"), "train", "To start a run")).toBeNull();
  expect(refused(key("read"), "approve", "To roll back")).toBe(
    "To roll back needs a key with the role approve or admin; yours, ci, has the role read.",
  );
  expect(refused(key("read"), "admin", "This")).toContain("the role admin;");
});

it("a key is for the names and the beginnings that it has", () => {
  expect(["churn", "churn-eu", "digits", "digits2"].map((name) => covers(key("read"), name))).toEqual([
    true,
    true,
    true,
    false,
  ]);
  expect(namedModels(key("read"))).toEqual(["digits"]);
});

it("who has asked does not decide, nor does one owner twice", () => {
  const asked = { actor: "ci", actor_owner: "ann", decisions: [] };
  expect(mayNotDecide(key("approve", "ann"), asked)).toContain("You have asked for it");
  expect(mayNotDecide(key("approve", "bob"), asked)).toBeNull();
  expect(mayNotDecide(key("train", "bob"), asked)).toContain("approve or admin");
  const decision = { approved: true, at: "2026-01-01T00:00:00Z", name: "x", owner: "bob" };
  expect(mayNotDecide(key("approve", "bob"), { ...asked, decisions: [decision] })).toBe("bob has decided already.");
});
