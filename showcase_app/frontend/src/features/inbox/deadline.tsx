/** Until when a question waits; what is soon stands out. */
import { Moment, useNow } from "@/components/ui/moments";
import classes from "./inbox.module.css";

const SOON_MS = 3_600_000;

export function Deadline({ at }: { at: string | null }) {
  const now = useNow(at !== null);
  if (at === null) return <span className="quiet">no deadline</span>;
  return (
    <span className={Date.parse(at) - now < SOON_MS ? classes.soon : undefined}>
      <Moment at={at} />
    </span>
  );
}
