/** Where the edges of a node end. */
import { Handle, Position } from "@xyflow/react";
import classes from "./graph.module.css";

/** React Flow draws no edge to a node without them; where edges really end, the layout says. */
export function Ends() {
  return (
    <>
      <Handle type="target" position={Position.Left} isConnectable={false} className={classes.handle} />
      <Handle type="source" position={Position.Right} isConnectable={false} className={classes.handle} />
    </>
  );
}
