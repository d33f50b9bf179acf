import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type ApiError, get, post, postOnce } from "../src/http";
import { session } from "../src/session";

type Reply = { status?: number; body?: unknown; text?: string; headers?: Record<string, string> } | Error;

let sent: Request[];

/** The server's answers, in this order. */
function answering(...replies: Reply[]) {
  sent = [];
  vi.stubGlobal("fetch", async (url: URL, init: RequestInit) => {
    sent.push(new Request(url, init));
    const reply = replies[sent.length - 1];
    if (!reply) throw new Error("one request too many");
    if (reply instanceof Error) throw reply;
    return new Response(reply.text ?? JSON.stringify(reply.body ?? {}), {
      status: reply.status ?? 200,
      headers: reply.headers ?? {},
    });
  });
}

const failure = (promise: Promise<unknown>): Promise<ApiError> =>
  promise.then(
    () => {
      throw new Error("it did not fail");
    },
    (error: ApiError) => error,
  );

beforeEach(() => {
  vi.useFakeTimers();
  sessionStorage.clear();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("sends the session's key, and none where none is wanted", async () => {
  answering({}, {});
  session.key = "secret";
  await get("train/jobs");
  await get("health", { key: null });
  expect(sent.map((request) => request.headers.get("x-api-key"))).toEqual(["secret", null]);
});

it("tries again after the time that the server asks for", async () => {
  answering({ status: 429, headers: { "retry-after": "7" } }, { body: { ok: 1 } });
  const answer = get("models", { attempts: 3 });
  await vi.advanceTimersByTimeAsync(6900);
  expect(sent).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(200);
  expect(await answer).toEqual({ ok: 1 });
});

it("gives up after its attempts, with the last error", async () => {
  answering({ status: 503 }, new TypeError("network"), { status: 500, body: { detail: "broken", request_id: "r1" } });
  const failed = failure(get("models", { attempts: 3 }));
  await vi.advanceTimersByTimeAsync(5000);
  const error = await failed;
  expect([error.status, error.message, error.requestId, sent.length]).toEqual([500, "broken", "r1", 3]);
});

it("does not wait for minutes by itself", async () => {
  answering({ status: 503, headers: { "retry-after": "600" } });
  const error = await failure(get("models", { attempts: 3 }));
  expect([error.status, error.retryAfter, sent.length]).toEqual([503, 600, 1]);
});

it("does not repeat a refusal, nor a POST that may have taken effect", async () => {
  answering({ status: 422, body: { detail: "epochs: too many" } });
  expect((await failure(get("train/jobs", { attempts: 3 }))).message).toBe("epochs: too many");
  answering({ status: 503 });
  await failure(post("predict", {}));
  expect(sent).toHaveLength(1);
});

it("repeats a POST that takes effect once, with the same key", async () => {
  answering({ status: 503 }, { body: { job_id: "job_1" } });
  const started = postOnce("train", { epochs: 2 });
  await vi.advanceTimersByTimeAsync(1000);
  expect(await started).toEqual({ job_id: "job_1" });
  const keys = sent.map((request) => request.headers.get("idempotency-key"));
  expect(keys[0]).toBeTruthy();
  expect(keys[0]).toBe(keys[1]);
});

it("ends a wait when the view is left", async () => {
  answering({ status: 503 });
  const end = new AbortController();
  const failed = failure(get("models", { attempts: 3, signal: end.signal }));
  await vi.advanceTimersByTimeAsync(100);
  end.abort();
  expect((await failed).name).toBe("AbortError");
  await vi.advanceTimersByTimeAsync(5000);
  expect(sent).toHaveLength(1);
});

it("says in a sentence that a web page is no answer", async () => {
  answering({ text: "<h1>hi</h1>" });
  const error = await failure(get("train/jobs"));
  expect([error.status, error.message]).toEqual([502, "The API answered 200 with something that is not JSON"]);
});

it.each([
  [401, "The API key is not known", true],
  [403, "Forbidden", true],
  [403, "The x-api-key header is missing or its key is not valid; ask an operator for a key", true],
  [403, "This API key is for churn*, and not for the model x", false],
  [403, "The key ann is for churn*, and not for the model x", false],
  [403, "The role predict may not do this", false],
  [404, "There is no such model", false],
])("%s %s: the key is unknown: %s", async (status, detail, signedOut) => {
  answering({ status, body: { detail } });
  expect((await failure(get("models"))).signedOut).toBe(signedOut);
});
