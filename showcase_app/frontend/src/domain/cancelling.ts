/** What cancelling an execution would do, as it stands. Pure. */
import type { ExecutionOut, PipelineDetail } from "@/api/schema.gen";
import { whyNotResumed } from "./second-chances";
import { hasEnded, statusWord } from "./status";

type Known = Pick<PipelineDetail, "runnable" | "is_active"> | undefined;

/** Why it cannot be cancelled, or need not be; null: it can. */
export function whyNotCancelled(execution: ExecutionOut): string | null {
  if (hasEnded(execution.status)) return `It has ended already: ${statusWord(execution.status).toLowerCase()}.`;
  if (!execution.cancel_requested) return null;
  return execution.managed
    ? "It is being cancelled: its worker stops it in a moment."
    : "It is being cancelled: the program that runs it has been asked.";
}

/** What would happen, one sentence after the other. */
export function cancelTexts(execution: ExecutionOut, pipeline: Known): string[] {
  const notResumed = whyNotResumed({ ...execution, status: "cancelled" }, pipeline);
  return [
    ...now(execution),
    ...(execution.completed_steps + execution.failed_steps > 0
      ? ["What its steps have done so far is not undone."]
      : []),
    notResumed === null
      ? "It can be resumed later, from where it stopped, or run again."
      : `It cannot be resumed later. ${notResumed}`,
  ];
}

function now({ status, managed, started_at }: ExecutionOut): string[] {
  if (status === "running" && managed) {
    return [
      "Its worker is told, stops the steps that run, and begins no other.",
      "A step whose code does not stop when it is told goes on by itself, unseen: what it does outside still happens.",
    ];
  }
  if (status === "running") {
    return [
      "The program that runs it is asked to stop. It ends when that program looks; a program that never does goes on.",
    ];
  }
  const atOnce = "It is cancelled at once";
  if (status === "waiting_for_human")
    return [`${atOnce}: nothing of it runs, and its open questions take no answer any more.`];
  if (started_at === null) return [`${atOnce}: it has not begun, and no step of it runs.`];
  return [`${atOnce}: nothing of it runs now, and no other step begins.`];
}
