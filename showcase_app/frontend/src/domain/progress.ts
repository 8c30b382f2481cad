/** How far an execution has come, from its counters. */
import type { ExecutionStatus } from "@/api/schema.gen";
import { hasEnded } from "./status";

type Counters = { status: ExecutionStatus; total_steps: number; completed_steps: number; failed_steps: number };

/**
 * Steps done, failed and in all; `words` null: nothing is known. While it goes on, `total` is what was announced. Steps
 * that are run again in a loop count each time, so more may be done than were announced: then as many as are known. Once
 * it has ended, `total` is what ran: steps that were not on its way are not missing.
 */
export function progressOf({ status, total_steps, completed_steps: done, failed_steps: failed }: Counters) {
  const ran = done + failed;
  const failures = failed === 0 ? "" : `, ${failed} failed`;
  if (hasEnded(status)) {
    return {
      done,
      failed,
      total: ran,
      text: String(ran),
      words: ran === 0 ? null : `${stepsText(ran)} ran${failures}`,
    };
  }
  if (total_steps === 0) {
    return {
      done,
      failed,
      total: 0,
      text: String(done),
      words: ran === 0 ? null : `${stepsText(done)} done${failures}`,
    };
  }
  const total = Math.max(total_steps, ran);
  return { done, failed, total, text: `${done}/${total}`, words: `${done} of ${stepsText(total)} done${failures}` };
}

function stepsText(count: number): string {
  return count === 1 ? "1 step" : `${count} steps`;
}
