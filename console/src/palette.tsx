/** Ctrl-K: go to a view, a model or an experiment by typing a part of its name. */

import { useEffect, useId, useRef, useState } from "preact/hooks";
import { may, useMe } from "./access";
import * as api from "./api";
import { Dialog, useClose } from "./components/dialog";
import { linkTo } from "./routing";

/** Address and title. */
export type Place = [href: string, title: string];

const SHOWN = 12;

export function Palette({ views }: { views: Place[] }) {
  // The number of the opening, 0 while there is none: a dialog tells later that it was closed, and the next one may be
  // open by then.
  const [opening, setOpening] = useState(0);
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      if (!document.querySelector("dialog[open] .palette")) setOpening((last) => last + 1);
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
  return opening ? (
    <Dialog key={opening} label="Go to" onClosed={() => setOpening((last) => (last === opening ? 0 : last))}>
      <Chooser views={views} />
    </Dialog>
  ) : null;
}

function Chooser({ views }: { views: Place[] }) {
  const me = useMe();
  const [text, setText] = useState("");
  const [more, setMore] = useState<Place[]>([]);
  const [at, setAt] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  const list = useId();
  const close = useClose();
  useEffect(() => {
    input.current?.focus();
    if (!may(me, "read")) return undefined;
    const end = new AbortController();
    // Without an answer the views are still there.
    void namedPlaces(end.signal).then(setMore, () => {});
    return () => end.abort();
  }, [me]);
  const found = matching([...views, ...more], text).slice(0, SHOWN);
  const go = (place: Place | undefined) => {
    if (!place) return;
    close();
    location.hash = place[0];
  };
  const pressed = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (!step) return;
    event.preventDefault();
    setAt((at + step + found.length) % (found.length || 1));
  };
  return (
    <form
      class="palette"
      onSubmit={(event) => {
        event.preventDefault();
        go(found[at]);
      }}
    >
      <input
        ref={input}
        role="combobox"
        aria-label="Go to a view, a model or an experiment"
        aria-expanded="true"
        aria-controls={list}
        aria-activedescendant={found.length ? `${list}-${at}` : undefined}
        placeholder="View, model or experiment"
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={pressed}
      />
      <div id={list} role="listbox" aria-label="Places">
        {found.map((place, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the field above
          <div
            key={place[0]}
            id={`${list}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            onClick={() => go(place)}
          >
            {place[1]}
          </div>
        ))}
      </div>
      {found.length ? null : <p class="quiet">Nothing has this in its name.</p>}
    </form>
  );
}

async function namedPlaces(signal: AbortSignal): Promise<Place[]> {
  const { models } = await api.models({ signal });
  const { experiments } = await api.experiments({ signal });
  return [
    ...models.map(({ name }): Place => [linkTo("models", { model: name }), `Model ${name}`]),
    ...experiments.map(({ name }): Place => [linkTo("runs", { experiment: name }), `Experiment ${name}`]),
  ];
}

/** The places whose titles have each word. */
export function matching(places: Place[], text: string): Place[] {
  const words = text.toLowerCase().split(/\s+/);
  return places.filter(([, title]) => words.every((word) => title.toLowerCase().includes(word)));
}
