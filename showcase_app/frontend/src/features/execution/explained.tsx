/** A tooltip that also comes up, and can be focused, where the button inside is disabled. */
import { Tooltip } from "@mantine/core";
import type { ReactNode } from "react";

export function Explained({ why, children }: { why: string | null; children: ReactNode }) {
  return (
    <Tooltip label={why} disabled={why === null} multiline maw={280} openDelay={150}>
      <span>{children}</span>
    </Tooltip>
  );
}
