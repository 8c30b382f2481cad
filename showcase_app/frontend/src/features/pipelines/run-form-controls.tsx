/** The controls of the run form that rjsf's Mantine theme does not have, or not with their help text. */
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
import { useState } from "react";

function wrong(errors: readonly string[] | undefined): string | undefined {
  return errors === undefined || errors.length === 0 ? undefined : errors.join(" ");
}

function helpOf({ options, schema, hideLabel }: WidgetProps): string | undefined {
  return hideLabel ? undefined : (options.description ?? schema.description);
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
  const texts: string[] = Array.isArray(value) ? value.map(String) : [];
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

/** The theme's, with the help text that it forgets. */
function SelectWidget(props: WidgetProps) {
  const Themed = Widgets.SelectWidget;
  if (Themed === undefined) return null;
  const options = { ...props.options, description: helpOf(props), comboboxProps: { withinPortal: true } };
  return <Themed {...props} options={options} />;
}

/** The theme's, controlled from the first: a field without a value is empty. */
function BaseInput(props: BaseInputTemplateProps) {
  const Themed = Templates.BaseInputTemplate;
  return Themed === undefined ? null : <Themed {...props} value={props.value ?? ""} />;
}

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

/** Where a schema says so little that only JSON fits. */
function JsonField({
  fieldPathId,
  name,
  schema,
  uiSchema,
  formData,
  required,
  disabled,
  readonly,
  rawErrors,
  onChange,
}: FieldProps) {
  const [text, setText] = useState(() => (formData === undefined ? "" : JSON.stringify(formData, null, 2)));
  const [broken, setBroken] = useState(false);
  return (
    <JsonInput
      id={fieldPathId.$id}
      label={uiSchema?.["ui:title"] ?? schema.title ?? name}
      description={schema.description}
      error={broken ? "This is not JSON yet." : wrong(rawErrors)}
      withAsterisk={required}
      disabled={disabled || readonly}
      value={text}
      autosize
      minRows={2}
      maxRows={14}
      formatOnBlur
      styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13 } }}
      onChange={(written) => {
        setText(written);
        try {
          onChange(written.trim() === "" ? undefined : JSON.parse(written), fieldPathId.path);
          setBroken(false);
        } catch {
          setBroken(true);
        }
      }}
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

export const RUN_TEMPLATES = {
  BaseInputTemplate: BaseInput,
  FieldErrorTemplate: GroupErrors,
  TitleFieldTemplate: GroupTitle,
  DescriptionFieldTemplate: GroupDescription,
  ArrayFieldTitleTemplate: ListTitle,
};
export const RUN_WIDGETS: RegistryWidgetsType = { CheckboxWidget: SwitchWidget, SelectWidget, tags: TagsWidget };
export const RUN_FIELDS: RegistryFieldsType = { json: JsonField };
