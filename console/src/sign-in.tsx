import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "./api";
import { Brand } from "./brand";
import { Problem } from "./components/basics";
import { Field } from "./components/controls";
import { ApiError } from "./http";
import { reason } from "./problems";
import type { Me } from "./schema";

interface Properties {
  /** Why one has to sign in again, or nothing. */
  message: string;
  /** Called with a key that the API knows, and what it may do. */
  onKey: (key: string, me: Me) => void;
}

export function SignIn({ message, onKey }: Properties) {
  const [problem, setProblem] = useState(message);
  const [busy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    document.title = "Sign in · mlops";
    input.current?.focus();
  }, []);
  const submit = async (event: Event) => {
    event.preventDefault();
    const key = input.current?.value.trim() ?? "";
    setBusy(true);
    setProblem("");
    try {
      onKey(key, await api.me({ key }));
    } catch (error) {
      const unknown = error instanceof ApiError && error.signedOut;
      setProblem(unknown ? "This key is not known. Check it, or ask an operator for one." : reason(error));
      setBusy(false);
      input.current?.focus();
    }
  };
  return (
    <main class="sign-in" id="main" tabIndex={-1}>
      <section class="card">
        <Brand />
        <h1>Sign in</h1>
        <Problem text={problem} />
        <form onSubmit={submit}>
          <Field
            label="API key"
            hint="Kept for this tab only. For a local stack, the key is in .local/env. Elsewhere, ask an operator."
          >
            <input ref={input} type="password" autocomplete="off" required spellcheck={false} />
          </Field>
          <button class="button primary" type="submit" disabled={busy}>
            Open the console
          </button>
        </form>
      </section>
    </main>
  );
}
