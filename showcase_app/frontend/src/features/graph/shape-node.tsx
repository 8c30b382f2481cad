/** All steps or edges of one colour, in graphs of too many: on the canvas, and in the small map. */
import { MiniMapNode, type MiniMapNodeProps, type Node, type NodeProps, useStore } from "@xyflow/react";
import { memo } from "react";
import type { Shape } from "@/domain/graph-overview";
import classes from "./graph.module.css";

/** `isShown`: on the canvas; otherwise in the small map alone. */
export type ShapeNodeData = { kind: "boxes" | "lines"; shape: Shape; isShown: boolean };
export type ShapeNode = Node<ShapeNodeData, "shape">;

const LEAST_PIXELS = 4; // of a step, however far away
const STEP_PIXELS = 66;
const LINE_PIXELS = 1.5;

export const ShapeNodeView = memo(function ShapeNodeView({ data, width, height }: NodeProps<ShapeNode>) {
  const zoom = useStore((state) => (data.isShown ? state.transform[2] : 1));
  if (!data.isShown) return null;
  const { kind, shape } = data;
  const pixels = kind === "lines" ? Math.max(LINE_PIXELS * zoom, 0.6) : Math.max(0, LEAST_PIXELS - STEP_PIXELS * zoom);
  return (
    <svg className={classes.shape} width={width} height={height} aria-hidden>
      <path
        d={shape.path}
        style={{
          fill: kind === "lines" ? "none" : shape.color,
          stroke: shape.color,
          strokeWidth: pixels / zoom,
        }}
      />
    </svg>
  );
});

/** In the small map: steps by their colours, and no edges. */
export function MapNode(shown: MiniMapNodeProps) {
  const data = useStore((state) => state.nodeLookup.get(shown.id)?.data);
  if (!isShapeData(data)) return <MiniMapNode {...shown} />;
  if (data.kind === "lines") return null;
  const { color, path } = data.shape;
  return <path d={path} style={{ fill: color, stroke: color, strokeWidth: shown.strokeWidth }} />;
}

function isShapeData(data: Record<string, unknown> | undefined): data is ShapeNodeData {
  return data !== undefined && "shape" in data;
}
