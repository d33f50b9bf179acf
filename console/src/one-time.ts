/** What `mlops console` puts into the address, with which the console takes over the key that it was asked with. */

import * as api from "./api";
import { session } from "./session";

const NAME = "once";

export interface OneTime {
  token: string;
  /** The half of the key that no server sees. */
  pad: string;
}

/**
 * Take it out of the address, before anything else is done with that. A tab that is signed in stays as it is, so that no
 * link can let somebody work with another key.
 */
export function takeOneTime(): OneTime | null {
  const [view = "", search = ""] = location.hash.split("?");
  const params = new URLSearchParams(search);
  const [token, pad] = (params.get(NAME) ?? "").split(".");
  if (!params.has(NAME)) return null;
  params.delete(NAME);
  history.replaceState(null, "", params.size ? `${view}?${params}` : view);
  return token && pad && session.key === null ? { token, pad } : null;
}

/** The key. Spends the token. Throws ApiError. */
export async function keyOf({ token, pad }: OneTime): Promise<string> {
  const { share } = await api.spendToken(token);
  const [ours, theirs] = [bytes(pad), bytes(share)];
  return new TextDecoder().decode(ours.map((each, index) => each ^ (theirs[index] ?? 0)));
}

const bytes = (text: string): Uint8Array =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
