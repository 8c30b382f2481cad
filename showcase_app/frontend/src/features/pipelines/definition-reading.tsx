/** The definition for somebody who only looks: nothing is sent but questions. */
import { Group, Text } from "@mantine/core";
import { IconEye } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useRef } from "react";
import { offeredCodeQuery } from "@/api/definitions";
import { type Definition, graphQuery } from "@/api/pipelines";
import type { PipelineDetail } from "@/api/schema.gen";
import { QueryFailed } from "@/components/ui/notices";
import { placeOfStep } from "@/domain/definition-facts";
import { stringifyJson } from "@/domain/json";
import { GraphView } from "@/features/graph/graph-view";
import { type EditorHandle, JsonEditor } from "./json-editor";
import { OfferedCode } from "./offered-code";
import classes from "./pipelines.module.css";

type DefinitionReadingProps = {
  pipeline: PipelineDetail;
  definition: Definition;
  version: number;
  /** Why nothing can be changed. */
  why: string;
};

export function DefinitionReading({ pipeline, definition, version, why }: DefinitionReadingProps) {
  const editor = useRef<EditorHandle>(null);
  const { data: graph, error, refetch } = useQuery(graphQuery(pipeline.id, version));
  const code = useQuery(offeredCodeQuery(pipeline.id));
  const text = stringifyJson(definition, 2);
  return (
    <>
      <Group gap={8} mb="sm" wrap="nowrap" align="flex-start">
        <IconEye size={17} aria-hidden style={{ flex: "none", marginTop: 2 }} />
        <Text size="sm" className="quiet">
          Version {version}
          {version === pipeline.current_version ? ", the current one" : ""}, to read. {why}
        </Text>
      </Group>
      <div className={classes.withGraph}>
        <div className={`panel ${classes.editor}`}>
          <JsonEditor
            label="Definition as JSON, to read"
            value={text}
            height="max(380px, calc(100vh - 330px))"
            handle={editor}
            isReadOnly
          />
        </div>
        <div className={classes.beside}>
          {error !== null ? <QueryFailed what="The graph" error={error} retry={() => void refetch()} /> : null}
          {graph === undefined ? null : (
            <GraphView
              graph={graph}
              onSelect={(stepId) => {
                const place = placeOfStep(text, stepId);
                if (place !== null) editor.current?.show(place);
              }}
            />
          )}
          <OfferedCode code={code.data} error={code.error} />
        </div>
      </div>
    </>
  );
}
