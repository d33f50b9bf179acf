import { words } from "../format";
import type { GateResult } from "../schema";
import { Unseen } from "./basics";

/** What each check of the promotion gate found. */
export const Gates = ({ gates }: { gates: GateResult[] }) => (
  <ul class="gates">
    {gates.map((gate) => (
      <li key={gate.check}>
        <span class={gate.passed ? "pass" : "fail"}>
          {gate.passed ? "✓" : "✗"}
          <Unseen>{gate.passed ? "passed" : "failed"}</Unseen>
        </span>
        <span>{words(gate.check)}</span>
        <span class="detail">{gate.detail}</span>
      </li>
    ))}
  </ul>
);
