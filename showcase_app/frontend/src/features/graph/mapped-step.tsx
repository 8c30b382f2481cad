/** A step that runs for each entry of a list: all its items in one node, as a ring and in numbers. */
import { type MapRow, useItemGrid } from "@/api/item-grid";
import type { ItemGridOut } from "@/api/schema.gen";
import { type NodeRun, nodeSentence } from "@/domain/graph";
import { itemsSentence, itemsText, numberText } from "@/domain/item-grid";
import { ItemsRing } from "./items-ring";
import classes from "./mapped-step.module.css";
import { Facts, type ShownStep, StepFrame } from "./step-frame";

export function MappedStep(shown: ShownStep) {
  const { step, run } = shown.data;
  const row = run === undefined ? null : rowOf(step.id, run);
  return row === null ? <Folded {...shown} grid={undefined} /> : <Begun {...shown} row={row} />;
}

function Begun({ row, ...shown }: ShownStep & { row: MapRow }) {
  return <Folded {...shown} grid={useItemGrid(row)} />;
}

/** `grid`: undefined while it is not known. */
function Folded({ grid, ...shown }: ShownStep & { grid: ItemGridOut | undefined }) {
  const { step, run, mark } = shown.data;
  const known = grid === undefined || grid.items === 0 ? null : grid;
  const sentence = nodeSentence(step, run, mark);
  const items = known === null ? `for each of ${step.map_over}` : itemsSentence(known);
  return (
    <StepFrame {...shown} sentence={`${sentence}, ${items}`} className={classes.sheets}>
      <div className={classes.mapped}>
        <ItemsRing grid={known} />
        <div className={classes.texts}>
          <div className={classes.name} title={step.name}>
            <span>{step.name}</span> {known === null ? null : <b className="numbers">× {numberText(known.items)}</b>}
          </div>
          <div className={classes.counts} title={items}>
            {known === null ? (run === undefined ? items : "") : itemsText(known)}
          </div>
          <Facts {...shown.data} />
        </div>
      </div>
    </StepFrame>
  );
}

/** null: its row is not known here. */
function rowOf(step_id: string, { row, iteration, status }: NodeRun): MapRow | null {
  return row === null ? null : { ...row, step_id, iteration, status };
}
