/** That an execution came from a run file, since when, and the hash of that file's rows. Nothing for what ran here. */
import { Badge, Text, Tooltip } from "@mantine/core";
import { IconFileImport } from "@tabler/icons-react";
import type { ExecutionOut } from "@/api/schema.gen";
import { copyText, shortHash } from "@/domain/copies";
import classes from "./copy-badge.module.css";
import { useExactText } from "./moments";

/** `isShort`: one word, where there is little room; all of it is in its name and its tooltip. */
export function CopyBadge({ execution, isShort = false }: { execution: ExecutionOut; isShort?: boolean }) {
  const exactText = useExactText();
  const { imported_at, rows_sha256 } = execution;
  const text = copyText(execution);
  if (text === null || imported_at === null) return null;
  const facts = `${exactText(imported_at)}, SHA-256 of its rows ${shortHash(rows_sha256 ?? "")}`;
  return (
    <Tooltip
      multiline
      maw={320}
      label={
        <>
          {text}
          <Text size="xs" className="numbers">
            {facts}
          </Text>
        </>
      }
    >
      <Badge
        variant="default"
        size={isShort ? "xs" : "sm"}
        radius="sm"
        role="img"
        aria-label={`${text}: ${facts}`}
        leftSection={<IconFileImport size={12} stroke={2} aria-hidden />}
        className={classes.badge}
      >
        {isShort ? "Copy" : text}
      </Badge>
    </Tooltip>
  );
}
