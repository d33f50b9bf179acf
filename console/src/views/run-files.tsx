/** The files of a run: its pictures, its model card, and all of them to download. */

import { useState } from "preact/hooks";
import * as api from "../api";
import { Headings, Loading, Scroll } from "../components/basics";
import { Markdown } from "../components/markdown";
import { capitalised, words } from "../format";
import { useLoaded } from "../polling";
import { useProblems } from "../problems";
import type { ArtifactContent, RunDetail } from "../schema";

const CARD = "model_card.md";
const PICTURE = /\.(png|jpe?g|gif|webp|svg)$/i;
/** Larger ones are downloaded only: an answer of the API has at most 2 MB. */
const MOST_BYTES = 2_000_000;
const MOST_PICTURES = 12;

type Run = Pick<RunDetail, "experiment_name" | "run_id" | "artifacts">;

/** The pictures that are shown, and whether the run has a card. */
export function shownFiles({ artifacts }: Pick<RunDetail, "artifacts">): { pictures: string[]; card: boolean } {
  const small = artifacts.filter(({ size }) => size <= MOST_BYTES).map(({ path }) => path);
  return { pictures: small.filter((path) => PICTURE.test(path)).slice(0, MOST_PICTURES), card: small.includes(CARD) };
}

/** "Confusion" of "plots/confusion.png" */
export const titleOf = (path: string): string =>
  capitalised(words((path.split("/").at(-1) ?? path).replace(/\.[^.]*$/, "")));

export function RunFiles({ run }: { run: Run }) {
  const { pictures, card } = shownFiles(run);
  return (
    <>
      {pictures.length ? (
        <Opening title={`Pictures (${pictures.length})`}>
          <div class="pictures">
            {pictures.map((path) => (
              <Picture key={path} run={run} path={path} />
            ))}
          </div>
        </Opening>
      ) : null}
      {card ? (
        <Opening title="Model card">
          <ModelCard run={run} />
        </Opening>
      ) : null}
      {run.artifacts.length ? <Files run={run} /> : null}
    </>
  );
}

/** Its content is asked for once it is opened. */
function Opening({ title, children }: { title: string; children: preact.ComponentChildren }) {
  const [opened, setOpened] = useState(false);
  return (
    <details open={opened} onToggle={(event) => setOpened(event.currentTarget.open)}>
      <summary>{title}</summary>
      {opened ? children : null}
    </details>
  );
}

function Picture({ run, path }: { run: Run; path: string }) {
  const file = useLoaded((signal) => api.artifactContent(run.experiment_name, run.run_id, path, { signal }));
  return (
    <figure>
      {file ? <img src={`data:${file.media_type};base64,${file.content}`} alt={titleOf(path)} /> : <Loading />}
      <figcaption>{titleOf(path)}</figcaption>
    </figure>
  );
}

function ModelCard({ run }: { run: Run }) {
  const file = useLoaded((signal) => api.artifactContent(run.experiment_name, run.run_id, CARD, { signal }));
  return file ? <Markdown text={textOf(file)} /> : <Loading />;
}

export const textOf = ({ content }: Pick<ArtifactContent, "content">): string =>
  new TextDecoder().decode(Uint8Array.from(atob(content), (character) => character.charCodeAt(0)));

const Files = ({ run }: { run: Run }) => (
  <Scroll label="Table of artifacts">
    <table>
      <thead>
        <tr>
          <Headings text={["File"]} numbers={["Size"]} />
          <Headings text={["Download"]} />
        </tr>
      </thead>
      <tbody>
        {run.artifacts.map(({ path, size }) => (
          <tr key={path}>
            <th scope="row" class="long" title={path}>
              {path}
            </th>
            <td class="number">{sizeText(size)}</td>
            <td>
              <Download run={run} path={path} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </Scroll>
);

/** "240 kB" */
export function sizeText(bytes: number): string {
  let size = bytes;
  for (const unit of ["B", "kB", "MB"]) {
    if (size < 1000) return `${Number(size.toPrecision(3))} ${unit}`;
    size /= 1000;
  }
  return `${Number(size.toPrecision(3))} GB`;
}

/** The address holds for an hour, so it is asked for when somebody wants the file. */
function Download({ run, path }: { run: Run; path: string }) {
  const { attempt } = useProblems();
  const download = () =>
    attempt(async () => {
      const { artifacts } = await api.artifactAddresses(run.experiment_name, run.run_id, path);
      const file = artifacts.find((each) => each.path === path);
      if (!file) throw new Error(`The file ${path} is not there any more.`);
      const link = document.createElement("a");
      link.href = file.url;
      // A visit in a tab of its own: the page cannot read what comes, and the bucket need not know it.
      link.target = "_blank";
      link.rel = "noopener noreferrer";
      link.click();
    });
  return (
    <button class="link" type="button" aria-label={`Download ${path}`} onClick={() => void download()}>
      Download
    </button>
  );
}
