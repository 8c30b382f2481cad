/** What opens the navigation where there is little room; while that is closed, with how many questions wait. */
import { Burger, Indicator } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { interactionCountQuery } from "@/api/interactions";
import { countText } from "@/domain/execution-filters";
import classes from "./shell.module.css";

export function MenuButton({ opened, onClick }: { opened: boolean; onClick: () => void }) {
  const { data } = useQuery({ ...interactionCountQuery, enabled: false }); // the navigation itself reads it
  const count = opened || data === undefined || data.pending === 0 ? null : countText(data.pending, data.capped);
  return (
    <Indicator
      inline
      hiddenFrom="sm"
      size={16}
      offset={3}
      color="violet"
      label={count}
      disabled={count === null}
      classNames={{ indicator: `${classes.menuCount} numbers` }}
    >
      <Burger
        opened={opened}
        onClick={onClick}
        size="sm"
        aria-expanded={opened}
        aria-label={count === null ? "Navigation" : `Navigation, ${count} waiting in the inbox`}
      />
    </Indicator>
  );
}
