/** The few numbers one looks for first: queue, what runs, workers, open pages. */
import { Anchor, SimpleGrid, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "react-router";
import type { ExecutionStatus, SystemOut } from "@/api/schema.gen";
import { Moment } from "@/components/ui/moments";
import { countText } from "@/domain/execution-filters";
import classes from "./system.module.css";

export function Figures({ system: { queue, workers, feed } }: { system: SystemOut }) {
  const alive = workers.filter(({ state }) => state === "alive");
  const slots = alive.reduce((sum, { slots }) => sum + slots, 0);
  const busy = alive.reduce((sum, { running }) => sum + running, 0);
  return (
    <SimpleGrid cols={{ base: 2, md: 4 }} spacing="sm">
      <Figure
        name="Queued"
        value={<Count status="pending" count={queue.pending} capped={queue.capped} />}
        note={
          queue.oldest_pending_at === null ? (
            "Nothing waits for a worker"
          ) : (
            <>
              Oldest <Moment at={queue.oldest_pending_at} />
            </>
          )
        }
      />
      <Figure
        name="Running"
        value={<Count status="running" count={queue.running} capped={queue.capped} />}
        note={
          queue.waiting_for_human + queue.waiting === 0 ? (
            "None waits for a person or a time"
          ) : (
            <>
              <Waiting status="waiting_for_human" count={queue.waiting_for_human} what="a person" />
              {queue.waiting_for_human > 0 && queue.waiting > 0 ? ", " : null}
              <Waiting status="waiting" count={queue.waiting} what="a time" />
            </>
          )
        }
      />
      <Figure
        name="Worker slots"
        value={`${busy} of ${slots}`}
        note={alive.length === 1 ? "1 worker alive" : `${alive.length} workers alive`}
      />
      <Figure
        name="Live pages"
        value={feed.execution_subscribers + feed.list_subscribers}
        note={
          <>
            {feed.execution_subscribers} on an execution, {feed.list_subscribers} on lists
          </>
        }
      />
    </SimpleGrid>
  );
}

const CAP = 10_000;

/** `capped` holds for one of several counts: for those that reached the limit. */
function Count({ status, count, capped }: { status: string; count: number; capped: boolean }) {
  return (
    <Anchor component={Link} to={`/executions?status=${status}`} inherit c="inherit">
      {countText(count, capped && count >= CAP)}
    </Anchor>
  );
}

function Figure({ name, value, note }: { name: string; value: ReactNode; note: ReactNode }) {
  return (
    <section className={`panel ${classes.figure}`} aria-label={name}>
      <Text size="sm" fw={600}>
        {name}
      </Text>
      <Text className={`${classes.value} numbers`}>{value}</Text>
      <Text size="xs" className="quiet numbers" component="div">
        {note}
      </Text>
    </section>
  );
}

function Waiting({ status, count, what }: { status: ExecutionStatus; count: number; what: string }) {
  return count === 0 ? null : (
    <Anchor component={Link} to={`/executions?status=${status}`} inherit display="inline-block" py={4} my={-4}>
      {countText(count, count >= CAP)} {count === 1 ? "waits" : "wait"} for {what}
    </Anchor>
  );
}
