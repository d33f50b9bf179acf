/** A modal dialog: the focus stays within it, Escape closes it, and then the focus goes back where it was. */

import { type ComponentChildren, createContext, type TargetedKeyboardEvent } from "preact";
import { useContext, useEffect, useRef } from "preact/hooks";

const CloseContext = createContext<() => void>(() => {});

/** Closes the dialog that the component is in. */
export const useClose = (): (() => void) => useContext(CloseContext);

const FOCUSABLE = ":is(button, input, select, textarea):not(:disabled, [tabindex='-1']), a[href]";

/** After the last control comes the first one. Browsers go on to their own buttons, where the page sees no Escape. */
function goRound(event: TargetedKeyboardEvent<HTMLDialogElement>) {
  if (event.key !== "Tab") return;
  const controls = event.currentTarget.querySelectorAll<HTMLElement>(FOCUSABLE);
  const [first, last] = [controls[0], controls[controls.length - 1]];
  if (document.activeElement !== (event.shiftKey ? first : last)) return;
  event.preventDefault();
  (event.shiftKey ? last : first)?.focus();
}

interface Properties {
  label: string;
  onClosed: () => void;
  children: ComponentChildren;
}

export function Dialog({ label, onClosed, children }: Properties) {
  const dialog = useRef<HTMLDialogElement>(null);
  const close = useRef(() => dialog.current?.close());
  useEffect(() => {
    const opener = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
  return (
    <dialog ref={dialog} aria-label={label} onClose={onClosed} onKeyDown={goRound}>
      <CloseContext.Provider value={close.current}>{children}</CloseContext.Provider>
    </dialog>
  );
}

interface ActsProperties {
  /** What the form does; null if there is nothing left to do. */
  verb: string | null;
  busy?: boolean;
  /** What closes the dialog. */
  leave?: string;
}

/** The last line of a dialog's form: leave it, or do what it is for. */
export function Acts({ verb, busy = false, leave = "Cancel" }: ActsProperties) {
  const close = useClose();
  return (
    <div class="acts">
      <button class="button plain" type="button" onClick={close}>
        {leave}
      </button>
      {verb === null ? null : (
        <button class="button primary" type="submit" disabled={busy}>
          {verb}
        </button>
      )}
    </div>
  );
}
