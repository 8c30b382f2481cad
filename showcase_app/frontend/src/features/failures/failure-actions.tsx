/** What can be done to a group of failures. A disabled action gives the reason. */
import { Button, Group, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useState } from "react";
import { useMarkFailure } from "@/api/failures";
import type { FailureOut } from "@/api/schema.gen";
import { useWhyReadOnly } from "@/api/session";
import { type FailureMark, failureText } from "@/domain/failures";
import classes from "./failures.module.css";
import { MendDialog } from "./mend-dialog";

export function FailureActions({ failure }: { failure: FailureOut }) {
  const [isMending, setMending] = useState(false);
  const readOnly = useWhyReadOnly();
  const marking = useMarkFailure();
  const mark = (to: FailureMark) =>
    marking.mutate(
      { failure, mark: to },
      { onError: (error) => notifications.show({ color: "red", title: "That did not work", message: error.message }) },
    );
  return (
    <>
      <Group gap={6} className={classes.actions}>
        {failure.state === "open" ? (
          <Action
            name="Mute"
            what={`Mute ${failureText(failure)}`}
            whyNot={readOnly}
            onClick={() => mark({ state: "muted" })}
          />
        ) : (
          <Action
            name={failure.state === "muted" ? "Unmute" : "Open again"}
            what={`Open ${failureText(failure)} again`}
            whyNot={readOnly}
            onClick={() => mark({ state: "open" })}
          />
        )}
        <Action
          name="Mended…"
          what={`Mark ${failureText(failure)} as mended`}
          whyNot={readOnly}
          onClick={() => setMending(true)}
        />
      </Group>
      {isMending ? (
        <MendDialog
          failure={failure}
          onClose={() => setMending(false)}
          onMend={(version) => {
            mark({ state: "mended", version });
            setMending(false);
          }}
        />
      ) : null}
    </>
  );
}

type ActionProps = {
  name: string;
  /** The same for those who do not see which row it stands in. */
  what: string;
  whyNot: string | null;
  onClick: () => void;
};

function Action({ name, what, whyNot, onClick }: ActionProps) {
  return (
    <Tooltip label={whyNot} disabled={whyNot === null}>
      <Button
        variant="default"
        size="compact-sm"
        aria-label={whyNot === null ? what : `${what}: ${whyNot}`}
        data-disabled={whyNot !== null || undefined}
        aria-disabled={whyNot !== null}
        onClick={(event) => {
          if (whyNot !== null) event.preventDefault();
          else onClick();
        }}
      >
        {name}
      </Button>
    </Tooltip>
  );
}
