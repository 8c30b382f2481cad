/** The graph of what is being written: the newest that could be drawn. */
import { Text } from "@mantine/core";
import type { GraphOut } from "@/api/schema.gen";
import { Nothing } from "@/components/ui/notices";
import { GraphView } from "@/features/graph/graph-view";
import classes from "./pipelines.module.css";

type LiveGraphProps = {
  /** Null: nothing could be drawn yet. */
  graph: GraphOut | null;
  /** Whether it is that of an earlier text. */
  isEarlier: boolean;
  /** The step that one writes in. */
  selected: string | null;
  onSelect: (stepId: string) => void;
};

export function LiveGraph({ graph, isEarlier, selected, onSelect }: LiveGraphProps) {
  if (graph === null) {
    return (
      <section className="panel" aria-label="Graph of what is written">
        <Nothing title="No graph yet">It is drawn as soon as there are steps, and a step to start at.</Nothing>
      </section>
    );
  }
  return (
    <section aria-label="Graph of what is written">
      <div className={isEarlier ? classes.earlier : undefined}>
        <GraphView graph={graph} selected={selected} onSelect={onSelect} />
      </div>
      {isEarlier ? (
        <Text size="xs" className="quiet" mt={4}>
          As it was last, before it could not be drawn any more.
        </Text>
      ) : null}
    </section>
  );
}
