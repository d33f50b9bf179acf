import { afterEach, expect, it, vi } from "vitest";
import { keyOf, takeOneTime } from "../src/one-time";
import { session } from "../src/session";

afterEach(() => {
  session.key = null;
  history.replaceState(null, "", "#/");
  vi.unstubAllGlobals();
});

it.each([
  ["#/?once=tok-en_1.pad", "#/", { token: "tok-en_1", pad: "pad" }],
  ["#/models?model=a%20b&once=t.p", "#/models?model=a+b", { token: "t", pad: "p" }],
  ["#/models?once=t", "#/models", null],
  ["#/models?once=", "#/models", null],
  ["#/models?model=a%20b", "#/models?model=a%20b", null],
])("the address %s becomes %s", (address, left, found) => {
  history.replaceState(null, "", address);
  expect(takeOneTime()).toEqual(found);
  expect(location.hash).toBe(left);
});

it("a tab that is signed in stays as it is, and forgets the token all the same", () => {
  session.key = "mine";
  history.replaceState(null, "", "#/jobs?once=t.p");
  expect(takeOneTime()).toBeNull();
  expect([location.hash, session.key]).toEqual(["#/jobs", "mine"]);
});

it("the key is what both halves make together", async () => {
  const asked: [string, unknown][] = [];
  vi.stubGlobal("fetch", async (url: URL, request: RequestInit) => {
    asked.push([url.pathname, request.body]);
    return new Response(JSON.stringify({ share: "mp2c_w" }));
  });
  // 9a 9d 9c ff xor ff ff ff 84: "eb", "c" and "{".
  expect(await keyOf({ token: "t", pad: "____hA" })).toBe("ebc{");
  expect(asked).toEqual([[expect.stringMatching(/\/session\/token$/), '{"token":"t"}']]);
});
