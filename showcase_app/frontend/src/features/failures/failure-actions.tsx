/** What can be done to a group of failures. A disabled action gives the reason. */
import { Button, Group, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useState } from "react";
import { failedTitle } from "@/api/client";
import { useMarkFailure } from "@/api/failures";
import type { FailureOut } from "@/api/schema.gen";
import { useWhyReadOnly } from "@/api/session";
import { type FailureMark, failureText } from "@/domain/failures";
import classes from "./failures.module.css";
import { MendDialog } from "./mend-dialog";
import { RerunDialog } from "./rerun-dialog";

type FailureActionsProps = {
  failure: FailureOut;
  /** From when on it was counted: those are run again. */
  since: string;
};

export function FailureActions({ failure, since }: FailureActionsProps) {
  const [dialog, setDialog] = useState<"rerun" | "mend" | null>(null);
  const readOnly = useWhyReadOnly();
  const marking = useMarkFailure();
  const mark = (to: FailureMark) =>
    marking.mutate(
      { failure, mark: to },
      {
        onError: (error) =>
          notifications.show({ color: "red", title: failedTitle(error, "That did not work"), message: error.message }),
      },
    );
  const none = failure.count === 0 ? "None of them failed in this time." : null;
  return (
    <>
      <Group gap={6} className={classes.actions}>
        <Action name="Re-run…" failure={failure} whyNot={readOnly ?? none} onClick={() => setDialog("rerun")} />
        {failure.state === "open" ? (
          <Action name="Mute" failure={failure} whyNot={readOnly} onClick={() => mark({ state: "muted" })} />
        ) : (
          <Action
            name={failure.state === "muted" ? "Unmute" : "Open again"}
            failure={failure}
            whyNot={readOnly}
            onClick={() => mark({ state: "open" })}
          />
        )}
        <Action name="Mended…" failure={failure} whyNot={readOnly} onClick={() => setDialog("mend")} />
      </Group>
      {dialog === "mend" ? (
        <MendDialog
          failure={failure}
          onClose={() => setDialog(null)}
          onMend={(version) => {
            mark({ state: "mended", version });
            setDialog(null);
          }}
        />
      ) : null}
      {dialog === "rerun" ? <RerunDialog failure={failure} since={since} onClose={() => setDialog(null)} /> : null}
    </>
  );
}

type ActionProps = { name: string; failure: FailureOut; whyNot: string | null; onClick: () => void };

function Action({ name, failure, whyNot, onClick }: ActionProps) {
  const what = `${name} ${failureText(failure)}`; // for those who do not see which row it stands in
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
          else if (event.detail < 2) onClick(); // the second of a double click would find the opposite in its place
        }}
      >
        {name}
      </Button>
    </Tooltip>
  );
}
