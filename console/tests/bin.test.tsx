import { render } from "preact";
import { afterEach, expect, it, vi } from "vitest";
import { MeContext } from "../src/access";
import { Bin, isOfModels, mayRestore, named } from "../src/views/bin";

const ENTRY = {
  name: "churn",
  deleted_at: "2026-06-01T00:00:00.000Z",
  until: "2026-07-01T09:30:00.000Z",
  state: "kept",
  actor: "ann",
  reason: "it leaks",
};
const ENTRIES = [
  { ...ENTRY, kind: "version", version: 3 },
  { ...ENTRY, kind: "model", name: "wine", versions: [1, 2], state: "purging" },
  { ...ENTRY, kind: "run", name: "lab", run_id: "3f2a" },
];

afterEach(() => vi.unstubAllGlobals());

/** The bin as a key of this role for these models sees it, and what it has asked the API. */
async function shown(role: string, models = ["*"]): Promise<{ place: HTMLElement; asked: string[] }> {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (address: string, { method }: RequestInit) => {
    asked.push(`${method} ${new URL(address, "http://x").pathname}`);
    return new Response(JSON.stringify({ entries: ENTRIES, total_count: 3 }), { status: 200 });
  });
  const place = document.createElement("div");
  const me = { name: "bob", owner: "bob", role, models } as never;
  render(
    <MeContext.Provider value={me}>
      <Bin onRestored={() => asked.push("restored")} />
    </MeContext.Provider>,
    place,
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  return { place, asked };
}

const buttons = (place: HTMLElement) =>
  [...place.querySelectorAll("button")].map((button) => button.getAttribute("aria-label"));

it("lists models and versions with who, why and until when", async () => {
  const { place } = await shown("read");
  const rows = [...place.querySelectorAll("tbody tr")].map(({ textContent }) => textContent);
  expect(rows).toHaveLength(2);
  expect(rows[0]).toContain("Version 3 of churn");
  expect(rows[0]).toContain("annit leaks2026-07-01 09:30");
  expect(rows[1]).toContain("The model wine");
  expect(rows[1]).toContain("It is too late");
});

it("offers to restore what the key may, while it can be", async () => {
  expect(buttons((await shown("admin")).place)).toEqual(["Restore Version 3 of churn"]);
  expect(buttons((await shown("approve")).place)).toEqual([]);
  expect(buttons((await shown("admin", ["wine*"])).place)).toEqual([]);
});

it("restores a version, and looks again", async () => {
  const { place, asked } = await shown("admin");
  place.querySelector("button")?.click();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const restoring = asked.findIndex((each) => each.endsWith("/models/churn/versions/3/restore"));
  expect(asked[restoring]).toMatch(/^POST /);
  expect(asked.slice(restoring + 1)).toContain("restored");
  expect(asked.slice(restoring + 1).some((each) => /^GET .*\/bin$/.test(each))).toBe(true);
});

it("asks nothing with a key that may only predict", async () => {
  expect((await shown("predict")).asked).toEqual([]);
});

it("knows what is of models, and its name", () => {
  expect(ENTRIES.map((entry) => isOfModels(entry as never))).toEqual([true, true, false]);
  expect(isOfModels({ kind: "version", state: "claimed" })).toBe(false);
  expect(named({ name: "wine", version: null })).toBe("The model wine");
  expect(mayRestore({ role: "admin", models: ["churn"] }, { name: "churn", state: "kept" })).toBe(true);
});
