/** That a step run did not run in this execution: its result is that of an earlier one. */
import { IconCopy } from "@tabler/icons-react";
import { COPIED } from "@/domain/graph";

/** `where`: which execution it did not run in; this one. */
export function CopiedMark({ where = "here" }: { where?: string }) {
  const words = `${COPIED}: it did not run ${where}`;
  return (
    <span title={words}>
      <IconCopy size={13} color="var(--ia-quiet)" role="img" aria-label={words} />
    </span>
  );
}
