/** How a pipeline did lately, in three numbers. */
import { durationText } from "@/domain/time";
import classes from "./pipelines.module.css";

type Numbers = { success_rate: number | null; p50_seconds: number | null; p95_seconds: number | null };

export function PipelineNumbers({ of: { success_rate, p50_seconds, p95_seconds } }: { of: Numbers }) {
  return (
    <dl className={classes.numbers}>
      <div title="Completed, of the newest 100 that completed or failed">
        <dt>Success</dt>
        <dd>{success_rate === null ? "–" : percentText(success_rate)}</dd>
      </div>
      <div title="Half of those that completed took no longer">
        <dt>p50</dt>
        <dd>{p50_seconds === null ? "–" : durationText(p50_seconds)}</dd>
      </div>
      <div title="95 of 100 that completed took no longer">
        <dt>p95</dt>
        <dd>{p95_seconds === null ? "–" : durationText(p95_seconds)}</dd>
      </div>
    </dl>
  );
}

/** Never 100 % while one failed. */
function percentText(fraction: number): string {
  const percent = fraction * 100;
  return `${percent > 99 && percent < 100 ? Math.floor(percent * 10) / 10 : Math.round(percent)} %`;
}
