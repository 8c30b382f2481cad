import { Group, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import type { ReactNode } from "react";

/** A page's title, what belongs beside it, and its actions on the right. Also names the browser's tab. */
export function PageHead({ title, beside, actions }: { title: string; beside?: ReactNode; actions?: ReactNode }) {
  useDocumentTitle(`${title} · ia_modules`);
  return (
    <Group justify="space-between" gap="sm" mb="md">
      <Group gap="sm">
        <Title order={1}>{title}</Title>
        {beside}
      </Group>
      {actions === undefined ? null : <Group gap="xs">{actions}</Group>}
    </Group>
  );
}
