/** The rows of a CSV file, dropped or chosen, and what the model answers to each. */

import { useContext, useEffect, useRef, useState } from "preact/hooks";
import { announce } from "../../announce";
import * as api from "../../api";
import { Card, Problem } from "../../components/basics";
import { Button } from "../../components/controls";
import { OpenFile } from "../../components/open-file";
import { ApiError, isAbort } from "../../http";
import { ProblemsContext } from "../../problems";
import type { ContractColumn, ModelContract } from "../../schema";
import { AnswerTable } from "./answer-table";
import { readTable, type Table, TO_PREDICT, withColumns } from "./csv";
import { ADDED, listed, placeOf, refusal, rowsOf, unknownColumns } from "./file-rows";

/** Rows of a request. */
const PART = 100;

/** What stands beside a row: the prediction, and the confidence of a classification. */
export type Answer = [prediction: string | number, confidence?: number];

/** A file, with the contract by which it was read: another version may come to serve meanwhile. */
interface Chosen {
  name: string;
  table: Table;
  contract: ModelContract;
  columns: ContractColumn[];
}

interface Asked {
  answers: Answer[];
  warnings: string[];
}

const NOTHING: Asked = { answers: [], warnings: [] };

export function RowsOfFile({ contract, columns }: { contract: ModelContract; columns: ContractColumn[] }) {
  const [file, setFile] = useState<Chosen>();
  const [leaves, setLeaves] = useState(false);
  const [asked, setAsked] = useState(NOTHING);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const { failed } = useContext(ProblemsContext);
  const end = useRef(new AbortController());
  useEffect(() => () => end.current.abort(), []);
  const stop = () => {
    end.current.abort();
    end.current = new AbortController();
    setBusy(false);
  };
  const open = async (found: File) => {
    stop();
    const mine = end.current;
    setFile(undefined);
    setAsked(NOTHING);
    setProblem("");
    setLeaves(false);
    try {
      const table = await readTable(found, TO_PREDICT);
      if (mine !== end.current) return;
      setFile({ name: found.name, table, contract, columns });
      announce(`${found.name}: ${rowsText(table.rows.length)}`);
    } catch (error) {
      setProblem(`${found.name}: ${(error as Error).message}`);
    }
  };
  const ask = async ({ table, contract, columns }: Chosen) => {
    const { signal } = end.current;
    let { answers, warnings } = asked;
    setProblem("");
    setBusy(true);
    try {
      const rows = rowsOf(table, columns, leaves ? unknownColumns(table, columns) : []);
      while (answers.length < rows.length) {
        const start = answers.length;
        const part = await api.predictRows(contract, rows.slice(start, start + PART), { signal });
        if (signal.aborted) return;
        const told = (part.warnings ?? []).map((warning) => placeOf(warning, table, start));
        answers = [...answers, ...part.predictions.map((each, place) => answerOf(each, part.confidences?.[place]))];
        warnings = [...new Set([...warnings, ...told])];
        setAsked({ answers, warnings });
      }
      announce(`${rowsText(rows.length)} are answered`);
    } catch (error) {
      if (isAbort(error)) return;
      if (error instanceof ApiError && error.signedOut) failed(error);
      setProblem(refusal(error, table, answers.length));
    }
    setBusy(false);
  };
  return (
    <Card title="Rows of a file">
      <OpenFile
        text="or drop one here. Its first line has the names of the columns."
        onFile={(found) => void open(found)}
      >
        {file ? (
          <Columns {...file} leaves={leaves} fixed={busy || asked.answers.length > 0} onLeaves={setLeaves} />
        ) : null}
        <Problem text={problem} />
        {file ? <Progress {...file} {...asked} {...{ busy, stop }} onAsk={() => void ask(file)} /> : null}
        {asked.warnings.length ? <p class="notice lines">{listed(asked.warnings)}</p> : null}
        {file && asked.answers.length ? <AnswerTable table={file.table} answers={asked.answers} /> : null}
      </OpenFile>
    </Card>
  );
}

const rowsText = (count: number): string => (count === 1 ? "1 row" : `${count.toLocaleString("en")} rows`);

const answerOf = (prediction: string | number, confidence: number | undefined): Answer =>
  confidence === undefined ? [prediction] : [prediction, confidence];

interface ColumnsProperties extends Chosen {
  leaves: boolean;
  /** Answers are there already, of rows that were sent so. */
  fixed: boolean;
  onLeaves: (leaves: boolean) => void;
}

/** The file in a sentence, and whether columns that the model does not have are left out. */
function Columns({ name, table, contract, columns, leaves, fixed, onLeaves }: ColumnsProperties) {
  const unknown = unknownColumns(table, columns);
  return (
    <>
      <p>{`${name}: ${rowsText(table.rows.length)}, for version ${contract.model_version}.`}</p>
      {unknown.length ? (
        <label class="check">
          <input
            type="checkbox"
            checked={leaves}
            disabled={fixed}
            onChange={(event) => onLeaves(event.currentTarget.checked)}
          />
          {`Leave out what the model does not have: ${unknown.join(", ")}`}
        </label>
      ) : null}
    </>
  );
}

interface ProgressProperties extends Chosen, Asked {
  busy: boolean;
  onAsk: () => void;
  stop: () => void;
}

function Progress({ name, table, answers, busy, onAsk, stop }: ProgressProperties) {
  const [all, done] = [table.rows.length, answers.length];
  const save = () => {
    const names = ADDED.slice(0, answers[0]?.length);
    saveAs(name.replace(/(\.[^.]*)?$/, "-answers.csv"), withColumns(table, names, answers));
  };
  return (
    <div class="row-tools">
      {done === all ? (
        <Button class="button primary" onClick={save}>
          Download all answers
        </Button>
      ) : busy ? (
        <Button class="button" onClick={stop}>
          Stop
        </Button>
      ) : (
        <Button class="button primary" onClick={onAsk}>
          {done ? `Go on with row ${(done + 1).toLocaleString("en")}` : "Predict all rows"}
        </Button>
      )}
      {busy || done ? <progress max={all} value={done} aria-label="Rows that are answered" /> : null}
      {busy || done ? <span class="faint">{`${done.toLocaleString("en")} of ${rowsText(all)}`}</span> : null}
    </div>
  );
}

function saveAs(name: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
