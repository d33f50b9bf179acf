/** Signed in or not. */

import { useCallback, useState } from "preact/hooks";
import { Frame } from "./frame";
import type { Me } from "./schema";
import { session } from "./session";
import { SignIn } from "./sign-in";

export function App() {
  const [signedIn, setSignedIn] = useState(session.key !== null);
  const [me, setMe] = useState<Me>();
  const [message, setMessage] = useState("");
  const signOut = useCallback((why = "") => {
    session.key = null;
    setMessage(why);
    setSignedIn(false);
  }, []);
  if (signedIn) return <Frame known={me} signOut={signOut} />;
  const enter = (key: string, me: Me) => {
    session.key = key;
    setMe(me);
    setSignedIn(true);
  };
  return <SignIn message={message} onKey={enter} />;
}
