/** Ask the versions that serve a model: a form, a drawing or a list of numbers, by the model's contract. */

import { useCallback, useMemo, useState } from "preact/hooks";
import { may, refused, useMe } from "../access";
import * as api from "../api";
import { Card, Empty, Loading, PageHead } from "../components/basics";
import { ModelChoice, UnknownModel, useModel } from "../components/model-choice";
import { StartRun } from "../components/start-run";
import { Drawing } from "../drawing/drawing";
import { SIDE } from "../drawing/frames";
import { usePolling } from "../polling";
import { CopyCode, codeOf } from "../predicting/code";
import { RowsOfFile } from "../predicting/lazy-file";
import { NumbersForm } from "../predicting/numbers-form";
import { RowForm } from "../predicting/row-form";
import type { Row } from "../predicting/rows";
import { StageAnswer } from "../predicting/stage-answer";
import { linkTo } from "../routing";
import type { ModelContract, PredictRequest } from "../schema";

const INTERVAL = 5000;

interface Contracts {
  model: string;
  Production: ModelContract | null;
  Staging: ModelContract | null;
}

export function Predict({ params }: { params: URLSearchParams }) {
  const me = useMe();
  const chosen = useModel(params);
  const { model, names, unknown } = chosen;
  const [seen, setSeen] = useState<Contracts>();
  usePolling(
    async (signal) => {
      if (!model) return false;
      // Who may read is told the versions first, and asks for no contract that is not there.
      const serving = may(me, "read") ? await api.serving(model, { signal }) : undefined;
      const known = seen?.model === model ? seen : undefined;
      const of = (stage: api.Stage) => contractOf(model, stage, serving?.[stage], known?.[stage], signal);
      const found = { model, Production: await of("Production"), Staging: await of("Staging") };
      setSeen((before) => (sameVersions(before, found) ? before : found));
      return undefined;
    },
    INTERVAL,
    [model],
  );
  const contracts = seen?.model === model ? seen : undefined;
  const contract = contracts?.Production ?? contracts?.Staging;
  return (
    <>
      <PageHead title="Predict" text="What the versions in Production and Staging answer, side by side.">
        <ModelChoice {...chosen} />
      </PageHead>
      {unknown ? (
        <UnknownModel {...chosen} />
      ) : names?.length === 0 && may(me, "read") ? (
        <Empty title="No models yet">
          One comes from a run, whose version is promoted under Models. <StartRun />
        </Empty>
      ) : names && !model ? (
        <Empty title="Which model?">{`This key is for ${me.models.join(", ")}: type the name of a model above.`}</Empty>
      ) : !contracts ? (
        <Loading />
      ) : !contract ? (
        <Empty title={`No version of ${model} serves yet`}>
          {refused(me, "train", "To promote one") ?? (
            <a href={linkTo("models", { model })}>Promote one to Staging or Production</a>
          )}
        </Empty>
      ) : (
        <div class="stack">
          <Asking key={`${model} ${contract.sha256}`} contract={contract} contracts={contracts} />
          {contract.columns ? <RowsOfFile key={model} contract={contract} columns={contract.columns} /> : null}
        </div>
      )}
    </>
  );
}

/** The contract of a stage, asked for where its version is not the known one; `version` is undefined if nobody says. */
async function contractOf(
  model: string,
  stage: api.Stage,
  version: number | null | undefined,
  known: ModelContract | null | undefined,
  signal: AbortSignal,
): Promise<ModelContract | null> {
  if (version === null) return null;
  return known && known.model_version === version ? known : api.contract(model, stage, { signal });
}

const sameVersions = (before: Contracts | undefined, now: Contracts): boolean =>
  before?.model === now.model &&
  before.Production?.sha256 === now.Production?.sha256 &&
  before.Staging?.sha256 === now.Staging?.sha256;

interface AskingProperties {
  /** The one that the form is built from: of the version in Production, if there is one. */
  contract: ModelContract;
  contracts: Contracts;
}

function Asking({ contract, contracts }: AskingProperties) {
  const { columns, input, model_name } = contract;
  if (columns) return <AskRows {...{ contract, contracts, columns }} />;
  const drawn = input?.image?.join() === `${SIDE},${SIDE}`;
  return drawn ? (
    <AskImages {...{ contracts }} model={model_name} framing={input?.framing ?? null} />
  ) : (
    <AskNumbers {...{ contracts }} model={model_name} count={input?.features ?? 0} />
  );
}

function AskRows({
  contract,
  contracts,
  columns,
}: AskingProperties & { columns: NonNullable<ModelContract["columns"]> }) {
  const model = contract.model_name;
  const example = contract.example.request.row as Row;
  const [row, setRow] = useState<Row>(example);
  const [asked, setAsked] = useState<Row>();
  const [explain, setExplain] = useState(false);
  const request = useMemo(() => (asked ? { row: asked, model_name: model } : null), [asked, model]);
  return (
    <div class="asking">
      <Card title={contract.target ? `A row, to predict ${contract.target}` : "A row"}>
        <RowForm {...{ columns, row, example }} onChange={setRow} onAsk={() => setAsked({ ...row })} />
      </Card>
      <div class="stack">
        <label class="check">
          <input type="checkbox" checked={explain} onChange={(event) => setExplain(event.currentTarget.checked)} />
          Explain what each column adds
        </label>
        <Answers {...{ contracts, request, explain }} hint="Fill in a row, then Predict." />
        <CopyCode code={codeOf(row, model, contract.model_stage)} />
      </div>
    </div>
  );
}

function AskImages({ contracts, model, framing }: { contracts: Contracts; model: string; framing: string | null }) {
  const [image, setImage] = useState<number[] | null>(null);
  const request = useMemo(() => (image ? { image, model_name: model } : null), [image, model]);
  return (
    <div class="drawing">
      <Drawing framing={framing} onImage={setImage} />
      <Answers {...{ contracts, request }} hint="Draw something." />
    </div>
  );
}

function AskNumbers({ contracts, model, count }: { contracts: Contracts; model: string; count: number }) {
  const [request, setRequest] = useState<PredictRequest | null>(null);
  const ask = useCallback((inputs: number[]) => setRequest({ inputs, model_name: model }), [model]);
  return (
    <div class="asking">
      <NumbersForm count={count} onAsk={ask} />
      <Answers {...{ contracts, request }} hint="Paste numbers, then Predict." />
    </div>
  );
}

interface AnswersProperties {
  contracts: Contracts;
  request: PredictRequest | null;
  explain?: boolean;
  hint: string;
}

const Answers = ({ contracts, ...asked }: AnswersProperties) => (
  <div class="halves">
    {(["Production", "Staging"] as const).map((stage) => (
      <StageAnswer key={stage} stage={stage} version={contracts[stage]?.model_version ?? null} {...asked} />
    ))}
  </div>
);
