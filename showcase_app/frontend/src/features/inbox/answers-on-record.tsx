/** What was answered so far: who, what and when, with answers that were changed since. */
import { Badge, Group, Text } from "@mantine/core";
import type { InteractionDetail } from "@/api/schema.gen";
import { JsonView } from "@/components/ui/json-view";
import { Moment } from "@/components/ui/moments";
import { isList, isObject, type Json, stringifyJson } from "@/domain/json";
import { personText, withCounting } from "@/domain/questions";
import classes from "./inbox.module.css";

export function AnswersOnRecord({ question: { responses } }: { question: InteractionDetail }) {
  return (
    <ol className={classes.answers}>
      {withCounting(responses).map(({ response: { actor, verified, revision, response, answered_at }, counts }) => (
        <li key={`${actor} ${verified} ${revision}`} data-changed={!counts || undefined}>
          <Group gap="xs" justify="space-between">
            <Text size="sm" fw={600} component="span">
              {personText({ actor, verified })}
            </Text>
            <Group gap="xs">
              {revision > 1 ? (
                <Text size="xs" className="quiet" component="span">
                  revision {revision}
                </Text>
              ) : null}
              {counts ? null : (
                <Badge size="sm" variant="default" radius="sm" styles={{ label: { textTransform: "none" } }}>
                  changed since
                </Badge>
              )}
              <Text size="xs" className="quiet" component="span">
                <Moment at={answered_at} />
              </Text>
            </Group>
          </Group>
          <AnswerValue value={response as Json} label={`Answer of ${actor}`} />
        </li>
      ))}
    </ol>
  );
}

const MOST_FIELDS = 12;
const LONGEST = 400;

/** An answer of few fields by their names, anything else as a tree. */
function AnswerValue({ value, label }: { value: Json; label: string }) {
  if (!isFlat(value)) return <JsonView value={value} label={label} maxHeight={240} />;
  if (!isObject(value)) return <p className={classes.value}>{valueText(value)}</p>;
  return (
    <dl className={classes.fields}>
      {Object.entries(value).map(([field, item]) => (
        <div key={field}>
          <dt>{field}</dt>
          <dd>{valueText(item)}</dd>
        </div>
      ))}
    </dl>
  );
}

function isFlat(value: Json): boolean {
  const parts = isObject(value) ? Object.values(value) : [value];
  return parts.length > 0 && parts.length <= MOST_FIELDS && parts.every(isShort);
}

function isShort(value: Json): boolean {
  return !isList(value) && !isObject(value) && stringifyJson(value).length <= LONGEST;
}

/** A text as it is, anything else as JSON. */
function valueText(value: Json): string {
  return typeof value === "string" ? value : stringifyJson(value);
}
