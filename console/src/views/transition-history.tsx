import { useState } from "preact/hooks";
import { Empty, Headings, Scroll, Tag } from "../components/basics";
import { Dialog, useClose } from "../components/dialog";
import { Gates } from "../components/gates";
import { ago } from "../format";
import type { Transition } from "../schema";

/** Who moved which version where, when and why. */
export function TransitionHistory({ transitions }: { transitions: Transition[] }) {
  const [opened, setOpened] = useState<Transition>();
  return (
    <section class="card" aria-label="History">
      <header>
        <h2>History</h2>
      </header>
      {transitions.length ? null : (
        <Empty title="No moves yet">Whoever moves a version is listed here, with the reason.</Empty>
      )}
      <Scroll label="Table of transitions">
        <table hidden={!transitions.length}>
          <thead>
            <tr>
              <Headings text={["When", "Version", "From", "To", "Outcome", "By", "Reason", "Gates"]} />
            </tr>
          </thead>
          <tbody>
            {transitions.map((transition) => (
              <tr key={transition.transition_id}>
                <td class="faint">{ago(transition.created_at)}</td>
                <th scope="row">{transition.version}</th>
                <td>{transition.from_stage ?? ""}</td>
                <td>{transition.stage}</td>
                <td>
                  <Tag status={transition.status} />
                </td>
                <td>{transition.actor}</td>
                <td class="wrap">{transition.reason ?? transition.error ?? ""}</td>
                <td>
                  {transition.gates.length ? (
                    <button class="link" type="button" onClick={() => setOpened(transition)}>
                      {outcome(transition)}
                    </button>
                  ) : null}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {opened ? (
        <Dialog label="Gate results" onClosed={() => setOpened(undefined)}>
          <GateResults transition={opened} />
        </Dialog>
      ) : null}
    </section>
  );
}

function outcome({ gates }: Transition): string {
  const failed = gates.filter(({ passed }) => !passed).length;
  return failed ? `${failed} failed` : `${gates.length} passed`;
}

function GateResults({ transition }: { transition: Transition }) {
  const close = useClose();
  return (
    <form method="dialog">
      <h2>{`Version ${transition.version} to ${transition.stage}`}</h2>
      <Gates gates={transition.gates} />
      <div class="acts">
        <button class="button" type="button" onClick={close}>
          Close
        </button>
      </div>
    </form>
  );
}
