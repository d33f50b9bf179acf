/** Signing in with the one-time token of the address. */

import { useEffect } from "preact/hooks";
import * as api from "./api";
import { Brand } from "./brand";
import { Loading } from "./components/basics";
import { keyOf, type OneTime } from "./one-time";
import { reason } from "./problems";
import type { Me } from "./schema";

interface Properties {
  oneTime: OneTime;
  onKey: (key: string, me: Me) => void;
  /** Called with the reason, in words. */
  onFailed: (why: string) => void;
}

export function Arriving({ oneTime, onKey, onFailed }: Properties) {
  useEffect(() => {
    document.title = "Signing in · mlops";
    keyOf(oneTime)
      .then(async (key) => onKey(key, await api.me({ key, attempts: 3 })))
      .catch((error: unknown) => onFailed(reason(error)));
  }, [oneTime]);
  return (
    <main class="sign-in" id="main" tabIndex={-1}>
      <section class="card">
        <Brand />
        <h1>Signing in</h1>
        <Loading />
      </section>
    </main>
  );
}
