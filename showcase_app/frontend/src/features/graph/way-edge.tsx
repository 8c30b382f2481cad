/** A way between two steps, along ELK's route, with its condition. */
import { BaseEdge, type Edge, EdgeLabelRenderer, type EdgeProps } from "@xyflow/react";
import { memo } from "react";
import { type EdgeState, shortLabel } from "@/domain/graph";
import { LABEL_WIDTH, roundedPath, type Way } from "@/domain/graph-layout";
import classes from "./graph.module.css";

export type WayEdgeData = { way: Way; state: EdgeState | "idle"; moving: boolean };
export type WayEdge = Edge<WayEdgeData, "way">;

export const WayEdgeView = memo(function WayEdgeView({ id, data, markerEnd }: EdgeProps<WayEdge>) {
  if (data === undefined) return null;
  const { way, state, moving } = data;
  return (
    <>
      <BaseEdge
        id={id}
        path={roundedPath(way.points)}
        markerEnd={markerEnd}
        className={classes.way}
        data-state={state}
        data-back={way.edge?.is_back_edge ?? false}
        data-moving={moving}
        interactionWidth={0}
      />
      {way.edge === null || way.labelAt === null ? null : (
        <EdgeLabelRenderer>
          <div
            className={classes.label}
            data-state={state}
            title={way.edge.label}
            style={{
              maxWidth: LABEL_WIDTH,
              transform: `translate(-50%, -50%) translate(${way.labelAt.x}px, ${way.labelAt.y}px)`,
            }}
          >
            <span>{shortLabel(way.edge)}</span>
          </div>
        </EdgeLabelRenderer>
      )}
    </>
  );
});
