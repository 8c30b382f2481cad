/** A field for a moment: written in the zone in which times are shown, or chosen from a calendar. */
import { ActionIcon, Popover, Skeleton, TextInput, type TextInputProps } from "@mantine/core";
import { IconCalendar } from "@tabler/icons-react";
import { lazy, Suspense, useState } from "react";
import { fieldText, isMoment, readMoment } from "@/domain/written-time";
import { useTimes } from "./moments";

const MomentCalendar = lazy(() => import("./moment-calendar"));

type MomentFieldProps = Omit<TextInputProps, "value" | "onChange"> & {
  /** ISO text, or what was written and is no moment; undefined: nothing. */
  value: string | undefined;
  onChange: (value: string | undefined) => void;
};

const EXAMPLE = "2026-11-29 03:00";

export function MomentField({ value, onChange, error, disabled, ...look }: MomentFieldProps) {
  const { zone } = useTimes();
  const [isOpen, setOpen] = useState(false);
  const [written, setWritten] = useState<{ text: string; value: string | undefined } | null>(null);
  const isWriting = written !== null && written.value === value;
  const text = isWriting ? written.text : value === undefined ? "" : fieldText(value, zone);
  const isWrong = !isWriting && value !== undefined && !isMoment(value);
  const write = (next: string) => {
    const read = next.trim() === "" ? undefined : (readMoment(next, zone) ?? next);
    setWritten({ text: next, value: read });
    onChange(read);
  };
  const choose = (iso: string) => {
    setWritten(null);
    onChange(iso);
  };
  return (
    <TextInput
      {...look}
      disabled={disabled}
      error={isWrong ? `No time yet. Write it as ${EXAMPLE}.` : error}
      placeholder={EXAMPLE}
      title={`In ${zone}, where it names no other zone`}
      autoComplete="off"
      spellCheck={false}
      classNames={{ input: "numbers" }}
      value={text}
      onChange={(event) => write(event.currentTarget.value)}
      onBlur={() => setWritten(null)}
      rightSection={
        <Popover opened={isOpen} onChange={setOpen} position="bottom-end" trapFocus returnFocus withinPortal>
          <Popover.Target>
            <ActionIcon
              variant="subtle"
              color="gray"
              size={24}
              disabled={disabled}
              aria-label="Choose from a calendar"
              aria-expanded={isOpen}
              onClick={() => setOpen((before) => !before)}
            >
              <IconCalendar size={16} aria-hidden />
            </ActionIcon>
          </Popover.Target>
          <Popover.Dropdown aria-label={`A time in ${zone}`}>
            <Suspense fallback={<Skeleton width={252} height={310} />}>
              <MomentCalendar
                value={value !== undefined && isMoment(value) ? value : null}
                zone={zone}
                choose={choose}
                close={() => setOpen(false)}
              />
            </Suspense>
          </Popover.Dropdown>
        </Popover>
      }
    />
  );
}
