/** The controls of the run form: those that rjsf's Mantine theme does not have, or not with their help text, and text
 * where a control could not hold a value exactly. Values come and go plain (see plain-json.ts). */
import { Group, JsonInput, Switch, TagsInput, Text } from "@mantine/core";
import { Templates, Widgets } from "@rjsf/mantine";
import {
  type ArrayFieldTitleProps,
  type BaseInputTemplateProps,
  type DescriptionFieldProps,
  errorId,
  type FieldErrorProps,
  type FieldProps,
  type RegistryFieldsType,
  type RegistryWidgetsType,
  type TitleFieldProps,
  titleId,
  type WidgetProps,
} from "@rjsf/utils";
import { type ComponentType, useState } from "react";
import { MomentField } from "@/components/ui/moment-field";
import { isNumber, isNumberText, jsonNumber, LosslessNumber, parseJson, stringifyJson } from "@/domain/json";
import { fromPlain, toPlain } from "@/domain/plain-json";
import { isMoment } from "@/domain/written-time";

function wrong(errors: readonly string[] | undefined): string | undefined {
  return errors === undefined || errors.length === 0 ? undefined : errors.join(" ");
}

function helpOf({ options, schema, hideLabel }: WidgetProps): string | undefined {
  return hideLabel ? undefined : (options.description ?? schema.description);
}

const KEPT_AS_TEXT = "Kept as text: the control for it cannot hold this value exactly.";

/** The help text, and that the value is kept as text. */
function textHelpOf(props: WidgetProps): string {
  return [helpOf(props), KEPT_AS_TEXT].filter((help) => help !== undefined && help !== "").join(" ");
}

type HeldOrTextProps = {
  /** undefined: the theme has none. */
  Control: ComponentType<WidgetProps> | undefined;
  holds: (value: unknown, props: WidgetProps) => boolean;
  props: WidgetProps;
};

/** A control for the values that it holds; any other is offered as text, and stays that until the form is filled anew. */
function HeldOrText({ Control, holds, props }: HeldOrTextProps) {
  const [isHeld] = useState(() => isNothing(props.value) || holds(fromPlain(props.value), props));
  if (!isHeld) return <AsText {...props} />;
  return Control === undefined ? null : <Control {...props} />;
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isListOfTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText);
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === "boolean";
}

/** The forms that the theme's controls read and write. */
const isDate = (value: unknown) => isText(value) && /^(\d{4}-\d\d-\d\d)?$/.test(value);
const isDateTime = (value: unknown) => isText(value) && !/\.\d{4}/.test(value) && (value === "" || isMoment(value));
const isTime = (value: unknown) => isText(value) && /^(\d\d:\d\d(:\d\d)?(Z|[+-]00:00)?)?$/i.test(value);

/** One of the options, or some. */
function isChosen(value: unknown, { multiple, options }: WidgetProps): boolean {
  const names = options.enumOptions?.map((option) => stringifyJson(fromPlain(option.value))) ?? [];
  const chosen: readonly unknown[] = multiple && Array.isArray(value) ? value : [value];
  return chosen.every((each) => names.includes(stringifyJson(each)));
}

function areChosen(value: unknown, props: WidgetProps): boolean {
  return Array.isArray(value) && isChosen(value, { ...props, multiple: true });
}

/** A text as it is, anything else as JSON. */
function AsText(props: WidgetProps) {
  const { id, label, schema, value, required, disabled, readonly, rawErrors, onChange } = props;
  const description = textHelpOf(props);
  if (schema.type === "string" && isText(fromPlain(value))) {
    return <ThemedInput {...props} schema={{ type: "string" }} options={{ ...props.options, description }} />;
  }
  const look = { id, label, description, required, disabled: disabled || readonly, error: wrong(rawErrors) };
  return <JsonText {...look} value={value} onChange={onChange} />;
}

/** The theme's, controlled from the first: a field without a value is empty. */
function ThemedInput(props: BaseInputTemplateProps) {
  const Themed = Templates.BaseInputTemplate;
  return Themed === undefined ? null : <Themed {...props} value={props.value ?? ""} />;
}

/** A number field, or text for a number that such a field would round or write in another way. */
function NumberInput(props: BaseInputTemplateProps) {
  const value = fromPlain(props.value);
  const isExact = value instanceof LosslessNumber;
  const [asText] = useState(isExact || String(value).includes("e")); // such as 1e+21
  const shown = isNumber(value) && (isExact || asText) ? String(value) : value;
  const onChange = (typed: unknown) => props.onChange(typedNumber(typed));
  if (asText) {
    const options = { ...props.options, description: textHelpOf(props), inputMode: "decimal" };
    return <ThemedInput {...props} schema={{ type: "string" }} options={options} value={shown} onChange={onChange} />;
  }
  const options = {
    ...props.options,
    clampBehavior: "none", // a value beyond a limit is an error, and not changed to the limit
    trimLeadingZeroesOnBlur: false,
    // More was typed than a number holds: the field has its text, and cannot count on from it.
    hideControls: isExact,
    withKeyboardEvents: !isExact,
  };
  return <ThemedInput {...props} options={options} value={shown} onChange={onChange} />;
}

