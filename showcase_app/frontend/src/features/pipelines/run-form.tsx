/** The input of an execution: a form made from the pipeline's parameters, or the same as JSON; and starting it. */
import { Alert, Button, Group, SegmentedControl, Text, TextInput, Tooltip } from "@mantine/core";
import "@mantine/dates/styles.css";
import Form from "@rjsf/mantine";
import { IconAlertTriangle, IconPlayerPlay } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { ApiError } from "@/api/client";
import { executionKeys } from "@/api/executions";
import { pipelineKeys, startExecution } from "@/api/pipelines";
import type { PipelineDetail, RunRequest } from "@/api/schema.gen";
import { useWhyReadOnly } from "@/api/session";
import { parseJson, stringifyJson } from "@/domain/json";
import { placeOf, syntaxErrorOf } from "@/domain/json-place";
import { errorSchemaOf, jsonSchemaValidator, pathOf, problemsOf } from "@/domain/json-schema-validator";
import { fromPlain, toPlain } from "@/domain/plain-json";
import { formSchema, formUiSchema } from "@/domain/run-form";
import { type EditorHandle, type EditorProblem, JsonEditor } from "./json-editor";
import classes from "./pipelines.module.css";
import { ProblemList } from "./problem-list";
import { RUN_FIELDS, RUN_TEMPLATES, RUN_WIDGETS } from "./run-form-controls";

const FORM_ID = "run-form";
/** What was not filled in is not there: no empty objects, no first one of several values. */
const AS_FILLED_IN = {
  arrayMinItems: { populate: "never" },
  emptyObjectFields: "skipDefaults",
  constAsDefaults: "never",
} as const;
type Filling = "defaults" | "last";
type InputData = NonNullable<RunRequest["input_data"]>;

export function RunForm({ pipeline }: { pipeline: PipelineDetail }) {
  const schema = pipeline.input_schema ?? {};
  const [filling, setFilling] = useState<Filling>("defaults");
  const [shown, setShown] = useState<"form" | "json">("form");
  const [input_data, setInputData] = useState<InputData>(pipeline.default_input);
  const [text, setText] = useState("");
  const [startAt, setStartAt] = useState(""); // a time of this place's clock; "": at once
  const [tried, setTried] = useState(false);
  const startInput = useRef<HTMLInputElement>(null);
  const editor = useRef<EditorHandle>(null);
  const why = useWhyReadOnly();
  const start = useStart(pipeline, startAt === "" ? null : new Date(startAt).toISOString());
  const [drawn, ui] = useMemo(
    () => [formSchema(pipeline.input_schema ?? {}), formUiSchema(pipeline.input_schema ?? {}, pipeline.default_input)],
    [pipeline.input_schema, pipeline.default_input],
  );
  const values = useMemo(() => toPlain(input_data), [input_data]);
  useEffect(focusFirst, []);
  const refused = start.error instanceof ApiError ? refusedFields(start.error) : {};
  const broken = shown === "json" ? syntaxErrorOf(text) : null;
  const problems = shown === "json" ? problemsInText(schema, input_data, text, refused) : [];
  const hasFields = Object.keys(schema.properties ?? {}).length > 0;
  const failure = Object.keys(refused).length === 0 || shown === "json" ? start.error : null;

  const fill = (how: Filling) => {
    const filled = how === "last" ? (pipeline.last_input ?? {}) : pipeline.default_input;
    setFilling(how);
    setInputData(filled);
    setText(stringifyJson(filled, 2));
    setTried(false);
    start.reset();
  };
  const show = (what: "form" | "json") => {
    if (what === "json") setText(stringifyJson(input_data, 2));
    setShown(what);
  };
  const write = (written: string) => {
    setText(written);
    start.reset();
    if (syntaxErrorOf(written) === null) setInputData(parseJson(written) as InputData);
  };
  return (
    <>
      <Group gap="sm" mb="md">
        <SegmentedControl
          size="xs"
          aria-label="Fill in"
          value={filling}
          onChange={(how) => fill(how as Filling)}
          data={[
            { value: "defaults", label: "Defaults" },
            { value: "last", label: "Last input", disabled: pipeline.last_input === null },
          ]}
        />
        <Tooltip label="What is written is not JSON yet" disabled={broken === null}>
          <SegmentedControl
            size="xs"
            ml="auto"
            aria-label="Shown as"
            value={shown}
            onChange={(what) => show(what as "form" | "json")}
            data={[
              { value: "form", label: "Form", disabled: broken !== null },
              { value: "json", label: "JSON" },
            ]}
          />
        </Tooltip>
      </Group>
      {shown === "form" ? (
        <>
          {hasFields ? null : (
            <Text size="sm" className="quiet" mb="md">
              This pipeline has no parameters: it just runs.
            </Text>
          )}
          <Form
            key={filling}
            id={FORM_ID}
            className={classes.runForm}
            schema={drawn}
            uiSchema={ui}
            formData={values}
            validator={jsonSchemaValidator}
            widgets={RUN_WIDGETS}
            fields={RUN_FIELDS}
            templates={RUN_TEMPLATES}
            extraErrors={errorSchemaOf(Object.entries(refused).map(([field, message]) => asProblem(field, message)))}
            experimental_defaultFormStateBehavior={AS_FILLED_IN}
            noHtml5Validate
            showErrorList={false}
            focusOnFirstError
            liveValidate={tried ? "onChange" : false}
            onChange={({ formData }, field) => {
              if (field === undefined) return; // the form has filled in something itself
              setInputData(fromPlain(formData ?? {}) as InputData);
              if (start.isError) start.reset();
            }}
            onError={() => setTried(true)}
            onSubmit={() => start.mutate(input_data)}
          />
        </>
      ) : (
        <form
          id={FORM_ID}
          onSubmit={(event) => {
            event.preventDefault();
            setTried(true);
            if (broken === null && problemsOf(schema, input_data).length === 0) start.mutate(input_data);
          }}
        >
          <div className={`panel ${classes.editor}`}>
            <JsonEditor
              label="Input as JSON"
              value={text}
              onChange={write}
              problems={problems}
              handle={editor}
              minHeight="220px"
              maxHeight="56vh"
            />
          </div>
          <ProblemList problems={problems} onChoose={({ place }) => editor.current?.show(place)} />
        </form>
      )}
      <div className={classes.drawerFoot}>
        {failure === null ? null : (
          <Alert color="red" icon={<IconAlertTriangle aria-hidden />} title="It was not started" mb="sm" role="alert">
            {failure.message}
          </Alert>
        )}
        <Group justify="space-between" align="flex-end">
          <TextInput
            ref={startInput}
            type="datetime-local"
            label="Start at"
            description="Empty: at once"
            size="xs"
            form={FORM_ID}
            value={startAt}
            onChange={({ currentTarget }) => setStartAt(currentTarget.value)}
          />
          <Tooltip label={why} disabled={why === null}>
            <Button
              type="submit"
              form={FORM_ID}
              leftSection={<IconPlayerPlay size={16} aria-hidden />}
              onClick={(event) => {
                if (startInput.current?.reportValidity() === false) event.preventDefault(); // half of a time is none
              }}
              loading={start.isPending}
              disabled={why !== null || broken !== null}
            >
              {startAt === "" ? "Run" : "Run later"}
            </Button>
          </Tooltip>
        </Group>
      </div>
    </>
  );
}

