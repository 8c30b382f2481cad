/** The filters that are used less often, behind a button; those that are on stand beside it, each with its way out. */
import { Button, NumberInput, Pill, Popover, Select, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconFilter } from "@tabler/icons-react";
import { type KeyboardEvent, useState } from "react";
import {
  isAttribute,
  type ListedFilters,
  MOST_ATTRIBUTES,
  MOST_SECONDS,
  type OtherFilter,
  otherFilters,
  type ShownFilters,
} from "@/domain/execution-filters";
import { TRIGGERS, triggerWord } from "@/domain/triggers";
import classes from "./executions.module.css";

type MoreFiltersProps = { shown: ListedFilters; onChange: (change: Partial<ShownFilters>) => void };

export function MoreFilters({ shown, onChange }: MoreFiltersProps) {
  const [opened, { toggle, close }] = useDisclosure(false);
  return (
    <>
      <Popover opened={opened} onDismiss={close} position="bottom-start" withArrow trapFocus returnFocus>
        <Popover.Target>
          <Button
            variant="default"
            leftSection={<IconFilter size={16} aria-hidden />}
            aria-expanded={opened}
            onClick={toggle}
          >
            More filters
          </Button>
        </Popover.Target>
        <Popover.Dropdown>
          <Fields shown={shown} onChange={onChange} />
        </Popover.Dropdown>
      </Popover>
      {otherFilters(shown).map(({ text, without }) => (
        <Pill
          key={text}
          size="lg"
          withRemoveButton
          removeButtonProps={{ "aria-label": `Without: ${text}`, "aria-hidden": false, tabIndex: 0 }}
          onRemove={() => onChange(without)}
        >
          {text}
        </Pill>
      ))}
    </>
  );
}

function Fields({ shown, onChange }: MoreFiltersProps) {
  const { trigger } = shown;
  const triggers = trigger === undefined || TRIGGERS.includes(trigger) ? TRIGGERS : [...TRIGGERS, trigger];
  return (
    <div className={classes.others}>
      <Numbered name="version" label="Version" least={1} most={2 ** 31 - 1} shown={shown} onChange={onChange} />
      <Select
        label="Started by"
        placeholder="Anything"
        data={triggers.map((value) => ({ value, label: triggerWord(value) }))}
        value={trigger ?? null}
        onChange={(value) => onChange({ trigger: value ?? undefined })}
        clearable
        clearButtonProps={{ "aria-label": "Started by anything" }}
        comboboxProps={{ withinPortal: false }}
      />
      <Numbered name="min_seconds" label="Took at least" unit="s" shown={shown} onChange={onChange} />
      <Numbered name="max_seconds" label="Took at most" unit="s" shown={shown} onChange={onChange} />
      <Worker key={shown.worker} value={shown.worker} onChange={(worker) => onChange({ worker })} />
      <Attribute
        key={shown.attribute?.join()}
        onAdd={(text) =>
          onChange({ attribute: [...new Set([...(shown.attribute ?? []), text])].slice(-MOST_ATTRIBUTES) })
        }
      />
    </div>
  );
}

/** A value of what the pipeline's file calls searchable. */
function Attribute({ onAdd }: { onAdd: (text: string) => void }) {
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const text = `${key.trim()}=${value}`;
  const apply = () => {
    if (isAttribute(text)) onAdd(text);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter") apply();
  };
  return (
    <>
      <TextInput
        label="Searchable key"
        placeholder="input.customer"
        maxLength={200}
        value={key}
        onChange={(event) => setKey(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <TextInput
        label="Its value"
        placeholder="acme"
        maxLength={400}
        value={value}
        onChange={(event) => setValue(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <Button data-whole variant="default" onClick={apply} disabled={!isAttribute(text)}>
        Only with this value
      </Button>
    </>
  );
}

type NumberedProps = MoreFiltersProps & {
  name: Extract<OtherFilter, "version" | "min_seconds" | "max_seconds">;
  label: string;
  unit?: string;
  least?: number;
  most?: number;
};

function Numbered({ name, label, unit, least = 0, most = MOST_SECONDS, shown, onChange }: NumberedProps) {
  const [typed, setTyped] = useState<number | string>(shown[name] ?? "");
  const apply = () => {
    const value = typeof typed === "number" ? typed : undefined;
    if (value !== shown[name]) onChange({ [name]: value });
  };
  return (
    <NumberInput
      label={label}
      suffix={unit === undefined ? undefined : ` ${unit}`}
      min={least}
      max={most}
      allowDecimal={name !== "version"}
      hideControls
      value={typed}
      onChange={setTyped}
      onBlur={apply}
      onKeyDown={(event) => {
        if (event.key === "Enter") apply();
      }}
    />
  );
}

function Worker({ value, onChange }: { value: string | undefined; onChange: (worker: string | undefined) => void }) {
  const apply = (text: string) => {
    const worker = text.trim() || undefined;
    if (worker !== value) onChange(worker);
  };
  return (
    <TextInput
      label="Worker"
      placeholder="In its name"
      maxLength={200}
      defaultValue={value ?? ""}
      onBlur={(event) => apply(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === "Enter") apply(event.currentTarget.value);
      }}
    />
  );
}
