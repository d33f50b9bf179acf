import { refused, useMe } from "../access";
import { linkTo } from "../routing";

/** Where there is no run yet: how one starts a first one, or who may. */
export function StartRun() {
  const no = refused(useMe(), "train", "To start one");
  if (no) return <>{no}</>;
  return (
    <>
      <a href={linkTo("jobs")}>Start one under Jobs</a>, or with <code>mlops train --watch</code>.
    </>
  );
}
