/** A step in the graph: name, kind, how it stands; and where all begins and ends. */
import { IconFlagFilled, IconPlayerPlayFilled } from "@tabler/icons-react";
import type { Node, NodeProps } from "@xyflow/react";
import { memo, Suspense } from "react";
import { lazyPart } from "@/components/ui/lazy-part";
import { nodeSentence } from "@/domain/graph";
import { Ends } from "./ends";
import classes from "./graph.module.css";
import { Facts, type ShownStep, StepFrame, type StepNodeData } from "./step-frame";

export type StepNode = Node<StepNodeData, "step">;
export type MarkNodeData = { kind: "start" | "end"; text: string };
export type MarkNode = Node<MarkNodeData, "mark">;

const MappedStep = lazyPart(async () => (await import("./mapped-step")).MappedStep, StepOnce);

export const StepNodeView = memo(function StepNodeView({ data, selected }: NodeProps<StepNode>) {
  const once = <StepOnce data={data} selected={selected} />;
  if (data.step.map_over === null) return once;
  return (
    <Suspense fallback={once}>
      <MappedStep data={data} selected={selected} />
    </Suspense>
  );
});

function StepOnce(shown: ShownStep) {
  const { step, run, mark } = shown.data;
  return (
    <StepFrame {...shown} sentence={nodeSentence(step, run, mark)}>
      <div className={classes.name} title={step.name}>
        {step.name}
      </div>
      <Facts {...shown.data} />
    </StepFrame>
  );
}

const MARK_WORDS = { start: "Start", end: "End" };

export const MarkNodeView = memo(function MarkNodeView({ data: { kind, text } }: NodeProps<MarkNode>) {
  const Icon = kind === "start" ? IconPlayerPlayFilled : IconFlagFilled;
  return (
    <div className={classes.mark} data-named={text !== ""} title={text === "" ? MARK_WORDS[kind] : text}>
      <Ends />
      <Icon size={11} role="img" aria-label={MARK_WORDS[kind]} />
      {text}
    </div>
  );
});