/** What stands in a field for a number: nothing, a number by its text, or a text that is none yet. */
function typedNumber(typed: unknown): unknown {
  if (typed === "" || isNothing(typed)) return undefined;
  const text = String(typed).replace(/^(-?)0+(?=\d)/, "$1");
  return isNumberText(text) ? toPlain(jsonNumber(text)) : text;
}

function BaseInput(props: BaseInputTemplateProps) {
  const { type } = props.schema;
  return type === "number" || type === "integer" ? (
    <HeldOrText Control={NumberInput} holds={isNumber} props={props} />
  ) : (
    <HeldOrText Control={ThemedInput} holds={isText} props={props} />
  );
}

/** Not the theme's, which makes a double of whatever is typed. */
function NumberField(props: FieldProps) {
  const { StringField } = props.registry.fields;
  return StringField === undefined ? null : <StringField {...props} />;
}

function SwitchWidget(props: WidgetProps) {
  const { id, label, value, disabled, readonly, rawErrors, onChange } = props;
  return (
    <Switch
      id={id}
      label={label}
      description={helpOf(props)}
      error={wrong(rawErrors)}
      checked={value === true}
      disabled={disabled || readonly}
      onChange={(event) => onChange(event.currentTarget.checked)}
    />
  );
}

/** A list of texts: Enter or a comma ends one. */
function TagsWidget(props: WidgetProps) {
  const { id, label, value, required, disabled, readonly, rawErrors, onChange } = props;
  const texts = isListOfTexts(value) ? value : [];
  return (
    <TagsInput
      id={id}
      label={label}
      description={helpOf(props)}
      error={wrong(rawErrors)}
      withAsterisk={required}
      disabled={disabled || readonly}
      value={texts}
      allowDuplicates={props.schema.uniqueItems !== true}
      placeholder={texts.length === 0 ? "Type one and press Enter" : undefined}
      acceptValueOnBlur
      clearable
      onChange={onChange}
    />
  );
}

/** Not the theme's, which has no time of day, and writes what is no moment: a zone is missing. */
function MomentWidget(props: WidgetProps) {
  const { id, label, value, required, disabled, readonly, rawErrors, onChange } = props;
  return (
    <MomentField
      id={id}
      label={label}
      description={helpOf(props)}
      error={wrong(rawErrors)}
      withAsterisk={required}
      disabled={disabled || readonly}
      value={isText(value) && value !== "" ? value : undefined}
      onChange={onChange}
    />
  );
}

/** In the place of null among the options: the theme takes null for nothing chosen. */
const CHOSEN_NULL = { "[null]": true };

/** The theme's, with the help text that it forgets. */
function SelectWidget(props: WidgetProps) {
  const Themed = Widgets.SelectWidget;
  if (Themed === undefined) return null;
  const { value, multiple, onChange } = props;
  const { enumOptions } = props.options;
  const hasNull = !multiple && enumOptions?.some((option) => option.value === null) === true;
  const options = {
    ...props.options,
    description: helpOf(props),
    comboboxProps: { withinPortal: true },
    enumOptions: hasNull
      ? enumOptions?.map((option) => (option.value === null ? { ...option, value: CHOSEN_NULL } : option))
      : enumOptions,
  };
  const choose = (chosen: unknown) => onChange(chosen === CHOSEN_NULL ? null : chosen);
  return (
    <Themed {...props} value={hasNull && value === null ? CHOSEN_NULL : value} options={options} onChange={choose} />
  );
}

/** The theme's, the same. */
function withHelp(Themed: ComponentType<WidgetProps> | undefined) {
  return function Helpful(props: WidgetProps) {
    const options = { ...props.options, description: helpOf(props) };
    return Themed === undefined ? null : <Themed {...props} options={options} />;
  };
}

const IN_UTC = "In UTC.";

/** The theme's, whose text is without seconds and zone: JSON Schema's `time` has both. */
function TimeWidget(props: WidgetProps) {
  const Themed = Widgets.TimeWidget;
  const text = isText(props.value) ? props.value.slice(0, "hh:mm:ss".length).replace(/[^\d:].*$/, "") : "";
  const [withSeconds] = useState(() => /:(?!00)\d\d$/.test(text.slice("hh:mm".length)));
  if (Themed === undefined) return null;
  const description = [helpOf(props), IN_UTC].filter((help) => help !== undefined && help !== "").join(" ");
  const write = (written: string) => {
    const whole = written.length === "hh:mm".length ? `${written}:00` : written;
    props.onChange(written === "" ? undefined : `${whole}Z`);
  };
  return <Themed {...props} value={text} options={{ ...props.options, description, withSeconds }} onChange={write} />;
}

