/** The form of an answer: made from the schema of the question, checked before it is sent, and with what the server
 * refused at its field. What was typed stays, whatever becomes of it. */
import { Alert, Group, TextInput, Tooltip } from "@mantine/core";
import "@mantine/dates/styles.css";
import { useLocalStorage } from "@mantine/hooks";
import Form from "@rjsf/mantine";
import type { RJSFSchema, UiSchema } from "@rjsf/utils";
import { IconAlertTriangle, IconSend } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useEffect, useId, useMemo, useState } from "react";
import { ApiError, failedTitle } from "@/api/client";
import { Fallible } from "@/components/ui/fallible";
import { Moment } from "@/components/ui/moments";
import { ServerButton } from "@/components/ui/server-button";
import { answerForm, defaultAnswer, refusedInside } from "@/domain/answer-form";
import { errorSchemaOf, jsonSchemaValidator, pathOf, type Values } from "@/domain/json-schema-validator";
import { fromPlain, toPlain } from "@/domain/plain-json";
import { CHANGE_ANSWER } from "@/domain/questions";
import { AS_FILLED_IN, RUN_FIELDS, RUN_TEMPLATES, RUN_WIDGETS } from "@/features/pipelines/run-form-controls";

/** `responded_by` undefined: the key says it, or nobody has to. */
export type Answer = { response: unknown; responded_by: string | undefined };

export type AnswerFormProps = {
  ui_schema: unknown;
  /** What the form is filled in with; undefined: with the defaults of the schema. */
  begins?: unknown;
  /** Whether who answers is typed here: not where a key says it. */
  name: "none" | "optional" | "required";
  /** What the button says. */
  label: string;
  /** Of who is named, where names are typed: whether they have answered before. */
  hasAnswered?: (name: string) => boolean;
  /** Why it cannot be sent any more, in the place of errors; what was typed is left to be read. */
  closed?: ReactNode;
  send: (answer: Answer) => Promise<unknown>;
  onTyped?: () => void;
};

const NAME_KEY = "ia-modules-name";
const NOT_VERIFIED = "On record with the answer, as not verified: this server has no keys.";
const ANSWERED_BEFORE =
  "Has answered before, not verified: this answer takes the place of that one, which stays on record.";
const AS_JSON: { schema: RJSFSchema; ui: UiSchema } = {
  schema: { title: "Answer" },
  ui: { "ui:field": "json", "ui:submitButtonOptions": { norender: true } },
};

export function AnswerForm(props: AnswerFormProps) {
  const { ui_schema, begins, name, label, hasAnswered, closed, send, onTyped } = props;
  const id = useId();
  const [response, setResponse] = useState<unknown>(() => begins ?? defaultAnswer(ui_schema));
  const [responded_by, setName] = useLocalStorage({ key: NAME_KEY, defaultValue: "", getInitialValueInEffect: false });
  const [tried, setTried] = useState(false);
  const [isNameMissing, setNameMissing] = useState(false);
  const drawn = useMemo(() => answerForm(ui_schema), [ui_schema]);
  const values = useMemo(() => toPlain(response), [response]);
  const sending = useMutation({
    mutationFn: () => send({ response, responded_by: name === "none" ? undefined : responded_by.trim() || undefined }),
  });
  const { error } = sending;
  useEffect(() => {
    if (error !== null) focusRefused(id); // when it is drawn as refused
  }, [error, id]);
  const fields = error instanceof ApiError ? error.fields : {};
  const refused = refusedInside(fields, "response");
  const refusedName = refusedInside(fields, "responded_by")[""];
  const isAgain = name !== "none" && hasAnswered?.(responded_by.trim()) === true;
  const isAtField = Object.keys(refused).length > 0 || refusedName !== undefined;

  const typed = () => {
    if (sending.isError) sending.reset();
    onTyped?.();
  };
  const submit = () => {
    const isMissing = name === "required" && responded_by.trim() === "";
    setNameMissing(isMissing);
    if (isMissing) focusRefused(id);
    else sending.mutate();
  };
  const form = ({ schema, ui }: typeof AS_JSON) => (
    <Form
      id={id}
      idPrefix={`${id}-answer`} // the form itself has the id
      schema={schema}
      uiSchema={ui}
      formData={values as Values}
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
        setResponse(fromPlain(formData));
        typed();
      }}
      onError={() => setTried(true)}
      onSubmit={submit}
    />
  );
  return (
    <>
      <Fallible instead={form(AS_JSON)}>{form(drawn)}</Fallible>
      {name === "none" ? null : (
        <TextInput
          mt="md"
          form={id}
          label="Your name"
          description={isAgain ? ANSWERED_BEFORE : NOT_VERIFIED}
          withAsterisk={name === "required"}
          autoComplete="name"
          maxLength={200}
          value={responded_by}
          error={isNameMissing ? "Say who answers." : refusedName}
          onChange={({ currentTarget }) => {
            setName(currentTarget.value);
            setNameMissing(false);
            typed();
          }}
        />
      )}
      {closed !== undefined ? closed : error !== null && !isAtField ? <NotSent error={error} /> : null}
      <Group justify="flex-end" mt="md">
        <Tooltip label="It takes no answer any more" disabled={closed === undefined}>
          <ServerButton
            type="submit"
            form={id}
            leftSection={<IconSend size={16} aria-hidden />}
            loading={sending.isPending}
            disabled={closed !== undefined}
          >
            {isAgain ? CHANGE_ANSWER : label}
          </ServerButton>
        </Tooltip>
      </Group>
    </>
  );
}

function NotSent({ error }: { error: Error }) {
  const first = error instanceof ApiError ? error.first : null;
  if (first === null) return <Unsent title={failedTitle(error, "It was not sent")}>{error.message}</Unsent>;
  return <TooLate what={first.by == null ? error.message : `Answered by ${first.by}`} at={first.at ?? null} />;
}

/** That somebody or something else was first; `what`: who or what, `at`: when, where that is known. */
export function TooLate({ what, at }: { what: string; at: string | null }) {
  return (
    <Unsent title="It takes no answer any more">
      {what}
      {at === null ? null : (
        <>
          {", "}
          <Moment at={at} />
        </>
      )}
      . Yours was not sent; what you typed is still here.
    </Unsent>
  );
}

function Unsent({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Alert color="red" icon={<IconAlertTriangle aria-hidden />} title={title} mt="md" role="alert">
      {children}
    </Alert>
  );
}

/** The first field that was refused. */
function focusRefused(id: string): void {
  window.setTimeout(() => {
    const parts = [`#${CSS.escape(id)} [aria-invalid="true"]`, `[form="${CSS.escape(id)}"][aria-invalid="true"]`];
    document.querySelector<HTMLElement>(parts.join(", "))?.focus();
  });
}

function asProblem(field: string, message: string) {
  return { property: `.${pathOf(field).join(".")}`, message, stack: message };
}
