/** What followed from an attempt, and why. */
import { Anchor, Text } from "@mantine/core";
import { IconArrowRight, IconPlayerStop, IconRefresh } from "@tabler/icons-react";
import type { StepOut } from "@/api/schema.gen";
import { durationText } from "@/domain/time";
import classes from "./execution.module.css";

type RoutesListProps = {
  routes: StepOut["routes"];
  nameOf: (stepId: string) => string;
  onSelect: (stepId: string) => void;
};

export function RoutesList({ routes, nameOf, onSelect }: RoutesListProps) {
  if (routes === null) return null;
  if (routes.next === "retry") {
    return (
      <Text size="sm" className={classes.follows}>
        <IconRefresh size={14} aria-hidden /> Tried again after {durationText(routes.delay_seconds)}
      </Text>
    );
  }
  if (routes.next === "stop") {
    return (
      <Text size="sm" className={classes.follows}>
        <IconPlayerStop size={14} aria-hidden /> The execution stopped here
      </Text>
    );
  }
  return (
    <ul className={classes.routes} aria-label="What followed">
      {routes.paths.map((route) => (
        <li key={`${route.path} ${route.to_step}`} data-taken={route.taken || undefined}>
          <IconArrowRight size={14} aria-hidden />
          <span>
            {isEnd(route.to_step) ? (
              <b>{endName(route.to_step)}</b>
            ) : (
              <Anchor component="button" type="button" inherit fw={600} onClick={() => onSelect(route.to_step)}>
                {nameOf(route.to_step)}
              </Anchor>
            )}
            {route.taken ? "" : " not taken"}
            {route.why === "always" ? "" : `: ${route.why}`}
          </span>
        </li>
      ))}
    </ul>
  );
}

function isEnd(stepId: string): boolean {
  return stepId === "end" || stepId.startsWith("end_");
}

function endName(stepId: string): string {
  return stepId === "end" ? "The end" : `The end: ${stepId.slice(4).replaceAll("_", " ")}`;
}
