/** Light or dark: the system's choice, or the reader's for this tab. */

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "mlops.theme";
const changes = new EventTarget();
const system = matchMedia("(prefers-color-scheme: dark)");
system.addEventListener("change", () => changes.dispatchEvent(new Event("change")));

export const currentTheme = (): Theme => THEMES.find((theme) => theme === sessionStorage.getItem(KEY)) ?? "system";

export const nextTheme = (theme: Theme): Theme => THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system";

export function applyTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  sessionStorage.setItem(KEY, theme);
  changes.dispatchEvent(new Event("change"));
}

/** Calls back when colours have changed; returns how to stop that. */
export function onThemeChange(changed: () => void): () => void {
  changes.addEventListener("change", changed);
  return () => changes.removeEventListener("change", changed);
}
