/** Signed in or not. */

import { useCallback, useState } from "preact/hooks";
import { Frame } from "./frame";
import { session } from "./session";
import { SignIn } from "./sign-in";

export function App() {
  const [signedIn, setSignedIn] = useState(session.key !== null);
  const [message, setMessage] = useState("");
  const signOut = useCallback((why = "") => {
    session.key = null;
    setMessage(why);
    setSignedIn(false);
  }, []);
  if (signedIn) return <Frame signOut={signOut} />;
  const enter = (key: string) => {
    session.key = key;
    setSignedIn(true);
  };
  return <SignIn message={message} onKey={enter} />;
}
