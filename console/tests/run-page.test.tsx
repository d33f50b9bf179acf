import { render } from "preact";
import { expect, it } from "vitest";
import { blocksOf, Markdown } from "../src/components/markdown";
import type { RunDetail, UsedDataset } from "../src/schema";
import { hasText } from "../src/views/data";
import type { Version } from "../src/views/lifecycle";
import { stepsOf } from "../src/views/lineage";
import { shownFiles, sizeText, textOf, titleOf } from "../src/views/run-files";
import { classFigures, mlflowAddress } from "../src/views/run-in-full";
import { NOTE, noteOf, ownTags, programTags } from "../src/views/run-notes";

const shown = (text: string): HTMLElement => {
  const place = document.createElement("div");
  render(<Markdown text={text} />, place);
  return place;
};

it("a card's headings, lists, tables and code are shown as such", () => {
  const text =
    "# churn\n\nA **model** with `id`.\nSecond line.\n\n- one\n- two\n\n| a | b |\n| --- | --- |\n| 1 | x\\|y |\n\n```\n# no heading\n```";
  expect(blocksOf(text).map(({ kind }) => kind)).toEqual(["heading", "text", "list", "table", "code"]);
  const place = shown(text);
  expect(place.querySelector("h4")?.textContent).toBe("churn");
  expect(place.querySelector("p")?.textContent).toBe("A model with id. Second line.");
  expect(place.querySelector("b")?.textContent).toBe("model");
  expect([...place.querySelectorAll("li")].map((item) => item.textContent)).toEqual(["one", "two"]);
  expect([...place.querySelectorAll("td")].map((cell) => cell.textContent)).toEqual(["1", "x|y"]);
  expect(place.querySelector("pre")?.textContent).toBe("# no heading");
});

it("HTML in a note is text", () => {
  const place = shown("<img src=x onerror=alert(1)> and <b>bold</b>");
  expect(place.querySelector("img, b")).toBeNull();
  expect(place.textContent).toBe("<img src=x onerror=alert(1)> and <b>bold</b>");
});

it("pictures and the card are shown if they are small enough for an answer", () => {
  const artifacts = [
    { path: "confusion.png", size: 30_000 },
    { path: "plots/roc curve.SVG", size: 10 },
    { path: "huge.png", size: 2_000_001 },
    { path: "model_card.md", size: 2_000 },
    { path: "model/model.onnx", size: 9 },
  ];
  expect(shownFiles({ artifacts })).toEqual({ pictures: ["confusion.png", "plots/roc curve.SVG"], card: true });
  expect(shownFiles({ artifacts: [] })).toEqual({ pictures: [], card: false });
  expect(["confusion.png", "plots/precision_recall.png"].map(titleOf)).toEqual(["Confusion", "Precision recall"]);
  expect([0, 999, 4_200_000, 7.3e9].map(sizeText)).toEqual(["0 B", "999 B", "4.2 MB", "7.3 GB"]);
  expect(textOf({ content: "Z3LDtsOfZQ==" })).toBe("größe");
});

it("tags of people are apart from those of programs, and the note is no tag", () => {
  const tags = { [NOTE]: "text", "mlflow.user": "ann", "mlops.job_id": "job_000001", team: "b", alpha: "" };
  expect(ownTags(tags)).toEqual([
    ["alpha", ""],
    ["team", "b"],
  ]);
  expect(programTags(tags).map(([name]) => name)).toEqual(["mlflow.user", "mlops.job_id"]);
});

const version: Version = {
  version: 3,
  stage: "Production",
  run_id: "0123456789",
  experiment_name: "churn",
  metrics: {},
  sha256: null,
  created_at: "2026-01-01T00:00:00Z",
};
const run = {
  run_name: "brave",
  tags: { "mlops.job_id": "job_000007" },
  datasets: [{ name: "s3://b/datasets/a.csv", digest: "abc", context: "training" }],
} as unknown as RunDetail;

const links = (...asked: Parameters<typeof stepsOf>): (string | null)[] => {
  const place = document.createElement("div");
  const steps = stepsOf(...asked).map(({ name, content }) => <p key={name}>{content}</p>);
  render(steps, place);
  return [...place.querySelectorAll("p")].map(
    (step) => step.querySelector("a")?.getAttribute("href") ?? step.textContent,
  );
};

it("a version's lineage leads from its data to its predictions", () => {
  expect(links("wine", version, run)).toEqual([
    "#/data?search=abc",
    "#/jobs?job=job_000007",
    "#/runs?experiment=churn&run=0123456789",
    "wine version 3",
    "#/watching?model=wine",
  ]);
});

it("what is not known of a lineage says so", () => {
  const foreign = { ...version, experiment_name: null, stage: "Archived" } as Version;
  expect(links("wine", foreign, null)).toEqual([
    "not known",
    "not known",
    "01234567",
    "wine version 3",
    "none: it is Archived",
  ]);
});

it("links to MLflow's page of the run", () => {
  const ids = { experiment_id: "7", run_id: "abc" };
  expect(mlflowAddress("http://127.0.0.1:5000/", ids)).toBe(
    "http://127.0.0.1:5000/#/experiments/7/runs/abc?workflowType=machine_learning",
  );
});

it("data sets are found by name, content and experiment", () => {
  const dataset: UsedDataset = {
    name: "s3://b/Customers.csv",
    digest: "abc",
    runs: 1,
    last_used_at: null,
    experiments: ["churn"],
    latest_runs: [],
  };
  expect(["customers", "ABC", " churn ", ""].map((text) => hasText(dataset, text))).toEqual([true, true, true, true]);
  expect(hasText(dataset, "wine")).toBe(false);
});

it("a note that is the model card is nobody's note", () => {
  expect(noteOf({ [NOTE]: "<!-- model card -->\n# churn" })).toBe("");
  expect(noteOf({ [NOTE]: "good" })).toBe("good");
  expect(noteOf({})).toBe("");
});

it("metrics of classes have the labels, where the run says them, also of earlier versions", () => {
  const metrics = { loss: 1, "class/0/precision": 0.5, "class/1/recall": 0.25, recall_1: 0.75 };
  const known = classFigures({ metrics, tags: { "mlops.labels": '["no", "yes"]' } });
  expect(known).toEqual([
    ["precision of no", "0.5"],
    ["recall of yes", "0.25"],
    ["recall of yes", "0.75"],
  ]);
  for (const tags of [{}, { "mlops.labels": "{" }, { "mlops.labels": "{}" }])
    expect(classFigures({ metrics, tags }).map(([name]) => name)).toContain("precision of class 0");
});
