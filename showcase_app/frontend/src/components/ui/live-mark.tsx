/** How the connection stands: live, catching up, or coming back. */
import { Group, Text, Tooltip } from "@mantine/core";
import type { LiveState } from "@/api/live";
import classes from "./live-mark.module.css";

const SAID: Readonly<Record<LiveState, [string, string]>> = {
  connecting: ["Connecting", "The connection is being made."],
  live: ["Live", "Changes appear as they happen."],
  catching_up: ["Catching up", "Reading what was missed."],
  reconnecting: [
    "Reconnecting",
    "The connection was lost. The page connects again by itself and then reads what it missed.",
  ],
  closed: ["Not live", "The server ended the connection. Load the page again."],
};

export function LiveMark({ state }: { state: LiveState }) {
  const [word, meaning] = SAID[state];
  return (
    <Tooltip label={meaning}>
      <Group gap={6} wrap="nowrap" role="status" data-live={state} className={classes.mark}>
        <span className={classes.dot} data-state={state} />
        {/* While the connection is made, the dot says so alone: a longer word would break the line, and all would jump. */}
        <Text size="xs" className={state === "connecting" ? classes.unseen : "quiet"}>
          {word}
        </Text>
      </Group>
    </Tooltip>
  );
}
