/** What differs in the run that is selected, or else in the executions themselves: place by place, numbers as stored. */
import { ActionIcon, Group, Text, Title } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import { type ReactNode, useId } from "react";
import type { AlignedRunOut, ComparedRunOut, ComparisonOut, ContrastOut, JsonChangeOut } from "@/api/schema.gen";
import { copiedText } from "@/domain/comparison";
import { bytesText } from "@/domain/time";
import classes from "./compare.module.css";

type DifferencesProps = { comparison: ComparisonOut; run: AlignedRunOut | null; onClose: () => void };

export function Differences({ comparison, run, onClose }: DifferencesProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it may be higher than the screen, and is scrolled by keys then
    <aside className={`panel ${classes.side}`} aria-label="What differs" tabIndex={0}>
      {run === null ? (
        <>
          <Title order={2} size="h3">
            The executions
          </Title>
          <Contrast title="Input" contrast={comparison.input} />
          <Contrast title="Output" contrast={comparison.output} />
          {comparison.definitions === null ? null : <Contrast title="Definition" contrast={comparison.definitions} />}
          <Text size="sm" className="quiet" mt="sm">
            Choose a run to see what differs in it.
          </Text>
        </>
      ) : (
        <>
          <Group justify="space-between" wrap="nowrap" gap="xs">
            <Title order={2} size="h3">
              {run.step_name}
              {run.iteration === 1 ? "" : ` #${run.iteration}`}
            </Title>
            <ActionIcon variant="subtle" color="gray" aria-label="Close the run" onClick={onClose}>
              <IconX size={16} aria-hidden />
            </ActionIcon>
          </Group>
          <Copied run={run} />
          <OfRun run={run} />
        </>
      )}
    </aside>
  );
}

function Copied({ run }: { run: AlignedRunOut }) {
  const text = copiedText(run);
  if (text === null) return null;
  return (
    <Text size="sm" className="quiet" mt={4}>
      {text}
    </Text>
  );
}

function OfRun({ run }: { run: AlignedRunOut }) {
  if (run.a === null || run.b === null || run.input === null || run.output === null) {
    return (
      <Part title={run.a === null ? "Only B ran it" : "Only A ran it"}>
        <Text size="sm" className="quiet">
          There is nothing to compare it with.
        </Text>
      </Part>
    );
  }
  return (
    <>
      <Contrast title="Input" contrast={run.input} />
      <Contrast title="Output" contrast={run.output} />
      <Texts title="Error" a={errorOf(run.a)} b={errorOf(run.b)} />
      <Texts title="Paths taken" a={run.a.taken?.join(", ") ?? null} b={run.b.taken?.join(", ") ?? null} />
      <Texts title="Code" a={run.a.code} b={run.b.code} />
      {run.definitions === null ? null : <Contrast title="Definition" contrast={run.definitions} />}
    </>
  );
}

function errorOf({ error_type, error_message }: ComparedRunOut): string | null {
  const parts = [error_type, error_message].filter((part) => part !== null);
  return parts.length === 0 ? null : parts.join(": ");
}

function Part({ title, beside, children }: { title: string; beside?: ReactNode; children?: ReactNode }) {
  const id = useId();
  return (
    <section className={classes.part} aria-labelledby={id}>
      <div className={classes.partHead}>
        <Title order={3} size="sm" id={id}>
          {title}
        </Title>
        {beside}
      </div>
      {children}
    </section>
  );
}

function Verdict({ same }: { same: boolean | null }) {
  if (same === null) return <span className="quiet">not compared</span>;
  return same ? <span className="quiet">the same</span> : <span className={classes.found}>different</span>;
}

function Contrast({ title, contrast }: { title: string; contrast: ContrastOut }) {
  const { same, changes, left_out, note } = contrast;
  return (
    <Part title={title} beside={<Verdict same={same} />}>
      {changes.length === 0 ? null : (
        <ul className={classes.changes}>
          {changes.map((change) => (
            <Change key={`${change.path} ${change.a === null} ${change.b === null}`} change={change} />
          ))}
        </ul>
      )}
      {left_out === 0 ? null : (
        <Text size="sm" className="quiet" mt={4}>
          … and at {left_out.toLocaleString("en")} more places.
        </Text>
      )}
      {note === null ? null : (
        <Text size="sm" className="quiet" mt={4}>
          {note}
        </Text>
      )}
    </Part>
  );
}

function Change({ change }: { change: JsonChangeOut }) {
  return (
    <li className={classes.change}>
      <code className={classes.path}>{change.path}</code>
      <Value name="A" text={change.a} bytes={change.a_bytes} />
      <Value name="B" text={change.b} bytes={change.b_bytes} />
    </li>
  );
}

/** Two texts that are no JSON, where either has one. */
function Texts({ title, a, b }: { title: string; a: string | null; b: string | null }) {
  if (a === null && b === null) return null;
  const same = a === b;
  return (
    <Part title={title} beside={<Verdict same={same} />}>
      {same ? (
        <Text size="sm">{a === "" ? "none" : a}</Text>
      ) : (
        <div className={classes.change}>
          <Value name="A" text={a === "" ? "none" : a} />
          <Value name="B" text={b === "" ? "none" : b} />
        </div>
      )}
    </Part>
  );
}

function Value({ name, text, bytes }: { name: "A" | "B"; text: string | null; bytes?: number }) {
  return (
    <div className={classes.value} data-side={name}>
      <span className={classes.valueName}>{name}</span>
      {text === null ? <span className="quiet">not there</span> : <span className={classes.text}>{text}</span>}
      {text === null || bytes === undefined || !text.endsWith("…") ? null : (
        <span className={`quiet ${classes.size}`}>{bytesText(bytes)}</span>
      )}
    </div>
  );
}
