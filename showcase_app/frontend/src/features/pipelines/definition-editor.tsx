/** A definition to write in, checked, completed and drawn while it is written; its problems lead to their place. */
import { EditorView } from "@codemirror/view";
import { Group, Loader, Text } from "@mantine/core";
import { IconCheck } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";
import { formatQuery, offeredCodeQuery } from "@/api/definitions";
import { QueryFailed } from "@/components/ui/notices";
import type { Knowledge } from "@/domain/definition-completion";
import { placeOfStep, stepAt } from "@/domain/definition-facts";
import { isObject } from "@/domain/json";
import { definitionCompletion } from "./completion";
import { type EditorHandle, type EditorProblem, JsonEditor } from "./json-editor";
import { LiveGraph } from "./live-graph";
import { OfferedCode } from "./offered-code";
import classes from "./pipelines.module.css";
import { ProblemList } from "./problem-list";
import type { DefinitionCheck } from "./use-definition-check";

type DefinitionEditorProps = {
  text: string;
  onChange: (text: string) => void;
  check: DefinitionCheck;
  /** Of which it is to be a version; null: it is a new pipeline. */
  pipelineId: string | null;
  /** What the server refused when it was saved. */
  refused?: readonly EditorProblem[];
};

export function DefinitionEditor({ text, onChange, check, pipelineId, refused = [] }: DefinitionEditorProps) {
  const editor = useRef<EditorHandle>(null);
  const [step, setStep] = useState<string | null>(null); // the one that the cursor is in
  const format = useQuery(formatQuery);
  const code = useQuery(offeredCodeQuery(pipelineId));
  const knowledge = useRef<Knowledge>({ schema: null, modules: [] });
  knowledge.current = {
    schema: isObject(format.data) ? format.data : null,
    modules: code.data?.modules ?? [],
  };
  const extension = useMemo(
    () => [
      definitionCompletion(() => knowledge.current),
      EditorView.updateListener.of(({ selectionSet, docChanged, state }) => {
        if (selectionSet || docChanged) setStep(stepAt(state.doc.toString(), state.selection.main.head));
      }),
    ],
    [],
  );
  const problems = refused.length === 0 ? check.problems : [...check.problems, ...refused];
  return (
    <div className={classes.withGraph}>
      <div>
        <div className={`panel ${classes.editor}`}>
          <JsonEditor
            label="Definition as JSON"
            value={text}
            onChange={onChange}
            problems={problems}
            height="max(380px, calc(100vh - 330px))"
            handle={editor}
            extension={extension}
          />
        </div>
        <Text size="xs" className="quiet" mt={6}>
          Keys, steps, modules and fields are suggested while you write, and by Ctrl+Space; Enter takes one.
        </Text>
      </div>
      <div className={classes.beside}>
        <aside className={`panel ${classes.side}`} aria-label="Problems of the definition">
          <Standing check={check} problems={problems} />
          <ProblemList problems={problems} onChoose={({ place }) => editor.current?.show(place)} />
        </aside>
        <LiveGraph
          graph={check.graph}
          isEarlier={check.isGraphEarlier}
          selected={step}
          onSelect={(stepId) => {
            const place = placeOfStep(text, stepId);
            if (place !== null) editor.current?.show(place);
          }}
        />
        <OfferedCode code={code.data} error={code.error} />
      </div>
    </div>
  );
}

function Standing({ check, problems }: { check: DefinitionCheck; problems: readonly EditorProblem[] }) {
  if (check.failed !== null) return <QueryFailed what="The check of the definition" error={check.failed} />;
  if (check.checking) {
    return (
      <Group gap={8} role="status">
        <Loader size={14} />
        <Text size="sm" className="quiet">
          Being checked
        </Text>
      </Group>
    );
  }
  const errors = problems.filter((problem) => problem.severity === "error").length;
  if (errors === 0) {
    return (
      <Group gap={8} wrap="nowrap" role="status">
        <IconCheck size={17} stroke={2.4} color="var(--ia-status-completed)" aria-hidden />
        <Text size="sm" fw={600}>
          It can be saved
        </Text>
      </Group>
    );
  }
  return (
    <Text size="sm" fw={600} role="status">
      {errors === 1 ? "1 problem" : `${errors} problems`}
    </Text>
  );
}
