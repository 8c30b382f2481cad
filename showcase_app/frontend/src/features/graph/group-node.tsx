/** Parallel steps of one kind, drawn as one until somebody opens them; then what stands above them, to close them. */
import { IconChevronDown, IconChevronUp } from "@tabler/icons-react";
import type { Node, NodeProps } from "@xyflow/react";
import { type CSSProperties, memo } from "react";
import { RunTime } from "@/components/ui/moments";
import type { StepGroup } from "@/domain/drawn-graph";
import type { StepMark } from "@/domain/graph";
import { statusFill } from "@/domain/status";
import { countsText, type GroupRun, groupSentence, statusOfGroup } from "@/domain/step-groups";
import { Ends } from "./ends";
import classes from "./graph.module.css";
import { MarkFact } from "./mark-fact";

export type GroupNodeData = {
  group: StepGroup;
  /** null: no run is shown. */
  run: GroupRun | null;
  marked: { mark: StepMark; count: number } | null;
  /** Whether the step that is selected is one of its members. */
  hasSelected: boolean;
};
export type GroupNode = Node<GroupNodeData, "group">;

export const GroupNodeView = memo(function GroupNodeView({
  data: { group, run, marked, hasSelected },
}: NodeProps<GroupNode>) {
  const status = run === null ? null : statusOfGroup(run);
  const Chevron = group.isOpen ? IconChevronUp : IconChevronDown;
  const total = group.members.length;
  return (
    <>
      <span className={classes.unseen}>{groupSentence(group, run, marked)}</span>
      <div
        aria-hidden
        className={classes.step}
        data-group={group.isOpen ? "open" : "closed"}
        data-standing={status === null ? "ahead" : "run"}
        data-mark={marked?.mark}
        data-selected={hasSelected && !group.isOpen}
        style={status === null ? undefined : ({ "--step-color": statusFill(status) } as CSSProperties)}
      >
        <div className={classes.groupName}>
          <span>{group.name}</span>
          <Chevron size={16} className={classes.kind} />
        </div>
        {group.isOpen ? null : (
          <>
            <div className={classes.groupFacts}>
              {run === null ? null : <span className={classes.fact}>{countsText(run)}</span>}
              {marked === null ? null : <MarkFact mark={marked.mark} count={marked.count} />}
              {run?.times == null ? null : (
                <span className={classes.groupTime}>
                  <RunTime times={run.times} />
                </span>
              )}
            </div>
            {run === null ? null : (
              <div className={classes.shares}>
                {run.counts.map(({ standing, count }) =>
                  standing === "ahead" || standing === "passed" ? null : (
                    <div
                      key={standing}
                      style={{ width: `${(count / total) * 100}%`, background: statusFill(standing) }}
                    />
                  ),
                )}
              </div>
            )}
          </>
        )}
        <Ends />
      </div>
    </>
  );
});
