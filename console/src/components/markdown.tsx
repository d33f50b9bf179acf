/**
 * Text in Markdown, as far as model cards and notes use it: headings, lists, tables, code and bold. All else, and any
 * HTML in it, is shown as the text that it is.
 */

import type { ComponentChildren } from "preact";
import { Scroll } from "./basics";

type Block =
  | { kind: "heading" | "text" | "code"; text: string }
  | { kind: "list"; items: string[] }
  | { kind: "table"; rows: string[][] };

export const Markdown = ({ text }: { text: string }) => (
  <div class="markdown stack close">
    {blocksOf(text).map((block, place) => (
      <Shown key={`${place} ${block.kind}`} block={block} />
    ))}
  </div>
);

function Shown({ block }: { block: Block }) {
  switch (block.kind) {
    case "heading":
      return <h4>{inline(block.text)}</h4>;
    case "code":
      return <pre>{block.text}</pre>;
    case "text":
      return <p>{inline(block.text)}</p>;
    case "list":
      return (
        <ul>
          {block.items.map((item) => (
            <li key={item}>{inline(item)}</li>
          ))}
        </ul>
      );
    case "table": {
      const [head = [], ...rows] = block.rows;
      return (
        <Scroll label={`Table of ${head[0]}`}>
          <table>
            <thead>
              <tr>
                {head.map((cell) => (
                  <th key={cell} scope="col">
                    {inline(cell)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((cells) => (
                <tr key={cells.join("|")}>
                  {cells.map((cell, place) => (
                    <td key={place}>{inline(cell)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      );
    }
  }
}

/** The blocks of a text, in order. */
export function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let fenced = false;
  for (const line of text.replaceAll("\r\n", "\n").split("\n")) {
    const last = blocks.at(-1);
    if (line.startsWith("```")) {
      fenced = !fenced;
      if (fenced) blocks.push({ kind: "code", text: "" });
    } else if (fenced && last?.kind === "code") last.text += last.text ? `\n${line}` : line;
    else if (/^#{1,6} /.test(line)) blocks.push({ kind: "heading", text: line.replace(/^#+ /, "") });
    else if (/^\s*[-*] /.test(line)) {
      const item = line.replace(/^\s*[-*] /, "");
      if (last?.kind === "list") last.items.push(item);
      else blocks.push({ kind: "list", items: [item] });
    } else if (/^\|.*\|$/.test(line)) {
      if (/^[|\s:-]+$/.test(line)) continue;
      const cells = line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim().replaceAll("\\|", "|"));
      if (last?.kind === "table") last.rows.push(cells);
      else blocks.push({ kind: "table", rows: [cells] });
    } else if (!line.trim()) blocks.push({ kind: "text", text: "" });
    else if (last?.kind === "text" && last.text) last.text += ` ${line}`;
    else blocks.push({ kind: "text", text: line });
  }
  return blocks.filter((block) => block.kind !== "text" || block.text);
}

/** A line with its code and what is bold. */
function inline(text: string): ComponentChildren {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part, place) => {
    // biome-ignore-start lint/suspicious/noArrayIndexKey: parts have no other name than their place
    if (/^`.+`$/.test(part)) return <code key={place}>{part.slice(1, -1)}</code>;
    if (/^\*\*.+\*\*$/.test(part)) return <b key={place}>{part.slice(2, -2)}</b>;
    // biome-ignore-end lint/suspicious/noArrayIndexKey: as above
    return part;
  });
}
