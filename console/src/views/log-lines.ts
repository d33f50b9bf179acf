/** A job's log, for people. */

import { number } from "../format";

const MAX_LINES = 500;

/** The newest lines; the same array where there is nothing new. */
export function appendLines(before: string[], lines: { message: string }[]): string[] {
  return lines.length ? [...before, ...lines.map(({ message }) => readable(message))].slice(-MAX_LINES) : before;
}

/** A structured line as "time event name=value …"; any other as it is. */
export function readable(message: string): string {
  let fields: unknown;
  try {
    fields = JSON.parse(message);
  } catch {
    return message;
  }
  if (typeof fields !== "object" || fields === null || !("event" in fields)) return message;
  const { event, time, elapsed: _elapsed, request_id: _request, ...rest } = fields as Record<string, unknown>;
  const values = Object.entries(rest).map(
    ([name, value]) => `${name}=${typeof value === "number" ? number(value) : value}`,
  );
  return [String(time ?? "").slice(11, 19), String(event), values.join(" ")].join("  ").trimEnd();
}
