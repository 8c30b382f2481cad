/** A value to fill in: a form made from its JSON Schema, or the same as JSON. Every number keeps its text. */
import { SegmentedControl, Skeleton, Text, Tooltip } from "@mantine/core";
import "@mantine/dates/styles.css";
import Form from "@rjsf/mantine";
import type { RJSFSchema } from "@rjsf/utils";
import { Suspense, useMemo, useRef, useState } from "react";
import type { ApiError } from "@/api/client";
import { lazyPart } from "@/components/ui/lazy-part";
import { parseJson, stringifyJson } from "@/domain/json";
import { placeOf, syntaxErrorOf } from "@/domain/json-place";
import { errorSchemaOf, jsonSchemaValidator, pathOf, problemsOf, type Values } from "@/domain/json-schema-validator";
import { fromPlain, toPlain } from "@/domain/plain-json";
import { formSchema, formUiSchema } from "@/domain/run-form";
import type { EditorHandle, EditorProblem } from "./json-editor";
import classes from "./pipelines.module.css";
import { ProblemList } from "./problem-list";
import { AS_FILLED_IN, RUN_FIELDS, RUN_TEMPLATES, RUN_WIDGETS } from "./run-form-controls";

const JsonEditor = lazyPart(async () => (await import("./json-editor")).JsonEditor);

type Shown = "form" | "json";

/** What is written so far, and how it is shown. */
export type FilledIn = {
  shown: Shown;
  value: unknown;
  text: string;
  /** Whether it was to be sent, so that what is wrong is said from then on. */
  tried: boolean;
  /** Rises when it is filled anew. */
  filling: number;
  isBroken: boolean;
  /** Whether the reader has written something since it was filled. */
  isTyped: boolean;
  fill: (value: unknown) => void;
  show: (what: Shown) => void;
  write: (text: string) => void;
  set: (value: unknown) => void;
  tryIt: () => void;
};

/** `filled`: what it begins with. */
export function useFilledIn(filled: unknown): FilledIn {
  const [shown, setShown] = useState<Shown>("form");
  const [value, setValue] = useState(filled);
  const [text, setText] = useState(() => stringifyJson(filled, 2));
  const [tried, setTried] = useState(false);
  const [filling, setFilling] = useState(0);
  const [isTyped, setTyped] = useState(false);
  return {
    shown,
    value,
    text,
    tried,
    filling,
    isTyped,
    isBroken: shown === "json" && syntaxErrorOf(text) !== null,
    fill: (next) => {
      setValue(next);
      setText(stringifyJson(next, 2));
      setTried(false);
      setTyped(false);
      setFilling((before) => before + 1);
    },
    show: (what) => {
      if (what === "json") setText(stringifyJson(value, 2));
      setShown(what);
    },
    write: (written) => {
      setText(written);
      setTyped(true);
      if (syntaxErrorOf(written) === null) setValue(parseJson(written));
    },
    set: (next) => {
      setValue(next);
      setTyped(true);
    },
    tryIt: () => setTried(true),
  };
}

/** The choice between form and JSON. */
export function ShownAs({ filledIn }: { filledIn: FilledIn }) {
  return (
    <Tooltip label="What is written is not JSON yet" disabled={!filledIn.isBroken}>
      <SegmentedControl
        size="xs"
        ml="auto"
        aria-label="Shown as"
        value={filledIn.shown}
        onChange={(what) => filledIn.show(what as Shown)}
        data={[
          { value: "form", label: "Form", disabled: filledIn.isBroken },
          { value: "json", label: "JSON" },
        ]}
      />
    </Tooltip>
  );
}

type ValueFormProps = {
  /** Of the form element: the button that submits it stands elsewhere. */
  id: string;
  /** What is written, for screen readers. */
  label: string;
  schema: RJSFSchema;
  filledIn: FilledIn;
  /** What the form's own controls begin with. */
  defaults: unknown;
  /** What the server refused, by the path inside the value. */
  refused: Readonly<Record<string, string>>;
  /** Said where the schema has no fields. */
  none: string;
  onEdit: () => void;
  onSubmit: (value: unknown) => void;
};

export function ValueForm(props: ValueFormProps) {
  const { id, label, schema, filledIn, defaults, refused, none, onEdit, onSubmit } = props;
  const editor = useRef<EditorHandle>(null);
  const [drawn, ui] = useMemo(() => [formSchema(schema), formUiSchema(schema, defaults)], [schema, defaults]);
  const values = useMemo(() => toPlain(filledIn.value) as Values, [filledIn.value]);
  const hasFields = Object.keys(schema.properties ?? {}).length > 0;
  if (filledIn.shown === "json") {
    const problems = problemsInText(schema, filledIn.value, filledIn.text, refused);
    return (
      <form
        id={id}
        onSubmit={(event) => {
          event.preventDefault();
          filledIn.tryIt();
          if (!filledIn.isBroken && problemsOf(schema, filledIn.value).length === 0) onSubmit(filledIn.value);
        }}
      >
        <div className={`panel ${classes.editor}`}>
          <Suspense fallback={<Skeleton height={220} role="status" aria-label="The editor is being fetched" />}>
            <JsonEditor
              label={label}
              value={filledIn.text}
              onChange={(text) => {
                filledIn.write(text);
                onEdit();
              }}
              problems={problems}
              handle={editor}
              minHeight="220px"
              maxHeight="56vh"
            />
          </Suspense>
        </div>
        <ProblemList problems={problems} onChoose={({ place }) => editor.current?.show(place)} />
      </form>
    );
  }
  return (
    <>
      {hasFields ? null : (
        <Text size="sm" className="quiet" mb="md">
          {none}
        </Text>
      )}
      <Form
        key={filledIn.filling}
        id={id}
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
        liveValidate={filledIn.tried ? "onChange" : false}
        onChange={({ formData }, field) => {
          if (field === undefined) return; // the form has filled in something itself
          filledIn.set(fromPlain(formData ?? {}));
          onEdit();
        }}
        onError={() => filledIn.tryIt()}
        onSubmit={() => onSubmit(filledIn.value)}
      />
    </>
  );
}

/** What the server refused of a part of the body, by the path inside it. */
export function refusedFields(error: ApiError, part: string): Record<string, string> {
  const inside = new RegExp(`^${part}\\.?`);
  return Object.fromEntries(
    Object.entries(error.fields)
      .filter(([field]) => inside.test(field))
      .map(([field, detail]) => [field.replace(inside, ""), detail]),
  );
}

/** The first field that was refused. */
export function focusRefused(formId: string): void {
  window.setTimeout(() => document.querySelector<HTMLElement>(`#${formId} [aria-invalid="true"]`)?.focus());
}

function asProblem(field: string, message: string) {
  return { property: `.${pathOf(field).join(".")}`, message, stack: message };
}

function problemsInText(
  schema: RJSFSchema,
  value: unknown,
  text: string,
  refused: Readonly<Record<string, string>>,
): EditorProblem[] {
  const syntax = syntaxErrorOf(text);
  if (syntax !== null) return [{ ...syntax, severity: "error" }];
  const here = problemsOf(schema, value).map(({ property = "", message = "" }) => [property, message] as const);
  return [...here, ...Object.entries(refused)].map(([field, message]) => {
    const path = pathOf(field).join(".");
    return { place: placeOf(text, path), detail: path === "" ? message : `${path}: ${message}`, severity: "error" };
  });
}
