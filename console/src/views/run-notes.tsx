/** What people say about a run: a note and tags, which MLflow shows too. */

import { useRef, useState } from "preact/hooks";
import { may, refused, useMe } from "../access";
import { announce } from "../announce";
import * as api from "../api";
import { Notice, Problem } from "../components/basics";
import { Button } from "../components/controls";
import { Markdown } from "../components/markdown";
import { reason } from "../problems";
import type { RunDetail } from "../schema";

export const NOTE = "mlflow.note.content";
const CARD_MARK = "<!-- model card -->";
const OF_PROGRAMS = ["mlflow.", "mlops."];

interface Properties {
  run: RunDetail;
  /** Called with all tags of the run, once they are changed. */
  onChanged: (tags: Record<string, string>) => void;
}

export function RunNotes({ run, onChanged }: Properties) {
  const me = useMe();
  const [editing, setEditing] = useState(false);
  const [problem, setProblem] = useState("");
  const note = useRef<HTMLTextAreaElement>(null);
  const [name, value] = [useRef<HTMLInputElement>(null), useRef<HTMLInputElement>(null)];
  const save = async (change: Record<string, unknown>) => {
    try {
      const { tags } = await api.editRun(run.experiment_name, run.run_id, change);
      setProblem("");
      announce("Saved");
      onChanged(tags);
      return true;
    } catch (error) {
      setProblem(reason(error));
      return false;
    }
  };
  const saveNote = async (event: Event) => {
    event.preventDefault();
    if (await save({ note: note.current?.value ?? "" })) setEditing(false);
  };
  const addTag = async (event: Event) => {
    event.preventDefault();
    const [tag, text] = [name.current?.value.trim() ?? "", value.current?.value.trim() ?? ""];
    if (!tag || !(await save({ tags: { [tag]: text } }))) return;
    for (const field of [name, value]) if (field.current) field.current.value = "";
  };
  const text = noteOf(run.tags);
  const editor = may(me, "train");
  return (
    <section class="stack" aria-label="Note and tags">
      <div class="row-tools">
        <h3>Note and tags</h3>
        {editor && !editing ? (
          <Button class="button small" onClick={() => setEditing(true)}>
            {text ? "Edit the note" : "Write a note"}
          </Button>
        ) : null}
      </div>
      <Problem text={problem} />
      {editing ? (
        <form
          class="stack"
          onSubmit={saveNote}
          onKeyDown={(event) => {
            if (event.key !== "Escape") return;
            // It leaves the note, and not the run.
            event.stopPropagation();
            setEditing(false);
          }}
        >
          <textarea ref={note} aria-label="Note, in Markdown" maxLength={5000} rows={5} defaultValue={text} />
          <div class="row-tools">
            <button class="button primary" type="submit">
              Save
            </button>
            <Button class="button plain" onClick={() => setEditing(false)}>
              Cancel
            </Button>
          </div>
        </form>
      ) : text ? (
        <Markdown text={text} />
      ) : null}
      <ul class="tags" aria-label="Tags">
        {ownTags(run.tags).map(([tag, value]) => (
          <li key={tag}>
            <span class="tag plain">{value ? `${tag}: ${value}` : tag}</span>
            {editor ? (
              <button
                class="button small plain"
                type="button"
                aria-label={`Remove the tag ${tag}`}
                onClick={() => void save({ tags: { [tag]: null } })}
              >
                ✕
              </button>
            ) : null}
          </li>
        ))}
      </ul>
      {editor ? (
        <form class="row-tools" onSubmit={addTag}>
          <input ref={name} class="short" aria-label="Name of a tag" placeholder="Tag" maxLength={250} required />
          <input ref={value} class="short" aria-label="Value of the tag" placeholder="Value" maxLength={5000} />
          <button class="button small" type="submit">
            Add the tag
          </button>
        </form>
      ) : (
        <Notice>{refused(me, "train", "To change the note or tags")}</Notice>
      )}
    </section>
  );
}

/** What people have written. MLflow is shown the model card until they do; the run's page has that anyway. */
export function noteOf(tags: Record<string, string>): string {
  const note = tags[NOTE] ?? "";
  return note.startsWith(CARD_MARK) ? "" : note;
}

/** The tags that people set, by name; the others are those of MLflow and of the platform. */
export const ownTags = (tags: Record<string, string>): [string, string][] =>
  Object.entries(tags)
    .filter(([name]) => !OF_PROGRAMS.some((beginning) => name.startsWith(beginning)))
    .sort(([a], [b]) => a.localeCompare(b, "en"));

export const programTags = (tags: Record<string, string>): [string, string][] =>
  Object.entries(tags)
    .filter(([name]) => name !== NOTE && OF_PROGRAMS.some((beginning) => name.startsWith(beginning)))
    .sort(([a], [b]) => a.localeCompare(b, "en"));
