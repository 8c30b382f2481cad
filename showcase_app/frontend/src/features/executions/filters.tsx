/** What narrows the list: statuses with counts, pipeline, time, free text, and more behind a button. `/` goes to the search. */
import { Button, Chip, Group, Kbd, Select, Text, TextInput } from "@mantine/core";
import { useDebouncedCallback, useHotkeys } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { countsQuery } from "@/api/executions";
import type { StatisticsOut } from "@/api/schema.gen";
import { MomentField } from "@/components/ui/moment-field";
import { StatusIcon } from "@/components/ui/status-badge";
import {
  countText,
  filterParams,
  isTimeWindow,
  type ListedFilters,
  type ShownFilters,
  TIME_WINDOWS,
} from "@/domain/execution-filters";
import { EXECUTION_STATUSES, statusWord } from "@/domain/status";
import { isMoment } from "@/domain/written-time";
import classes from "./executions.module.css";
import { MoreFilters } from "./more-filters";
import { PipelineSelect } from "./pipeline-select";

type Props = {
  shown: ListedFilters;
  searched: string | null;
  onChange: (change: Partial<ShownFilters>) => void;
};

const CUSTOM = "custom";
const WINDOW_CHOICES = [
  { value: "", label: "Any time" },
  ...Object.entries(TIME_WINDOWS).map(([value, { label }]) => ({ value, label })),
  { value: CUSTOM, label: "From … to …" },
];

export function Filters({ shown, searched, onChange }: Props) {
  const hasMoments = shown.started_after !== undefined || shown.started_before !== undefined;
  const [asksMoments, setAsksMoments] = useState(false);
  const isCustom = hasMoments || (asksMoments && shown.window === undefined);

  const chooseWindow = (chosen: string | null) => {
    setAsksMoments(chosen === CUSTOM);
    const { started_after } = filterParams(shown, Date.now());
    if (chosen === CUSTOM) onChange({ window: undefined, started_after });
    else if (isTimeWindow(chosen)) onChange({ window: chosen, started_after: undefined, started_before: undefined });
    else onChange({ window: undefined, started_after: undefined, started_before: undefined });
  };

  return (
    <div className={classes.filters}>
      <Group gap="xs" align="flex-start">
        <Search value={shown.q} searched={searched} onChange={(q) => onChange({ q })} />
        <PipelineSelect
          className={classes.choice}
          value={shown.pipeline_id}
          onChange={(pipeline_id) => onChange({ pipeline_id })}
        />
        <Select
          className={classes.choice}
          aria-label="Started"
          data={WINDOW_CHOICES}
          value={isCustom ? CUSTOM : (shown.window ?? "")}
          onChange={chooseWindow}
          allowDeselect={false}
        />
        {isCustom ? (
          <Group gap="xs" className={classes.moments}>
            <MomentFilter
              label="From"
              value={shown.started_after}
              onChange={(started_after) => onChange({ started_after })}
            />
            <MomentFilter
              label="To"
              value={shown.started_before}
              onChange={(started_before) => onChange({ started_before })}
            />
          </Group>
        ) : null}
        <MoreFilters shown={shown} onChange={onChange} />
      </Group>
      <StatusChips shown={shown} onChange={onChange} />
    </div>
  );
}

function Search({
  value,
  searched,
  onChange,
}: {
  value: string | undefined;
  searched: string | null;
  onChange: (q: string | undefined) => void;
}) {
  const input = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState(value ?? "");
  const tell = useDebouncedCallback((text: string) => onChange(text.trim() || undefined), 300);
  useEffect(() => setTyped(value ?? ""), [value]); // back and forward
  useHotkeys([
    ["/", () => input.current?.focus()],
    ["shift+/", () => input.current?.focus()], // where the slash needs it
  ]);
  return (
    <div className={classes.search}>
      <TextInput
        ref={input}
        type="search"
        aria-label="Search executions"
        placeholder="Search by id, pipeline or error"
        leftSection={<IconSearch size={16} aria-hidden />}
        rightSection={
          typed === "" ? (
            <Kbd size="xs" visibleFrom="sm">
              /
            </Kbd>
          ) : undefined
        }
        maxLength={200}
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          tell(event.currentTarget.value);
        }}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.preventDefault(); // the browser would empty it
          event.currentTarget.blur();
        }}
      />
      {value !== undefined && searched !== null ? (
        <Text size="xs" className="quiet" mt={4} role="status">
          Searched: {searched}
        </Text>
      ) : null}
    </div>
  );
}

/** One end of the time: set as soon as what is written is a moment. */
function MomentFilter({
  label,
  value,
  onChange,
}: {
  label: string;
  value: string | undefined;
  onChange: (iso: string | undefined) => void;
}) {
  const [written, setWritten] = useState(value);
  const tell = useDebouncedCallback(onChange, 400);
  useEffect(() => setWritten(value), [value]); // back and forward
  return (
    <MomentField
      aria-label={label}
      leftSection={<Text size="xs">{label}</Text>}
      leftSectionWidth={48}
      className={classes.moment}
      value={written}
      onChange={(next) => {
        setWritten(next);
        if (next === undefined || isMoment(next)) tell(next);
      }}
    />
  );
}

function StatusChips({ shown, onChange }: Omit<Props, "searched">) {
  const { status, ...others } = shown;
  const { data: counts, error } = useQuery(countsQuery(others));
  return (
    <Chip.Group
      multiple
      value={status ?? []}
      onChange={(values) => onChange({ status: EXECUTION_STATUSES.filter((each) => values.includes(each)) })}
    >
      <fieldset className={classes.chips}>
        <legend className={classes.legend}>Status, one or several</legend>
        <Button
          size="compact-xs"
          radius="xl"
          variant={status === undefined ? "light" : "default"}
          aria-pressed={status === undefined}
          onClick={() => onChange({ status: undefined })}
        >
          <span className={classes.chip}>
            All <Count counts={counts} />
          </span>
        </Button>
        {EXECUTION_STATUSES.map((status) => (
          <Chip key={status} value={status} size="xs" variant="outline">
            <span className={classes.chip}>
              <span aria-hidden className={classes.icon}>
                <StatusIcon status={status} size={13} />
              </span>
              {statusWord(status)} <Count counts={counts} status={status} />
            </span>
          </Chip>
        ))}
        {error === null ? null : (
          <Text size="xs" c="red" role="alert">
            Counting failed: {error.message}
          </Text>
        )}
      </fieldset>
    </Chip.Group>
  );
}

function Count({ counts, status }: { counts: StatisticsOut | undefined; status?: StatisticsOut["capped"][number] }) {
  if (counts === undefined) return <span className={classes.count}>…</span>;
  const text =
    status === undefined
      ? countText(counts.total, counts.capped.length > 0)
      : countText(counts.by_status[status] ?? 0, counts.capped.includes(status));
  return <span className={`${classes.count} numbers`}>{text}</span>;
}
