/** Ways to a step where there are many: by its name, and to what failed, runs or waits. */
import { Button, Group, Select } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useMemo } from "react";
import { StatusIcon } from "@/components/ui/status-badge";
import { FEWEST_FOUND, type Findable, type Goal, goalsOf, nextOf } from "@/domain/finding-steps";
import { type Status, statusWord } from "@/domain/status";

const MOST_SHOWN = 50;

type StepFinderProps = {
  steps: readonly Findable[];
  statusOf: (stepId: string) => Status | undefined;
  selected: string | null;
  onSelect: (stepId: string) => void;
};

export function StepFinder({ steps, statusOf, selected, onSelect }: StepFinderProps) {
  const goals = useMemo(() => goalsOf(steps, statusOf), [steps, statusOf]);
  const options = useMemo(
    () => steps.map(({ id, name }) => ({ value: id, label: id === name ? name : `${name} (${id})` })),
    [steps],
  );
  if (steps.length < FEWEST_FOUND) return null;
  return (
    <Group gap={6} wrap="wrap">
      {goals.map((goal) => (
        <GoTo key={goal.status} goal={goal} selected={selected} onSelect={onSelect} />
      ))}
      <Select
        size="xs"
        w={210}
        aria-label="Find a step"
        placeholder={`Find one of ${steps.length.toLocaleString("en")} steps`}
        leftSection={<IconSearch size={14} aria-hidden />}
        data={options}
        limit={MOST_SHOWN}
        searchable
        value={null}
        onChange={(id) => {
          if (id !== null) onSelect(id);
        }}
        nothingFoundMessage="No step has this in its name or id"
        comboboxProps={{ width: 300, position: "bottom-end" }}
      />
    </Group>
  );
}

type GoToProps = Pick<StepFinderProps, "selected" | "onSelect"> & { goal: Goal };

function GoTo({ goal, selected, onSelect }: GoToProps) {
  const { status, ids } = goal;
  const next = nextOf(goal, selected);
  const word = statusWord(status).toLowerCase();
  const count = ids.length.toLocaleString("en");
  return (
    <Button
      size="compact-xs"
      h={30}
      variant="default"
      leftSection={<StatusIcon status={status} size={14} />}
      aria-label={`${count} ${word}: go to the next`}
      onClick={() => {
        if (next !== undefined) onSelect(next);
      }}
    >
      {count} {word}
    </Button>
  );
}