/** Begin in the first field, or at what runs it where there is none. The drawer looks for the mark, sooner or later. */
function focusFirst(): void {
  const field = document.querySelector<HTMLElement>(`#${FORM_ID} :is(input:not([type="hidden"]), textarea, select)`);
  const first = field ?? document.querySelector<HTMLElement>(`button[form="${FORM_ID}"]`);
  first?.setAttribute("data-autofocus", "");
  first?.focus({ preventScroll: true });
}

/** The first field that was refused. */
function focusRefused(): void {
  window.setTimeout(() => document.querySelector<HTMLElement>(`#${FORM_ID} [aria-invalid="true"]`)?.focus());
}

/** Starts it and goes to see it. The same input sent again from the same form starts nothing twice. */
function useStart(pipeline: PipelineDetail, run_at: string | null) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const sent = useRef<{ body: string; key: string } | null>(null);
  return useMutation({
    mutationFn: (input_data: InputData) => {
      const version = pipeline.version ?? undefined;
      const body = stringifyJson([input_data, run_at]);
      if (sent.current?.body !== body) sent.current = { body, key: newKey() };
      return startExecution(pipeline.id, { input_data, version, run_at }, sent.current.key);
    },
    onError: focusRefused,
    onSuccess: (execution) => {
      void client.invalidateQueries({ queryKey: pipelineKeys.all });
      void client.invalidateQueries({ queryKey: executionKeys.lists() });
      void navigate(`/executions/${execution.execution_id}`);
    },
  });
}

function newKey(): string {
  // Not crypto.randomUUID: browsers have that on secure origins only, and a host in one's own network is none.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const INSIDE = /^input_data\.?/;

/** What the server refused of `input_data`, by the path inside it. */
function refusedFields(error: ApiError): Record<string, string> {
  return Object.fromEntries(
    Object.entries(error.fields)
      .filter(([field]) => INSIDE.test(field))
      .map(([field, detail]) => [field.replace(INSIDE, ""), detail]),
  );
}

function asProblem(field: string, message: string) {
  return { property: `.${pathOf(field).join(".")}`, message, stack: message };
}

function problemsInText(
  schema: Parameters<typeof problemsOf>[0],
  input_data: InputData,
  text: string,
  refused: Record<string, string>,
): EditorProblem[] {
  const syntax = syntaxErrorOf(text);
  if (syntax !== null) return [{ ...syntax, severity: "error" }];
  const here = problemsOf(schema, input_data).map(({ property = "", message = "" }) => [property, message] as const);
  return [...here, ...Object.entries(refused)].map(([field, message]) => {
    const path = pathOf(field).join(".");
    return { place: placeOf(text, path), detail: path === "" ? message : `${path}: ${message}`, severity: "error" };
  });
}
