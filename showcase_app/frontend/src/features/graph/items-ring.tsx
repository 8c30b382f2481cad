/** How many items stand how, as parts of a ring; what has not begun is left open. */
import type { ItemGridOut } from "@/api/schema.gen";
import { sharesOf } from "@/domain/item-grid";
import { statusFill } from "@/domain/status";
import classes from "./mapped-step.module.css";

const CIRCLE = { cx: 16, cy: 16, r: 13, pathLength: 1 };

/** Numbers beside it say the same. `grid`: null where they are not known. */
export function ItemsRing({ grid }: { grid: ItemGridOut | null }) {
  return (
    <svg aria-hidden viewBox="0 0 32 32" className={classes.ring}>
      <circle {...CIRCLE} />
      {grid === null
        ? null
        : sharesOf(grid).map(({ status, from, share }) => (
            <circle
              key={status}
              {...CIRCLE}
              data-status={status}
              stroke={statusFill(status)}
              strokeDasharray={`${share} ${1 - share}`}
              strokeDashoffset={-from}
            />
          ))}
    </svg>
  );
}
