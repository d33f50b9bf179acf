/** How well each version predicts, by the labels that came back: now, and over time. */

import { BarChart, LineChart } from "../charts/lazy";
import { Card, Headings, Scroll, Tag } from "../components/basics";
import { metricText, number, percent, words } from "../format";
import type { Figure, PerformanceHistory, PerformanceStatus, VersionPerformance } from "../schema";

interface Properties {
  status: PerformanceStatus;
  history: PerformanceHistory | null;
}

export function Performance({ status, history }: Properties) {
  const { versions, waiting, unmatched } = status;
  const labelled = versions.filter(({ labels }) => labels > 0);
  const serving = versions.find(({ stage }) => stage === "Production") ?? versions[0];
  return (
    <Card title="Labels and live performance">
      <div class="stack">
        {serving ? (
          <p>
            <Tag status={serving.verdict.status} />
            {` Version ${serving.model_version}: ${serving.verdict.message}`}
          </p>
        ) : (
          <p class="quiet">No predictions are kept yet.</p>
        )}
        {waiting || unmatched ? (
          <p class="quiet">{`${number(waiting)} labels wait for their predictions, and ${number(unmatched)} had none.`}</p>
        ) : null}
        {versions.length ? <Versions versions={versions} /> : null}
        {labelled.length ? (
          <div class="halves">
            {history ? <OverTime history={history} /> : null}
            {labelled[0] ? <Calibrated version={labelled[0]} /> : null}
          </div>
        ) : (
          <p class="quiet">
            No labels yet. Send what came true with each answer's prediction_id: <code>mlops feedback</code> or{" "}
            <code>POST /feedback</code>.
          </p>
        )}
      </div>
    </Card>
  );
}

const Versions = ({ versions }: { versions: VersionPerformance[] }) => (
  <Scroll label="Table of live performance">
    <table>
      <thead>
        <tr>
          <Headings
            text={["Version"]}
            numbers={["Predictions", "Labels", "Live", "Held out", "Estimated without labels"]}
          />
          <Headings text={["Verdict"]} />
        </tr>
      </thead>
      <tbody>
        {versions.map((version) => {
          const live = liveOf(version);
          return (
            <tr key={version.model_version}>
              <th scope="row">
                {version.model_version}
                <div class="faint">{version.stage ?? ""}</div>
              </th>
              <td class="number">{number(version.predictions)}</td>
              <td class="number">
                {number(version.labels)}
                <div class="faint">{`of ${percent(version.coverage)}`}</div>
              </td>
              <td class="number">
                {live ? metricText(live.name, live.figure.value) : "–"}
                {live ? <div class="faint">{`${words(live.name)} ${rangeText(live.name, live.figure)}`}</div> : null}
              </td>
              <td class="number">{live ? metricText(live.name, version.held_out?.[live.name]) : ""}</td>
              <td class="number">{version.estimated ? percent(version.estimated.accuracy) : "–"}</td>
              <td>
                <Tag status={version.verdict.status} />
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  </Scroll>
);

/** The figure that a version is judged by. */
export function liveOf({
  classification,
  regression,
}: Pick<VersionPerformance, "classification" | "regression">): { name: string; figure: Figure } | null {
  if (classification) return { name: "accuracy", figure: classification.accuracy };
  return regression ? { name: "mae", figure: regression.mae } : null;
}

/** "90.10 % to 95.20 %" */
export const rangeText = (name: string, { low, high }: Figure): string =>
  low === null || high === null ? "" : `${metricText(name, low)} to ${metricText(name, high)}`;

function OverTime({ history }: { history: PerformanceHistory }) {
  const { points } = history;
  const classes = points.some(({ accuracy }) => accuracy !== null);
  const name = classes ? "accuracy" : "mae";
  const day = (index: number) => (points[index]?.start ?? "").slice(5, 10);
  return (
    <div>
      <h3>{`Version ${history.model_version}, by day of the prediction`}</h3>
      <LineChart
        label={`${words(name)} by day`}
        lines={[
          {
            name,
            points: points.map((point, index) => [index, classes ? (point.accuracy?.value ?? null) : point.mae]),
          },
        ]}
        xName="day"
        xText={day}
        gap="too few labels"
      />
    </div>
  );
}

function Calibrated({ version: { classification, model_version } }: { version: VersionPerformance }) {
  if (!classification?.calibration.length) return null;
  const { calibration } = classification;
  return (
    <div>
      <h3>{`Version ${model_version}, by how sure it was`}</h3>
      <BarChart
        label="How often answers are right, by confidence"
        xName="confidence"
        groups={calibration.map(({ tenth }) => `${tenth * 10} %`)}
        series={[
          { name: "said", values: calibration.map(({ confidence }) => confidence) },
          { name: "right", values: calibration.map(({ accuracy }) => accuracy) },
        ]}
        format={(share) => percent(share, 0)}
      />
    </div>
  );
}
