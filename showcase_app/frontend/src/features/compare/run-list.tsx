/** The runs of both, aligned, in causal order: how each stands in A and in B, and what of it differs. */
import { Group, SegmentedControl, Text, Title } from "@mantine/core";
import { IconGitFork } from "@tabler/icons-react";
import { type KeyboardEvent, useEffect, useRef } from "react";
import type { AlignedRunOut, ComparedRunOut, ComparisonOut } from "@/api/schema.gen";
import { CopiedMark } from "@/components/ui/copied-mark";
import { StatusIcon } from "@/components/ui/status-badge";
import { countsText, differencesOf, runWord } from "@/domain/comparison";
import { durationText } from "@/domain/time";
import classes from "./compare.module.css";

type RunListProps = {
  comparison: ComparisonOut;
  first: AlignedRunOut | null;
  selected: AlignedRunOut | null;
  onSelect: (run: AlignedRunOut) => void;
  everything: boolean;
  onShow: (everything: boolean) => void;
};

export function RunList({ comparison, first, selected, onSelect, everything, onShow }: RunListProps) {
  const differing = comparison.steps.filter((run) => run.differs);
  const shown = everything || differing.length === 0 ? comparison.steps : differing;
  const list = useRef<HTMLOListElement>(null);
  const word = selected === null ? null : runWord(selected);
  useEffect(() => {
    if (word === null) return;
    const row = list.current?.querySelector<HTMLElement>(`[data-run="${CSS.escape(word)}"]`);
    row?.scrollIntoView({ block: "nearest" });
  }, [word]);
  return (
    <section aria-label="Runs" className={classes.runs}>
      <Group justify="space-between" gap="xs" mb={8}>
        <Title order={2} size="h3">
          Runs
        </Title>
        <SegmentedControl
          size="xs"
          aria-label="Which runs are listed"
          value={shown === differing ? "differing" : "all"}
          onChange={(value) => onShow(value === "all")}
          data={[
            { value: "differing", label: "Different", disabled: differing.length === 0 },
            { value: "all", label: "All" },
          ]}
        />
      </Group>
      <Text size="sm" className="quiet numbers" mb={8}>
        {countsText(comparison.counts)}
        {comparison.steps_left_out === 0
          ? ""
          : `; ${comparison.steps_left_out.toLocaleString("en")} of them are not listed`}
        .
      </Text>
      {shown.length === 0 ? (
        <Text size="sm" className="quiet">
          No step has begun in either.
        </Text>
      ) : (
        <ol ref={list} className={`panel ${classes.list}`} aria-label="Aligned runs" onKeyDown={moveFocus}>
          {shown.map((run) => (
            <li key={runWord(run)}>
              <button
                type="button"
                className={classes.run}
                data-run={runWord(run)}
                data-first={run === first || undefined}
                aria-pressed={run === selected}
                onClick={() => onSelect(run)}
              >
                <Standing name="A" run={run.a} />
                <Standing name="B" run={run.b} />
                <span className={classes.runName}>
                  <span className={classes.stepName} title={runWord(run)}>
                    {run.within === "" ? "" : <span className="quiet">{run.within} › </span>}
                    {run.step_name}
                    {run.iteration === 1 ? "" : ` #${run.iteration}`}
                  </span>
                  {run === first ? (
                    <span className={classes.firstMark}>
                      <IconGitFork size={14} stroke={2.2} aria-hidden />
                      diverged first
                    </span>
                  ) : null}
                  <Found run={run} />
                </span>
                <Times run={run} />
              </button>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

/** The arrow keys go through the list, as they do in that of the executions. */
function moveFocus(event: KeyboardEvent<HTMLOListElement>): void {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const buttons = [...event.currentTarget.querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
  const next = buttons[at + (event.key === "ArrowDown" ? 1 : -1)];
  if (at < 0 || next === undefined) return;
  event.preventDefault();
  next.focus();
}

function Standing({ name, run }: { name: string; run: ComparedRunOut | null }) {
  return (
    <span className={classes.standing}>
      <span className="quiet">{name}</span>
      {run === null ? (
        <span className="quiet" role="img" aria-label="did not run">
          –
        </span>
      ) : (
        <StatusIcon status={run.status} />
      )}
      {run === null || run.attempts === 1 ? null : (
        <span className="quiet numbers" title={`${run.attempts} attempts`}>
          ×{run.attempts}
        </span>
      )}
      {run?.copied_from ? <CopiedMark where={`in ${name}`} /> : null}
    </span>
  );
}

function Found({ run }: { run: AlignedRunOut }) {
  const found = differencesOf(run);
  return found.length === 0 ? (
    <span className="quiet">the same</span>
  ) : (
    <span className={classes.found}>{found.join(", ")}</span>
  );
}

function Times({ run }: { run: AlignedRunOut }) {
  const [a, b] = [run.a?.duration_seconds ?? null, run.b?.duration_seconds ?? null];
  return (
    <span className={`quiet numbers ${classes.times}`} title="How long it took in A and in B">
      {a === null ? "–" : durationText(a)} <span aria-hidden>|</span> {b === null ? "–" : durationText(b)}
    </span>
  );
}
