/** What opens beside or above a list, about one of its entries. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Properties {
  /** The name of the region. */
  label: string;
  title: string;
  /** Of its heading too, which may be an id. */
  mono?: boolean;
  /** Of the section, besides "card". */
  class?: string;
  tools?: ComponentChildren;
  /** The name of the button that closes it. */
  closing: string;
  onClose: () => void;
  children: ComponentChildren;
}

/**
 * It has the focus, because it may have opened out of sight. Escape and its button close it, and then the focus goes
 * back where it was.
 */
export function Detail({ label, title, mono = false, tools, closing, onClose, children, ...more }: Properties) {
  const section = useRef<HTMLElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    const [opener, opened] = [document.activeElement, section.current];
    heading.current?.focus();
    return () => {
      // Whoever has gone elsewhere meanwhile stays there. What is removed gives the focus to the body.
      const now = document.activeElement;
      if (now !== document.body && !opened?.contains(now)) return;
      const back = opener !== document.body && opener?.isConnected ? opener : document.getElementById("main");
      if (back instanceof HTMLElement) back.focus();
    };
  }, []);
  const pressed = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    onClose();
  };
  return (
    <section ref={section} class={more.class ? `card ${more.class}` : "card"} aria-label={label} onKeyDown={pressed}>
      <header>
        <h2 ref={heading} tabIndex={-1} class={mono ? "mono" : ""}>
          {title}
        </h2>
        <div class="tools">
          {tools}
          <button class="button small plain" type="button" aria-label={closing} onClick={onClose}>
            ✕
          </button>
        </div>
      </header>
      {children}
    </section>
  );
}
