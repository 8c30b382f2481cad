/** A definition to write in, checked while it is written; its problems lead to their place. */
import { Group, Loader, Text } from "@mantine/core";
import { IconCheck } from "@tabler/icons-react";
import { useRef } from "react";
import { QueryFailed } from "@/components/ui/notices";
import { type EditorHandle, type EditorProblem, JsonEditor } from "./json-editor";
import classes from "./pipelines.module.css";
import { ProblemList } from "./problem-list";
import type { DefinitionCheck } from "./use-definition-check";

type DefinitionEditorProps = {
  text: string;
  onChange: (text: string) => void;
  check: DefinitionCheck;
  /** What the server refused when it was saved. */
  refused?: readonly EditorProblem[];
};

export function DefinitionEditor({ text, onChange, check, refused = [] }: DefinitionEditorProps) {
  const editor = useRef<EditorHandle>(null);
  const problems = refused.length === 0 ? check.problems : [...check.problems, ...refused];
  return (
    <div className={classes.withSide}>
      <div className={`panel ${classes.editor}`}>
        <JsonEditor
          label="Definition as JSON"
          value={text}
          onChange={onChange}
          problems={problems}
          height="max(380px, calc(100vh - 330px))"
          handle={editor}
        />
      </div>
      <aside className={`panel ${classes.side}`} aria-label="Problems of the definition">
        <Standing check={check} problems={problems} />
        <ProblemList problems={problems} onChoose={({ place }) => editor.current?.show(place)} />
      </aside>
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
