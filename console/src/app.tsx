/** Signed in or not. */

import { useCallback, useEffect, useState } from "preact/hooks";
import { Arriving } from "./arriving";
import { Frame } from "./frame";
import { takeOneTime } from "./one-time";
import type { Me } from "./schema";
import { session } from "./session";
import { SignIn } from "./sign-in";

export function App() {
  const [signedIn, setSignedIn] = useState(session.key !== null);
  const [me, setMe] = useState<Me>();
  const [message, setMessage] = useState("");
  const [arrived, setArrived] = useState(takeOneTime);
  useEffect(() => {
    const take = () => setArrived(takeOneTime());
    addEventListener("hashchange", take);
    return () => removeEventListener("hashchange", take);
  }, []);
  const signOut = useCallback((why = "") => {
    session.key = null;
    setMessage(why);
    setSignedIn(false);
  }, []);
  if (signedIn) return <Frame known={me} signOut={signOut} />;
  const enter = (key: string, me: Me) => {
    session.key = key;
    setMe(me);
    setArrived(null);
    setSignedIn(true);
  };
  const failed = (why: string) => {
    setMessage(why);
    setArrived(null);
  };
  if (arrived) return <Arriving oneTime={arrived} onKey={enter} onFailed={failed} />;
  return <SignIn message={message} onKey={enter} />;
}
