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
  const interactions = new Map(known.interactions.map((question) => [question.interaction_id, question]));
  let execution = known;
  for (const message of changes.messages) {
    if (message.type === "step_update") {
      const before = steps.get(message.data.step_execution_id);
      if (isNews(message.data, before)) steps.set(message.data.step_execution_id, withRow(before, message.data));
    } else if (message.type === "interaction_update") {
      const { data } = message;
      if (isNews(data, interactions.get(data.interaction_id))) interactions.set(data.interaction_id, data);
    } else if (message.type === "execution_update" && !(changes.more && hasEnded(message.data.status))) {
      execution = { ...execution, ...message.data };
    }
  }
  // The row is the newest there is, but the other rows are only known up to here: the cursor says how far.
  return { ...execution, steps: inOrder(steps), interactions: inOrder(interactions), sequence: changes.upto };
}

/** The execution after it was read again: an answer that was on its way while the socket brought something newer takes
 * nothing back. Re-runs have no place among its changes: the answer knows them. */
export function applyRead(known: ExecutionDetail | undefined, read: ExecutionDetail): ExecutionDetail {
  if (known === undefined || known.sequence <= read.sequence) return read;
  return { ...known, rerun_ids: read.rerun_ids };
}

type Numbered = { sequence: number };

function isNews(row: Numbered, known: Numbered | undefined): boolean {
  return known === undefined || known.sequence < row.sequence;
}

/** Rows by their ids, which begin with their time. */
function inOrder<Row>(rows: ReadonlyMap<string, Row>): Row[] {
  return [...rows].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, row]) => row);
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
