/** How often something failed in each part of the window, oldest first. */
import type { TrendOut } from "@/api/schema.gen";
import { useTimes } from "@/components/ui/moments";
import { trendBars, trendSentence } from "@/domain/failures";
import { momentText } from "@/domain/time";
import classes from "./failures.module.css";

export function Trend({ trend, height }: { trend: readonly TrendOut[]; height: number }) {
  const { zone } = useTimes();
  return (
    <svg
      className={classes.trend}
      viewBox="0 0 1 1"
      preserveAspectRatio="none"
      style={{ height }}
      role="img"
      aria-label={trendSentence(trend, zone)}
    >
      {trendBars(trend).map((bar) => (
        <rect key={bar.start} x={bar.x} y={1 - bar.height} width={bar.width} height={bar.height}>
          <title>
            {bar.failures.toLocaleString("en")} from {momentText(bar.start, zone, "minute")} on
          </title>
        </rect>
      ))}
    </svg>
  );
}
