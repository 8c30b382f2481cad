/** A text that is too long to be shown, to be copied as a whole. */
import { ActionIcon, Group, Tooltip } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { IconCheck, IconCopy } from "@tabler/icons-react";

export function Copied({ text, shown, what }: { text: string; shown: string; what: string }) {
  const clipboard = useClipboard({ timeout: 1500 });
  return (
    <Group gap={4} wrap="nowrap">
      <span className="mono" title={text}>
        {shown}
      </span>
      <Tooltip label={clipboard.copied ? "Copied" : `Copy the whole ${what}`}>
        <ActionIcon
          size="xs"
          variant="subtle"
          color="gray"
          aria-label={`Copy the ${what}`}
          onClick={() => clipboard.copy(text)}
        >
          {clipboard.copied ? <IconCheck size={13} aria-hidden /> : <IconCopy size={13} aria-hidden />}
        </ActionIcon>
      </Tooltip>
    </Group>
  );
}
