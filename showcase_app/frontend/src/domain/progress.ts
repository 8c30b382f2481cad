/** How far an execution has come, from its counters. */

type Counters = { total_steps: number; completed_steps: number; failed_steps: number };

/**
 * Steps done, failed and in all; `words` null: nothing is known yet. Steps that are run again in a loop count each time,
 * so more may be done than were announced: then as many as are known.
 */
export function progressOf({ total_steps, completed_steps: done, failed_steps: failed }: Counters) {
  const total = total_steps === 0 ? 0 : Math.max(total_steps, done + failed);
  if (total === 0) {
    const words = done + failed === 0 ? null : `${done} steps done${failed === 0 ? "" : `, ${failed} failed`}`;
    return { done, failed, total, text: String(done), words };
  }
  const words = `${done} of ${total} steps done${failed === 0 ? "" : `, ${failed} failed`}`;
  return { done, failed, total, text: `${done}/${total}`, words };
}
