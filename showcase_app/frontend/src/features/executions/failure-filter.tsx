/** Which group of failures the list is narrowed to, with the way out of it. */
import { ActionIcon, Anchor, Text, Tooltip } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import { Link } from "react-router";
import type { FailureOut } from "@/api/schema.gen";
import { Moment } from "@/components/ui/moments";
import { failureAddress, failureText } from "@/domain/failures";
import classes from "./executions.module.css";

type FailureFilterProps = {
  failure: FailureOut;
  /** From when on; undefined: from the first one on. */
  since: string | undefined;
  onClear: () => void;
};

export function FailureFilter({ failure, since, onClear }: FailureFilterProps) {
  return (
    <div className={`panel ${classes.failure}`}>
      <Text size="sm" lineClamp={2}>
        Failures like{" "}
        <Anchor component={Link} to={failureAddress(failure.id)} inherit underline="always">
          {failureText(failure)}
        </Anchor>
        {since === undefined ? null : (
          <span className="quiet">
            {" "}
            since <Moment at={since} />
          </span>
        )}
      </Text>
      <Tooltip label="All executions of the pipeline">
        <ActionIcon variant="subtle" color="gray" aria-label="Not only these failures" onClick={onClear}>
          <IconX size={16} aria-hidden />
        </ActionIcon>
      </Tooltip>
    </div>
  );
}
