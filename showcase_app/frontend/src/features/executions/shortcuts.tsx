/** The keys of the list, behind a question mark. */
import { ActionIcon, Kbd, Popover, Text, Tooltip } from "@mantine/core";
import { useDisclosure, useHotkeys } from "@mantine/hooks";
import { IconKeyboard } from "@tabler/icons-react";
import { Fragment } from "react";
import classes from "./executions.module.css";

const KEYS: readonly (readonly [readonly string[], string])[] = [
  [["j", "↓"], "Next row"],
  [["k", "↑"], "Row before"],
  [["Enter"], "Open the row"],
  [["x"], "Select the row"],
  [["/"], "Search"],
  [["?"], "These keys"],
];

export function Shortcuts() {
  const [opened, { toggle, close }] = useDisclosure(false);
  useHotkeys([
    ["?", toggle],
    ["shift+?", toggle],
  ]);
  return (
    <Popover opened={opened} onDismiss={close} position="bottom-end" withArrow trapFocus={false}>
      <Popover.Target>
        <Tooltip label="Keys" disabled={opened}>
          <ActionIcon
            variant="subtle"
            color="gray"
            size="lg"
            aria-label="Keys of the list"
            visibleFrom="sm"
            onClick={toggle}
          >
            <IconKeyboard size={18} stroke={1.8} aria-hidden />
          </ActionIcon>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown>
        <dl className={classes.keys}>
          {KEYS.map(([keys, what]) => (
            <Fragment key={what}>
              <dt>
                {keys.map((key) => (
                  <Kbd key={key} size="xs">
                    {key}
                  </Kbd>
                ))}
              </dt>
              <dd>{what}</dd>
            </Fragment>
          ))}
        </dl>
        <Text size="xs" className="quiet" mt="xs" maw={230}>
          Letters work while the focus is in the list, or nowhere.
        </Text>
      </Popover.Dropdown>
    </Popover>
  );
}
