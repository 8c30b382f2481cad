/** A status by icon, colour and word. */
import { Badge, type MantineSize } from "@mantine/core";
import {
  IconAlertTriangle,
  IconBan,
  IconCheck,
  IconClock,
  IconHourglass,
  IconPlayerPlay,
  IconPlayerSkipForward,
  IconUser,
  IconX,
} from "@tabler/icons-react";
import { STATUS_COLOR, type Status, statusFill, statusWord } from "@/domain/status";

const ICONS: Readonly<Record<Status, typeof IconCheck>> = {
  pending: IconClock,
  running: IconPlayerPlay,
  waiting: IconHourglass,
  waiting_for_human: IconUser,
  completed: IconCheck,
  failed: IconX,
  cancelled: IconBan,
  skipped: IconPlayerSkipForward,
  lost: IconAlertTriangle,
};

export function StatusIcon({ status, size = 16 }: { status: Status; size?: number }) {
  const Icon = ICONS[status];
  return <Icon size={size} stroke={2.4} color={statusFill(status)} role="img" aria-label={statusWord(status)} />;
}

export function StatusBadge({ status, size = "md" }: { status: Status; size?: MantineSize }) {
  const Icon = ICONS[status];
  return (
    <Badge
      color={STATUS_COLOR[status]}
      variant="light"
      size={size}
      radius="sm"
      autoContrast
      leftSection={<Icon size={12} stroke={2.6} aria-hidden />}
      styles={{ label: { textTransform: "none", fontWeight: 600 }, root: { color: "var(--mantine-color-text)" } }}
    >
      {statusWord(status)}
    </Badge>
  );
}
