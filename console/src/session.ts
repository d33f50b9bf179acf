/** The API key of this tab. */

const KEY = "mlops.key";

export const session = {
  get key(): string | null {
    return sessionStorage.getItem(KEY);
  },
  /** Kept for this tab only, and gone when it is closed. */
  set key(value: string | null) {
    if (value) sessionStorage.setItem(KEY, value);
    else sessionStorage.removeItem(KEY);
  },
};
