import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ApiError } from "../src/http";
import { type Look, poll } from "../src/polling";

let end: AbortController;
let shown: string[];
const problems = {
  failed: (error: unknown) => shown.push((error as Error).message),
  well: () => shown.push("well"),
};

/** A look that does these one after the other, and how often it was called. */
function looking(...steps: (Error | boolean | undefined)[]) {
  const look: Look & { times: number } = Object.assign(
    async () => {
      const step = steps[look.times];
      look.times += 1;
      if (step instanceof Error) throw step;
      return step;
    },
    { times: 0 },
  );
  return look;
}

beforeEach(() => {
  vi.useFakeTimers();
  end = new AbortController();
  shown = [];
});
afterEach(() => {
  end.abort();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const start = (look: Look) => void poll(look, 1000, end.signal, problems);

it("looks at once, then at each interval, until it is ended", async () => {
  const look = looking();
  start(look);
  await vi.advanceTimersByTimeAsync(2500);
  expect(look.times).toBe(3);
  end.abort();
  await vi.advanceTimersByTimeAsync(5000);
  expect(look.times).toBe(3);
});

it("looks more slowly while nothing answers, and says when it does again", async () => {
  const down = () => new ApiError(0, { detail: "down" });
  const look = looking(down(), down(), undefined);
  start(look);
  await vi.advanceTimersByTimeAsync(1900);
  expect(look.times).toBe(1);
  await vi.advanceTimersByTimeAsync(200);
  expect(look.times).toBe(2);
  await vi.advanceTimersByTimeAsync(3800);
  expect(shown).toEqual(["down", "down"]);
  await vi.advanceTimersByTimeAsync(200);
  expect(shown).toEqual(["down", "down", "well"]);
});

it("waits as long as the server asks", async () => {
  const look = looking(new ApiError(429, { detail: "slow down" }, null, 30));
  start(look);
  await vi.advanceTimersByTimeAsync(29_000);
  expect(look.times).toBe(1);
  await vi.advanceTimersByTimeAsync(1100);
  expect(look.times).toBe(2);
});

it("ends with an error that asking again would not mend", async () => {
  const look = looking(new ApiError(404, { detail: "no such model" }));
  start(look);
  await vi.advanceTimersByTimeAsync(20_000);
  expect([look.times, shown]).toEqual([1, ["no such model"]]);
});

it("ends when there is nothing more to look for, and then clears the error", async () => {
  const look = looking(new ApiError(503, { detail: "busy" }), false);
  start(look);
  await vi.advanceTimersByTimeAsync(20_000);
  expect([look.times, shown]).toEqual([2, ["busy", "well"]]);
});

it("does not look while the page is hidden", async () => {
  const look = looking();
  const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
  start(look);
  await vi.advanceTimersByTimeAsync(5500);
  expect(look.times).toBe(1);
  hidden.mockReturnValue(false);
  await vi.advanceTimersByTimeAsync(1000);
  expect(look.times).toBe(2);
});
