// The platform's API, on the origin the console came from and on no other.

const KEY = "mlops.key";
// The page is at …/console; the API's routes stand beside it, behind a stage's name too.
const BASE = new URL(".", location.href.split("#")[0].replace(/\/+$/, ""));

export const session = {
  get key() { return sessionStorage.getItem(KEY); },
  /** Kept for this tab only, and gone when it is closed. */
  set key(value) { value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY); },
};

/** The API refused, or did not answer (`status` 0). */
export class ApiError extends Error {
  constructor(status, problem = {}) {
    super(problem.detail ?? problem.title ?? `the API answered ${status}`);
    this.status = status;
    this.code = problem.code ?? "";
    this.requestId = problem.request_id ?? null;
    this.errors = problem.errors ?? [];
  }
  get down() { return this.status === 0 || this.status >= 500; }
  /** The key itself is not known, as against one whose role does not allow something. */
  get signedOut() { return (this.status === 401 || this.status === 403) && !/\brole\b/.test(this.message); }
}

async function send(method, path, body, { signal, key = session.key, once = false } = {}) {
  const headers = { accept: "application/json" };
  if (key) headers["x-api-key"] = key;
  if (body !== undefined) headers["content-type"] = "application/json";
  if (once) headers["idempotency-key"] = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  let answer;
  try {
    answer = await fetch(new URL(path, BASE), {
      method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "omit", cache: "no-store", redirect: "error",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { detail: "The API does not answer" });
  }
  const text = await answer.text();
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    throw new ApiError(answer.status >= 400 ? answer.status : 502, { detail: `The API answered ${answer.status} with something that is not JSON` });
  }
  if (!answer.ok) throw Object.assign(new ApiError(answer.status, found), { body: found });
  return found;
}

export const api = {
  get: (path, options) => send("GET", path, undefined, options),
  post: (path, body, options) => send("POST", path, body, options),
  /** A POST that happens once, however often it is sent. */
  start: (path, body, options) => send("POST", path, body, { once: true, ...options }),
  remove: (path, options) => send("DELETE", path, undefined, options),
};

/** A path from its parts, each encoded. */
export const path = (...parts) => parts.map(encodeURIComponent).join("/");
/** "?a=1&b=2" from what is given. */
export const query = (values) => {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
};
