/** Runs as lines across their hyperparameters and their objective. The leaderboard beside it has the same as a table. */

import { Scroll } from "../components/basics";
import { number, words } from "../format";
import type { SweepState } from "../schema";
import { axisOf, type Run, scoreOf, settingOf } from "./sweep-rows";

const [STEP, TOP, BOTTOM, HEIGHT, SIDE] = [150, 40, 220, 250, 75];

interface Properties {
  sweep: Pick<SweepState, "objective" | "unranked">;
  /** Those with a rank, the best one first. */
  runs: Run[];
  names: string[];
  /** The run that stands out; the best one unless given. */
  marked: string | undefined;
}

export function Parallel({ sweep, runs, names, marked }: Properties) {
  const objective = sweep.objective?.name ?? "";
  const axes = [
    ...names.map((name) => ({
      axis: axisOf(
        name,
        runs.map((run) => settingOf(run, name)),
      ),
      of: settingIn(name),
    })),
    {
      axis: axisOf(
        objective,
        runs.map((run) => scoreOf(run, sweep)),
      ),
      of: (run: Run) => scoreOf(run, sweep),
    },
  ];
  const height = (share: number) => Math.round(BOTTOM - share * (BOTTOM - TOP));
  const out = runs.find(({ job_id }) => job_id === marked) ?? runs[0];
  // What stands out is painted last.
  const painted = [...runs.filter((run) => run !== out).reverse(), ...(out ? [out] : [])];
  return (
    <Scroll label="Parallel coordinates">
      <svg
        class="parallel"
        role="img"
        aria-label={`${runs.length} runs as lines across ${[...names, objective].map(words).join(", ")}. The table has the same values.`}
        width={2 * SIDE + (axes.length - 1) * STEP}
        height={HEIGHT}
      >
        {axes.map(({ axis }, index) => (
          <g key={axis.name} transform={`translate(${SIDE + index * STEP} 0)`}>
            <text class="name" y={TOP - 24}>
              {words(axis.name)}
            </text>
            <line y1={TOP} y2={BOTTOM} />
            {axis.marks.map((mark) => {
              const share = axis.place(mark) ?? 0;
              return (
                <text key={mark} y={height(share) + (share > 0.5 ? -6 : 14)}>
                  {typeof mark === "number" ? number(mark) : mark.slice(0, 20)}
                </text>
              );
            })}
          </g>
        ))}
        {painted.map((run) => (
          <polyline
            key={run.job_id}
            data-job={run.job_id}
            class={run === out ? "out" : ""}
            points={axes
              .map(({ axis, of }, index) => [SIDE + index * STEP, axis.place(of(run))] as const)
              .flatMap(([x, share]) => (share === undefined ? [] : [`${x},${height(share)}`]))
              .join(" ")}
          >
            <title>{run.job_id}</title>
          </polyline>
        ))}
      </svg>
    </Scroll>
  );
}

const settingIn = (name: string) => (run: Run) => settingOf(run, name);
