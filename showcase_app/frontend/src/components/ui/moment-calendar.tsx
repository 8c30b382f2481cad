/** The calendar of a field for a moment: code of its own, since most people write. */
import { Text } from "@mantine/core";
import { InlineDateTimePicker } from "@mantine/dates";
import "@mantine/dates/styles.css";
import { readMoment, wallText } from "@/domain/written-time";

type MomentCalendarProps = { value: string | null; zone: string; choose: (iso: string) => void; close: () => void };

export default function MomentCalendar({ value, zone, choose, close }: MomentCalendarProps) {
  return (
    <>
      <InlineDateTimePicker
        w={262} // it takes all that there is, and what is around it, what it takes
        value={value === null ? null : wallText(value, zone)}
        onChange={(wall) => {
          const iso = wall === null ? null : readMoment(wall, zone);
          if (iso !== null) choose(iso);
        }}
        firstDayOfWeek={1}
        onSubmit={close}
        timePickerProps={{ hoursInputLabel: "Hours", minutesInputLabel: "Minutes" }}
        submitButtonProps={{ "aria-label": "Take this time" }}
      />
      <Text size="xs" className="quiet" mt={6}>
        {zone}
      </Text>
    </>
  );
}