const RadioWidget = withHelp(Widgets.RadioWidget);
const TextareaWidget = withHelp(Widgets.TextareaWidget);

/** What is wrong with a group or a list as a whole; controls say themselves what is wrong with them. */
function GroupErrors({ errors = [], schema, uiSchema, fieldPathId }: FieldErrorProps) {
  const isGroup = schema.type === "object" || schema.type === "array";
  const hasControl = uiSchema?.["ui:widget"] !== undefined || uiSchema?.["ui:field"] !== undefined;
  if (errors.length === 0 || !isGroup || hasControl) return null;
  return (
    <Text id={errorId(fieldPathId)} size="xs" c="var(--mantine-color-error)" mt={4}>
      {errors.join(" ")}
    </Text>
  );
}

type JsonTextProps = {
  id: string;
  label: string;
  description: string | undefined;
  error: string | undefined;
  required: boolean | undefined;
  disabled: boolean | undefined;
  value: unknown;
  onChange: (value: unknown) => void;
};

function JsonText({ value, error, required, onChange, ...look }: JsonTextProps) {
  const [text, setText] = useState(() => (value === undefined ? "" : stringifyJson(fromPlain(value), 2)));
  const [broken, setBroken] = useState(false);
  return (
    <JsonInput
      {...look}
      error={broken ? "This is not JSON yet." : error}
      withAsterisk={required}
      value={text}
      autosize
      minRows={2}
      maxRows={14}
      formatOnBlur
      serialize={(exact: unknown) => stringifyJson(exact, 2)}
      deserialize={parseJson}
      styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13 } }}
      onChange={(written) => {
        setText(written);
        try {
          onChange(written.trim() === "" ? undefined : toPlain(parseJson(written)));
          setBroken(false);
        } catch {
          setBroken(true);
        }
      }}
    />
  );
}

/** Where a schema says so little that only JSON fits. */
function JsonField(props: FieldProps) {
  const { fieldPathId, name, schema, uiSchema, formData, required, disabled, readonly, rawErrors, onChange } = props;
  return (
    <JsonText
      id={fieldPathId.$id}
      label={uiSchema?.["ui:title"] ?? schema.title ?? name}
      description={schema.description}
      error={wrong(rawErrors)}
      required={required}
      disabled={disabled || readonly}
      value={formData}
      onChange={(value) => onChange(value, fieldPathId.path)}
    />
  );
}

/** The head of a group of fields, no larger than the labels of fields. */
function GroupTitle({ id, title, optionalDataControl }: TitleFieldProps) {
  return (
    <Group justify="space-between" mt="xs">
      <Text id={id} fw={650} size="sm">
        {title}
      </Text>
      {optionalDataControl}
    </Group>
  );
}

function GroupDescription({ id, description }: DescriptionFieldProps) {
  if (description === undefined || description === "") return null;
  return (
    <Text id={id} size="xs" className="quiet" mb="xs">
      {description}
    </Text>
  );
}

function ListTitle({ fieldPathId, title, uiSchema }: ArrayFieldTitleProps) {
  const text = uiSchema?.["ui:title"] ?? title;
  return (
    <Text id={titleId(fieldPathId)} fw={650} size="sm" span>
      {text}
    </Text>
  );
}

/** What was not filled in is not there: no empty objects, no first one of several values. */
export const AS_FILLED_IN = {
  arrayMinItems: { populate: "never" },
  emptyObjectFields: "skipDefaults",
  constAsDefaults: "never",
} as const;
export const RUN_TEMPLATES = {
  BaseInputTemplate: BaseInput,
  FieldErrorTemplate: GroupErrors,
  TitleFieldTemplate: GroupTitle,
  DescriptionFieldTemplate: GroupDescription,
  ArrayFieldTitleTemplate: ListTitle,
};
export const RUN_WIDGETS: RegistryWidgetsType = {
  CheckboxWidget: (props) => <HeldOrText Control={SwitchWidget} holds={isBoolean} props={props} />,
  CheckboxesWidget: (props) => <HeldOrText Control={Widgets.CheckboxesWidget} holds={areChosen} props={props} />,
  RadioWidget: (props) => <HeldOrText Control={RadioWidget} holds={isChosen} props={props} />,
  SelectWidget: (props) => <HeldOrText Control={SelectWidget} holds={isChosen} props={props} />,
  TextareaWidget: (props) => <HeldOrText Control={TextareaWidget} holds={isText} props={props} />,
  DateWidget: (props) => <HeldOrText Control={Widgets.DateWidget} holds={isDate} props={props} />,
  DateTimeWidget: (props) => <HeldOrText Control={MomentWidget} holds={isDateTime} props={props} />,
  TimeWidget: (props) => <HeldOrText Control={TimeWidget} holds={isTime} props={props} />,
  tags: (props) => <HeldOrText Control={TagsWidget} holds={isListOfTexts} props={props} />,
};
export const RUN_FIELDS: RegistryFieldsType = { json: JsonField, NumberField };
