/** One payload of an execution or an attempt: a tree, or why there is nothing to see. */
import { Skeleton, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { JsonView } from "@/components/ui/json-view";
import { QueryFailed } from "@/components/ui/notices";

type PayloadProps = {
  label: string;
  value: unknown;
  /** Whether `value` is what the server has; otherwise it is being read. */
  known: boolean;
  error: Error | null;
  retry: () => void;
  bytes?: number;
  /** What to say when there is none. */
  none: ReactNode;
};

export function Payload({ label, value, known, error, retry, bytes, none }: PayloadProps) {
  if (!known && error !== null) return <QueryFailed what={label} error={error} retry={retry} />;
  if (!known) return <Skeleton height={160} role="status" aria-label={`${label} is being read`} />;
  if (value === null || value === undefined) return <Quiet>{none}</Quiet>;
  return <JsonView value={value} label={label} bytes={bytes} maxHeight="min(48vh, 560px)" />;
}

export function Quiet({ children }: { children: ReactNode }) {
  return (
    <Text size="sm" className="quiet" component="div" py="xs">
      {children}
    </Text>
  );
}
