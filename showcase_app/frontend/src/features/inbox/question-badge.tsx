/** Where a question stands, by icon, colour and word. */
import { Badge } from "@mantine/core";
import { IconBan, IconCheck, IconClockOff, IconUser } from "@tabler/icons-react";
import type { QuestionStatus } from "@/domain/inbox-filters";
import { questionStatusWord } from "@/domain/questions";

const LOOKS: Readonly<Record<QuestionStatus, { icon: typeof IconCheck; color: string }>> = {
  pending: { icon: IconUser, color: "violet" },
  answered: { icon: IconCheck, color: "teal" },
  expired: { icon: IconClockOff, color: "orange" },
  cancelled: { icon: IconBan, color: "gray" },
};

export function QuestionBadge({ status }: { status: QuestionStatus }) {
  const { icon: Icon, color } = LOOKS[status];
  return (
    <Badge
      color={color}
      variant="light"
      radius="sm"
      autoContrast
      leftSection={<Icon size={12} stroke={2.6} aria-hidden />}
      styles={{ label: { textTransform: "none", fontWeight: 600 }, root: { color: "var(--mantine-color-text)" } }}
    >
      {questionStatusWord(status)}
    </Badge>
  );
}
