/** How the list looks, and views by name: what it is narrowed to now, kept in this browser. */
import { ActionIcon, Anchor, Button, Checkbox, Group, Popover, Stack, Switch, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconAdjustmentsHorizontal, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import { Link, useSearchParams } from "react-router";
import { sortOf, withSort } from "@/domain/execution-filters";
import { COLUMNS, type ColumnId, MOST_NAME, withColumn, withView } from "@/domain/list-view";
import classes from "./executions.module.css";
import { useListLook, useSavedViews } from "./use-list-view";

/** `columns`: those that are shown now. */
export function ViewMenu({ columns }: { columns: readonly ColumnId[] }) {
  const [opened, { toggle, close }] = useDisclosure(false);
  const [look, setLook] = useListLook();
  const [address, setAddress] = useSearchParams();
  return (
    <Popover opened={opened} onDismiss={close} position="bottom-end" withArrow trapFocus returnFocus>
      <Popover.Target>
        <Button
          variant="default"
          size="xs"
          leftSection={<IconAdjustmentsHorizontal size={15} aria-hidden />}
          aria-expanded={opened}
          onClick={toggle}
        >
          View
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="sm" w={260}>
          <fieldset className={classes.columnChoice}>
            <legend>Columns</legend>
            {COLUMNS.map(({ id, label }) => (
              <Checkbox
                key={id}
                size="sm"
                label={label}
                checked={columns.includes(id)}
                onChange={(event) =>
                  setLook({ ...look, columns: withColumn(columns, id, event.currentTarget.checked) })
                }
              />
            ))}
          </fieldset>
          <Switch
            label="Dearest first"
            checked={sortOf(address) === "cost"}
            onChange={(event) => {
              const isByCost = event.currentTarget.checked;
              setAddress((before) => withSort(before, isByCost ? "cost" : "newest"));
            }}
          />
          <Switch
            label="Dense rows"
            checked={look.isDense}
            onChange={(event) => setLook({ ...look, isDense: event.currentTarget.checked })}
          />
          <Views onChosen={close} />
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}

function Views({ onChosen }: { onChosen: () => void }) {
  const [address] = useSearchParams();
  const [views, setViews] = useSavedViews();
  const [name, setName] = useState("");
  const save = () => {
    if (name.trim() === "") return;
    setViews(withView(views, { name: name.trim(), search: address.toString() }));
    setName("");
  };
  return (
    <section aria-label="Saved views">
      <Text size="sm" fw={600}>
        Saved views
      </Text>
      {views.length === 0 ? (
        <Text size="xs" className="quiet">
          None in this browser. A view keeps the filters under a name.
        </Text>
      ) : (
        <ul className={classes.views}>
          {views.map((view) => (
            <li key={view.name}>
              <Anchor component={Link} to={`/executions?${view.search}`} size="sm" onClick={onChosen}>
                {view.name}
              </Anchor>
              <ActionIcon
                variant="subtle"
                color="gray"
                aria-label={`Forget ${view.name}`}
                onClick={() => setViews(views.filter((each) => each !== view))}
              >
                <IconTrash size={16} aria-hidden />
              </ActionIcon>
            </li>
          ))}
        </ul>
      )}
      <Group gap="xs" mt={6} wrap="nowrap">
        <TextInput
          aria-label="Name of the view"
          placeholder="Name"
          maxLength={MOST_NAME}
          flex={1}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") save();
          }}
        />
        <Button variant="default" onClick={save} disabled={name.trim() === ""}>
          Save
        </Button>
      </Group>
    </section>
  );
}
