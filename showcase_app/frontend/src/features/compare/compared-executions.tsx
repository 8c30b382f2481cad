/** Which two executions stand side by side: what each is, and how it ended. */
import { Anchor } from "@mantine/core";
import { Link } from "react-router";
import type { ComparisonOut, ExecutionOut } from "@/api/schema.gen";
import { CopyBadge } from "@/components/ui/copy-badge";
import { Duration, Moment } from "@/components/ui/moments";
import { StatusBadge } from "@/components/ui/status-badge";
import { slownessText } from "@/domain/comparison";
import { shortId } from "@/domain/runs";
import classes from "./compare.module.css";

export function ComparedExecutions({ comparison }: { comparison: ComparisonOut }) {
  const slowness = slownessText(comparison.a.duration_seconds, comparison.b.duration_seconds);
  return (
    <div className={classes.executions}>
      <Card name="A" execution={comparison.a} />
      <Card name="B" execution={comparison.b} />
      {slowness === null ? null : <p className={`quiet ${classes.slowness}`}>{slowness}.</p>}
    </div>
  );
}

function Card({ name, execution }: { name: string; execution: ExecutionOut }) {
  return (
    <section className={`panel ${classes.execution}`} aria-label={`Execution ${name}`}>
      <span className={classes.letter} aria-hidden>
        {name}
      </span>
      <div className={classes.facts}>
        <div className={classes.line}>
          <Anchor
            component={Link}
            to={`/executions/${encodeURIComponent(execution.execution_id)}`}
            fw={600}
            size="sm"
            lh="24px"
            display="inline-block"
            title={execution.execution_id}
          >
            {execution.pipeline_name} <span className="mono">{shortId(execution.execution_id)}</span>
          </Anchor>
          <StatusBadge status={execution.status} size="sm" />
          <CopyBadge execution={execution} />
        </div>
        <div className={`quiet ${classes.line}`}>
          {execution.pipeline_version === null ? "no definition" : `v${execution.pipeline_version}`}
          {execution.started_at === null ? null : (
            <span>
              started <Moment at={execution.started_at} />
            </span>
          )}
          <span>
            took <Duration start={execution.started_at} end={execution.completed_at} />
          </span>
        </div>
      </div>
    </section>
  );
}
