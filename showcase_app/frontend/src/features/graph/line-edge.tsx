/** An edge between two steps, along ELK's route, with its condition. */
import { BaseEdge, type Edge, EdgeLabelRenderer, type EdgeProps } from "@xyflow/react";
import { memo } from "react";
import { type EdgeState, edgeText, shortLabel } from "@/domain/graph";
import { type EdgeLine, LABEL_WIDTH, roundedPath } from "@/domain/graph-layout";
import classes from "./graph.module.css";

export type LineEdgeData = { line: EdgeLine; state: EdgeState | "idle"; moving: boolean };
export type LineEdge = Edge<LineEdgeData, "line">;

export const LineEdgeView = memo(function LineEdgeView({ id, data, markerEnd }: EdgeProps<LineEdge>) {
  if (data === undefined) return null;
  const { line, state, moving } = data;
  return (
    <>
      <BaseEdge
        id={id}
        path={roundedPath(line.points)}
        markerEnd={markerEnd}
        className={classes.edge}
        data-state={state}
        data-back={line.edge?.is_back_edge ?? false}
        data-ends={line.edge?.ends_execution ?? false}
        data-moving={moving}
        interactionWidth={0}
      />
      {line.labelAt === null ? null : (
        <EdgeLabelRenderer>
          <EdgeLabel line={line} state={state} />
        </EdgeLabelRenderer>
      )}
    </>
  );
});

/** The condition of an edge, on its line. */
export function EdgeLabel({ line, state }: Pick<LineEdgeData, "line" | "state">) {
  const { edge, labelAt } = line;
  if (edge === null || labelAt === null) return null;
  return (
    <div
      className={classes.label}
      data-state={state}
      title={edgeText(edge)}
      style={{
        maxWidth: LABEL_WIDTH,
        transform: `translate(-50%, -50%) translate(${labelAt.x}px, ${labelAt.y}px)`,
      }}
    >
      <span>{shortLabel(edge)}</span>
    </div>
  );
}
