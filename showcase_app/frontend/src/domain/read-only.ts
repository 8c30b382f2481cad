/** Why the reader may change nothing here, whatever it is. Pure. */
import type { SessionOut } from "@/api/schema.gen";

/** The reason on a server that shows a run file, which holds for everybody. */
export const IN_RUN_FILE =
  "This is a run file, which is read-only. Take it into a database (ia-modules executions import), and do it there.";

/** The reason; null: the reader may change everything. */
export function whyReadOnly({ role, run_file }: Pick<SessionOut, "role" | "run_file">): string | null {
  if (run_file) return IN_RUN_FILE;
  if (role === "operator") return null;
  return `You are signed in as ${role === "approver" ? "an approver" : "a viewer"}; this needs an operator.`;
}
