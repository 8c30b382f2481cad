/** How times are shown on every page: how long ago, in the reader's zone, or in UTC. */
import { Button, Menu, Text } from "@mantine/core";
import { IconClock } from "@tabler/icons-react";
import { OWN_ZONE, useNow, useTimes } from "@/components/ui/moments";
import { momentText, type ShownTimes, shownTimes, UTC } from "@/domain/time";
import classes from "./shell.module.css";

const NAMES: Readonly<Record<ShownTimes, string>> = { relative: "How long ago", local: OWN_ZONE, utc: UTC };

export function TimesMenu() {
  const { shown, show } = useTimes();
  return (
    <Menu position="bottom-end" width={260}>
      <Menu.Target>
        <Button
          variant="subtle"
          color="gray"
          size="compact-sm"
          aria-label={`Times: ${NAMES[shown]}`}
          leftSection={<IconClock size={18} stroke={1.8} aria-hidden />}
          className={classes.times}
        >
          <span className={classes.whereRoom}>{NAMES[shown]}</span>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Times</Menu.Label>
        <Menu.RadioGroup value={shown} onChange={(word) => show(shownTimes(word))}>
          <Choice value="relative" example="3 min ago" />
          {OWN_ZONE === UTC ? null : <Choice value="local" zone={OWN_ZONE} />}
          <Choice value="utc" zone={UTC} />
        </Menu.RadioGroup>
      </Menu.Dropdown>
    </Menu>
  );
}

function Choice({ value, zone, example }: { value: ShownTimes; zone?: string; example?: string }) {
  const now = new Date(useNow()).toISOString();
  return (
    <Menu.RadioItem value={value} closeMenuOnClick>
      {NAMES[value]}
      <Text size="xs" className="quiet numbers">
        {zone === undefined ? example : momentText(now, zone)}
      </Text>
    </Menu.RadioItem>
  );
}
