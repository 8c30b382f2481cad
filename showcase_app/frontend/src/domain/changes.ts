/** What a page of changes does to the execution that is shown: pure, so that its promise can be tested.
 *
 * Rows are applied by (id, sequence): an older row never overwrites a newer one, and a row that comes twice changes
 * nothing. `sequence` of the execution is the cursor to come back with. Each page brings the execution's row as it is
 * by now; that it has ended is taken in with the last page, since what led to it is on the others.
 */
import type { ChangesOut, ExecutionDetail, LogOut, StepDetail, StepOut } from "@/api/schema.gen";
import { hasEnded } from "./status";

export type Changes = ChangesOut;

/** The execution after a page; the same object when the page brought nothing new. */
export function applyChanges(known: ExecutionDetail, changes: Changes): ExecutionDetail {
  if (changes.upto <= known.sequence) return known;
  const steps = new Map(known.steps.map((step) => [step.step_execution_id, step]));
  let execution = known;
  for (const message of changes.messages) {
    if (message.type === "step_update") {
      const before = steps.get(message.data.step_execution_id);
      if (before === undefined || before.sequence < message.data.sequence) {
        steps.set(message.data.step_execution_id, withRow(before, message.data));
      }
    } else if (message.type === "execution_update" && !(changes.more && hasEnded(message.data.status))) {
      execution = { ...execution, ...message.data };
    }
  }
  const inOrder = [...steps.values()].sort((a, b) => (a.step_execution_id < b.step_execution_id ? -1 : 1));
  // The row is the newest there is, but rows of steps are only known up to here: the cursor says how far.
  return { ...execution, steps: inOrder, sequence: changes.upto };
}

/** The lines of a page, in their order. */
export function linesOf(changes: Changes): LogOut[] {
  return changes.messages.flatMap((message) => (message.type === "log" ? [message.data] : []));
}

/** A row with the payloads read so far, which may be those of an older row: they are read again when they are shown. */
function withRow(before: StepDetail | undefined, row: StepOut): StepDetail {
  const unread = {
    input_data: null,
    input_refs: null,
    output_data: null,
    metadata: null,
    traceback: null,
    input_refs_bytes: 0,
    metadata_bytes: 0,
    traceback_bytes: 0,
    omitted: [],
  };
  return { ...(before ?? unread), ...row };
}
