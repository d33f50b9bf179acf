/** A file on this machine as training would read it. Nothing is sent. */

import { useState } from "preact/hooks";
import { announce } from "../announce";
import { Card, Facts, Headings, Problem, Scroll } from "../components/basics";
import { Choice, type Option } from "../components/controls";
import { OpenFile } from "../components/open-file";
import { number, percent } from "../format";
import { quoted } from "../predicting/code";
import { readTable, type Table, TO_DESCRIBE } from "../predicting/file/csv";
import { type ColumnFound, described, LEAST_LEVEL_ROWS, proposals, usualTarget } from "./describe";

const SHOWN_LEVELS = 5;
const SHOWN_CLASSES = 20;

interface Found {
  name: string;
  table: Table;
  columns: ColumnFound[];
}

export function DescribedFile() {
  const [found, setFound] = useState<Found>();
  const [problem, setProblem] = useState("");
  const open = async (file: File) => {
    setFound(undefined);
    setProblem("");
    try {
      const table = await readTable(file, TO_DESCRIBE);
      setFound({ name: file.name, table, columns: described(table) });
      announce(`${file.name} is described`);
    } catch (error) {
      setProblem(`${file.name}: ${(error as Error).message}`);
    }
  };
  return (
    <Card title="Describe a file">
      <OpenFile text="or drop one here. It stays in this browser: nothing is sent." onFile={(file) => void open(file)}>
        <Problem text={problem} />
        {found ? <Description key={found.name} {...found} /> : null}
      </OpenFile>
    </Card>
  );
}

function Description({ name, table, columns }: Found) {
  const possible = proposals(columns);
  const usual = usualTarget(columns);
  const [chosen, setChosen] = useState((usual ?? possible[0])?.name ?? "");
  const target = columns.find((column) => column.name === chosen);
  const inputs = columns.filter((column) => column !== target);
  const used = inputs.filter(({ leftOut, problem }) => leftOut === null && problem === null);
  const leftOut = inputs.filter((column) => column.leftOut !== null);
  const problems = columns.filter(({ problem }) => problem !== null);
  return (
    <div class="stack">
      <p>{`${name}: ${number(table.rows.length)} rows, ${columns.length} columns.`}</p>
      {problems.length ? (
        <div class="banner lines">
          {`Training would refuse it.\n${problems.map(({ name, problem }) => `${name}: ${problem}`).join("\n")}`}
        </div>
      ) : null}
      {possible.length ? (
        <div class="row-tools">
          <Choice label="Column to predict" options={possible.map(optionOf)} chosen={chosen} onChoose={setChosen} />
          <span class="quiet">
            {usual
              ? "is what training takes by its name."
              : "is a proposal: no column has the name of a target, so name it."}
          </span>
        </div>
      ) : (
        <p class="notice">No column can be predicted: each is empty, has one value only, or says which row it is.</p>
      )}
      {target ? <p>{`${target.name}: ${valuesOf(target, SHOWN_CLASSES)}`}</p> : null}
      <ColumnTable columns={used} />
      {leftOut.length ? (
        <div>
          <h3>Left out</h3>
          <Facts of={leftOut.map((column): [string, string] => [column.name, column.leftOut ?? ""])} />
        </div>
      ) : null}
      {used.some(({ notes }) => notes.length) ? (
        <p class="notice lines">
          {used.flatMap((column) => column.notes.map((note) => `${column.name}: ${note}.`)).join("\n")}
        </p>
      ) : null}
      {target ? <Next name={name} target={target} usual={target === usual} /> : null}
    </div>
  );
}

const optionOf = ({ name, target }: ColumnFound): Option => [name, `${name} (${target.task}, ${target.what})`];

const ColumnTable = ({ columns }: { columns: ColumnFound[] }) => (
  <Scroll label="Table of columns">
    <table>
      <thead>
        <tr>
          <Headings text={["Column", "Type"]} numbers={["Missing"]} />
          <Headings text={["Values"]} />
        </tr>
      </thead>
      <tbody>
        {columns.map((column) => (
          <tr key={column.name}>
            <th scope="row" class="long" title={column.name}>
              {column.name}
            </th>
            <td>{column.kind}</td>
            <td class="number">{column.missing ? percent(column.missing) : ""}</td>
            <td class="wrap">{valuesOf(column, SHOWN_LEVELS)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </Scroll>
);

/** "3 values: nurse (720), baker (360), pilot (120)", or "1.5 to 98.2, median 40" */
export function valuesOf({ kind, levels, range, target }: ColumnFound, most: number): string {
  if (range) {
    const [low, median, high] = [range.low, range.median, range.high].map(kind === "datetime" ? day : number);
    return `${low} to ${high}, median ${median}`;
  }
  if (!levels.length) return target.what;
  const frequent = kind === "category" ? levels.filter(([, rows]) => rows >= LEAST_LEVEL_ROWS) : levels;
  const rare = levels.slice(frequent.length).reduce((sum, [, rows]) => sum + rows, 0);
  const shown = frequent.slice(0, most).map(([value, rows]) => `${value} (${number(rows)})`);
  const more = frequent.length > most ? ", …" : "";
  return (
    `${number(levels.length)} values: ${shown.join(", ")}${more}` +
    (rare ? `; rare values in ${number(rare)} rows` : "")
  );
}

const day = (moment: number): string => new Date(moment).toISOString().slice(0, 10);

function Next({ name, target, usual }: { name: string; target: ColumnFound; usual: boolean }) {
  const train = `mlops train --dataset s3://… ${usual ? "" : `--target ${quoted(target.name)} `}--watch`;
  return (
    <div class="stack close">
      <p class="quiet">
        Training reads it from S3, where an operator puts it. Which rows train and which measure the model is said by{" "}
        <code>mlops data describe</code>.
      </p>
      <section class="logs" aria-label="Commands that train on it">
        <pre>{`mlops data describe ${quoted(name)}${usual ? "" : ` --target ${quoted(target.name)}`}\nmlops upload ${quoted(name)}\n${train}`}</pre>
      </section>
    </div>
  );
}
