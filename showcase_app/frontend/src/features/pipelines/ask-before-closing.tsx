/** Asks before what was filled in is lost: where the form is closed, and where one goes back or elsewhere. */
import { useQueryClient } from "@tanstack/react-query";
import { useBlocker } from "react-router";
import { LeaveModal } from "./leave-modal";

/** To be there for as long as there is something to lose. `param`: what the form is open by, in the address. */
export function AskBeforeClosing({ param }: { param: string }) {
  const client = useQueryClient();
  const blocker = useBlocker(({ currentLocation, nextLocation }) => {
    const [open, next] = [currentLocation, nextLocation].map(({ search }) => new URLSearchParams(search).get(param));
    const isSending = client.isMutating() > 0; // what comes of it is shown
    return !isSending && (currentLocation.pathname !== nextLocation.pathname || open !== next);
  });
  return (
    <LeaveModal
      blocker={blocker}
      title="Close without starting it?"
      lost="What you filled in is not sent and will be lost."
      leave="Close"
    />
  );
}
