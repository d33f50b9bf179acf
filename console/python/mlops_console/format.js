// Numbers and times for people.

export const percent = (share, digits = 1) => (share === null || share === undefined ? "" : `${(share * 100).toFixed(digits)} %`);

export function number(value) {
  if (value === null || value === undefined || value === "") return "";
  const found = Number(value);
  if (!Number.isFinite(found)) return String(value);
  if (Number.isInteger(found)) return found.toLocaleString("en");
  return Math.abs(found) >= 0.001 && Math.abs(found) < 1e6 ? String(Number(found.toPrecision(4))) : found.toExponential(2);
}

export function ago(moment) {
  if (!moment) return "";
  const seconds = (Date.now() - Date.parse(moment)) / 1000;
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60]]) {
    if (seconds >= size) return `${Math.round(seconds / size)} ${unit} ago`;
  }
  return seconds < 5 ? "just now" : `${Math.round(seconds)} s ago`;
}

export const duration = (seconds) => (seconds < 120 ? `${Math.round(seconds)} s` : `${number(Math.round(seconds / 60))} min`);

export function took(began, ended) {
  return began ? duration(Math.max(0, ((ended ? Date.parse(ended) : Date.now()) - Date.parse(began)) / 1000)) : "";
}

export const words = (name) => name.replaceAll("_", " ");

const KINDS = {
  completed: "good", succeeded: "good", Production: "good", stable: "good", ready: "good",
  running: "info live", queued: "info live", Staging: "info",
  failed: "bad", rejected: "bad", alert: "bad", degraded: "bad",
  cancelled: "warn", warning: "warn",
};
/** The class of a status' tag. */
export const kind = (status) => `tag ${KINDS[status] ?? ""}`;

export const accuracy = (metrics) => metrics?.accuracy ?? metrics?.val_accuracy ?? null;
