/** The type and the message of a group: what differs from run to run stands in it as `<id>`, `<n>` and the like. */
import { Fragment } from "react";
import type { FailureOut } from "@/api/schema.gen";
import { failureText } from "@/domain/failures";
import classes from "./failures.module.css";

const STAND_IN = /(<(?:id|n|time|path|address|value)>)/;

export function ErrorText({ failure }: { failure: Pick<FailureOut, "error_type" | "message"> }) {
  const { error_type, message } = failure;
  if (error_type === "" && message === "") return failureText(failure);
  return (
    <>
      {error_type === "" ? null : <b className="mono">{error_type}</b>}
      {error_type === "" || message === "" ? "" : ": "}
      {message.split(STAND_IN).map((part, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a text stay in their places
        <Fragment key={place}>{STAND_IN.test(part) ? <i className={classes.standIn}>{part}</i> : part}</Fragment>
      ))}
    </>
  );
}
