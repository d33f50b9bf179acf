import { useMemo } from "preact/hooks";
import { Headings, Scroll } from "../../components/basics";
import { number, percent } from "../../format";
import type { Table } from "./csv";
import type { Answer } from "./index";

/** Rows that are shown; the download has all of them. */
const SHOWN = 200;

/** The first rows that are answered: the answer first, then the cells as the file has them. */
export function AnswerTable({ table, answers }: { table: Table; answers: Answer[] }) {
  const shown = Math.min(SHOWN, answers.length);
  // It is not made again with each part of the rows that are not shown.
  const content = useMemo(() => {
    const sure = answers[0]?.[1] !== undefined;
    return (
      <table>
        <thead>
          <tr>
            <Headings text={["Line", "Prediction"]} numbers={sure ? ["Confidence"] : []} />
            {table.header.map((name, place) => (
              <th key={`${place} ${name}`} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {answers.slice(0, shown).map(([prediction, confidence], index) => (
            <tr key={table.lines[index]}>
              <th scope="row">{table.lines[index]}</th>
              <td>
                <b>{typeof prediction === "number" ? number(prediction) : prediction}</b>
              </td>
              {sure ? <td class="number">{percent(confidence)}</td> : null}
              {table.rows[index]?.map((cell, place) => (
                <td key={`${place} ${table.header[place]}`} class="long" title={cell}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    );
  }, [table, shown]);
  return (
    <>
      <Scroll label="Table of answers">{content}</Scroll>
      {table.rows.length > SHOWN ? <p class="faint">{`The first ${shown} rows; the download has all.`}</p> : null}
    </>
  );
}
