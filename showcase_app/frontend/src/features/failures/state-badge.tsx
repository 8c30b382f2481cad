/** What people say of a group, by colour and word. */
import { Badge, Tooltip } from "@mantine/core";
import { IconAlertTriangle, IconBellOff, IconTool } from "@tabler/icons-react";
import type { FailureOut } from "@/api/schema.gen";
import { useExactText } from "@/components/ui/moments";
import { type FailureState, stateText } from "@/domain/failures";

const ICONS: Readonly<Record<FailureState, typeof IconTool>> = {
  open: IconAlertTriangle,
  muted: IconBellOff,
  mended: IconTool,
};
const COLORS: Readonly<Record<FailureState, string>> = { open: "red", muted: "gray", mended: "teal" };

export function StateBadge({ failure }: { failure: FailureOut }) {
  const Icon = ICONS[failure.state];
  const exactText = useExactText();
  const { marked_by, marked_at } = failure;
  return (
    <Tooltip
      label={`Said by ${marked_by}, ${marked_at === null ? "" : exactText(marked_at)}`}
      disabled={marked_by === null}
    >
      <Badge
        color={COLORS[failure.state]}
        variant="light"
        size="sm"
        radius="sm"
        leftSection={<Icon size={12} stroke={2.4} aria-hidden />}
        styles={{ label: { textTransform: "none", fontWeight: 600 }, root: { color: "var(--mantine-color-text)" } }}
      >
        {stateText(failure)}
      </Badge>
    </Tooltip>
  );
}
