/** Requests to the platform's API, on the origin that the console came from and on no other. */

import { pause } from "./pause";
import type { Problem } from "./schema";
import { session } from "./session";

// The page is at …/console; the API's routes are beside it, below a stage's name on AWS.
const BASE = new URL(".", (location.href.split(/[?#]/)[0] ?? "").replace(/\/+$/, ""));
/** A server that asks for a longer wait than these seconds is not asked again by itself. */
const MAX_WAIT = 10;

/** The API refused, or did not answer (`status` 0). */
export class ApiError extends Error {
  readonly requestId: string | null;

  constructor(
    readonly status: number,
    problem: Partial<Problem> = {},
    /** The answer's body, where it had one. */
    readonly body: unknown = null,
    /** Seconds that the server asks to wait. */
    readonly retryAfter: number | null = null,
  ) {
    super(problem.detail ?? problem.title ?? `The API answered ${status}`);
    this.requestId = problem.request_id ?? null;
  }

  /** The same request may succeed later. */
  get transient(): boolean {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }

  /** The key itself is unknown, unlike one whose role or models do not allow something. */
  get signedOut(): boolean {
    return this.status === 401 || (this.status === 403 && /x-api-key|^Forbidden$/.test(this.message));
  }
}

export interface Options {
  signal?: AbortSignal | undefined;
  /** The API key; the session's unless given, none with null. */
  key?: string | null;
  /** How often to try while the error is transient. */
  attempts?: number;
}

/** Ask for a path relative to the API. Throws ApiError. */
export const get = <T>(path: string, options: Options = {}): Promise<T> => send("GET", path, undefined, options);

export const post = <T>(path: string, body: unknown, options: Options = {}): Promise<T> =>
  send("POST", path, body, options);

/** A POST that takes effect once, however often it is sent: so it is sent again while the error is transient. */
export const postOnce = <T>(path: string, body: unknown, options: Options = {}): Promise<T> =>
  send("POST", path, body, { attempts: 3, ...options }, { "idempotency-key": uniqueKey() });

export const remove = <T>(path: string, options: Options = {}): Promise<T> => send("DELETE", path, undefined, options);

/** A PATCH, which may be sent again: what it sets stays set. */
export const change = <T>(path: string, body: unknown, options: Options = {}): Promise<T> =>
  send("PATCH", path, body, { attempts: 3, ...options });

async function send<T>(
  method: string,
  path: string,
  body: unknown,
  options: Options,
  more: Record<string, string> = {},
): Promise<T> {
  const { signal, key = session.key, attempts = 1 } = options;
  const headers: Record<string, string> = { accept: "application/json", ...more };
  if (key) headers["x-api-key"] = key;
  if (body !== undefined) headers["content-type"] = "application/json";
  const request: RequestInit = { method, headers, credentials: "omit", cache: "no-store", redirect: "error" };
  if (signal) request.signal = signal;
  if (body !== undefined) request.body = JSON.stringify(body);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once<T>(new URL(path, BASE), request);
    } catch (error) {
      if (!(error instanceof ApiError) || !error.transient || attempt >= attempts) throw error;
      const seconds = error.retryAfter ?? 0.5 * 2 ** (attempt - 1);
      if (seconds > MAX_WAIT) throw error;
      await pause(seconds * 1000, signal);
    }
  }
}

async function once<T>(url: URL, request: RequestInit): Promise<T> {
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(url, request);
    text = await answer.text();
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError(0, { detail: "The API does not answer" });
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    const status = answer.status >= 400 ? answer.status : 502;
    throw new ApiError(status, { detail: `The API answered ${answer.status} with something that is not JSON` });
  }
  if (!answer.ok) throw new ApiError(answer.status, body as Partial<Problem>, body, waitOf(answer));
  return body as T;
}

/** The seconds of Retry-After; its other form, a date, is not used by the API. */
function waitOf(answer: Response): number | null {
  const seconds = Number.parseFloat(answer.headers.get("retry-after") ?? "");
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}

export const isAbort = (error: unknown): boolean => error instanceof DOMException && error.name === "AbortError";

// randomUUID needs a secure context, which a stack on another machine of a laptop's network is not.
const uniqueKey = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
