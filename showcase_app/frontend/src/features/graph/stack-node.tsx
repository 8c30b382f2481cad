/** The frame around an open group, where its members stand in rows below its head. */
import type { Node } from "@xyflow/react";
import { memo } from "react";
import classes from "./graph.module.css";

export type StackNode = Node<Record<string, never>, "stack">;

export const StackNodeView = memo(function StackNodeView() {
  return <div aria-hidden className={classes.stack} />;
});
