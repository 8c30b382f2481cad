/** What calls of models used in the window: over time as charts, and by model; nothing where none were told of. */
import { BarChart } from "@mantine/charts";
import { SimpleGrid, Text } from "@mantine/core";
import type { WindowUsageOut } from "@/api/schema.gen";
import { ModelTable } from "@/components/ui/model-table";
import { useTimes } from "@/components/ui/moments";
import { bucketText } from "@/domain/metrics";
import { momentText } from "@/domain/time";
import { costText, tokensText, unpricedText } from "@/domain/usage";
import classes from "./metrics.module.css";

const CHART_PX = 180;
const TOKENS = [
  { name: "input_tokens", label: "Tokens in", color: "var(--ia-chart-first)" },
  { name: "output_tokens", label: "Tokens out", color: "var(--ia-chart-second)" },
];

export function WindowUsage({ usage }: { usage: WindowUsageOut | undefined }) {
  const { zone } = useTimes();
  if (usage === undefined || usage.models.length === 0) return null;
  const { total, currency, models } = usage;
  const missing = unpricedText(total.unpriced_calls);
  const cost = [{ name: "cost", label: `Cost (${currency})`, color: "var(--ia-chart-first)" }];
  const rows = usage.buckets.map((bucket) => ({ ...bucket, cost: (bucket.cost_micros ?? 0) / 1_000_000 }));
  const shared = {
    h: CHART_PX,
    data: rows,
    dataKey: "start",
    tickLine: "none",
    gridAxis: "x",
    maxBarWidth: 36,
    barProps: { isAnimationActive: false },
    xAxisProps: { tickFormatter: (start: string) => bucketText(start, usage, zone), minTickGap: 24 },
    tooltipProps: {
      labelFormatter: (start: unknown) =>
        typeof start === "string" ? `From ${momentText(start, zone, "minute")}` : "",
    },
  } as const;
  return (
    <section className={`panel ${classes.tablePanel}`} aria-label="Models">
      <h2>Models</h2>
      <Text size="sm" className="numbers">
        {tokensText(total)}; {costText(total.cost_micros, currency)}
        {missing === null ? null : <span className="quiet">; {missing}</span>}
      </Text>
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="sm">
        <figure className={classes.chart} aria-label="Cost over time">
          <figcaption>Cost ({currency})</figcaption>
          <BarChart
            {...shared}
            series={cost}
            yAxisProps={{ width: 76 }}
            valueFormatter={(value) => costText(Math.round(value * 1_000_000))}
          />
        </figure>
        <figure className={classes.chart} aria-label="Tokens over time">
          <figcaption>Tokens in and out</figcaption>
          <BarChart
            {...shared}
            type="stacked"
            series={TOKENS}
            yAxisProps={{ allowDecimals: false, width: 76 }}
            valueFormatter={(value) => value.toLocaleString("en")}
          />
        </figure>
      </SimpleGrid>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      <section className={classes.scrolls} tabIndex={0} aria-label="What each model used">
        <ModelTable models={models} currency={currency} />
      </section>
    </section>
  );
}
