/** A modal dialog: Escape closes it, and the focus goes back where it was. */

import { type ComponentChildren, createContext } from "preact";
import { useContext, useEffect, useRef } from "preact/hooks";

const CloseContext = createContext<() => void>(() => {});

/** Closes the dialog that the component is in. */
export const useClose = (): (() => void) => useContext(CloseContext);

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
    <dialog ref={dialog} aria-label={label} onClose={onClosed}>
      <CloseContext.Provider value={close.current}>{children}</CloseContext.Provider>
    </dialog>
  );
}
