/** The workers: which are alive, how busy they are, when each last gave a sign. */
import { Progress, Table, Text } from "@mantine/core";
import { IconAlertTriangle, IconCircleCheck, IconPlayerStop } from "@tabler/icons-react";
import type { WorkerOut } from "@/api/schema.gen";
import { Moment, useNow } from "@/components/ui/moments";
import { Nothing } from "@/components/ui/notices";
import { durationText } from "@/domain/time";
import classes from "./system.module.css";

export function WorkersPanel({ workers, readAtMs }: { workers: readonly WorkerOut[]; readAtMs: number }) {
  return (
    <section className={`panel ${classes.panel}`} aria-label="Workers">
      <h2>Workers</h2>
      {workers.length === 0 ? (
        <Nothing title="No worker has ever run here">
          Start one with <span className="mono">ia-modules worker</span>; <span className="mono">ia-modules serve</span>{" "}
          brings its own.
        </Nothing>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
        <div className={classes.scrolls} tabIndex={0}>
          <Table verticalSpacing={6} horizontalSpacing="sm" className="numbers">
            <Table.Thead>
              <Table.Tr>
                {["State", "Worker", "Slots", "Last heartbeat", "Started", "Note"].map((name) => (
                  <Table.Th key={name}>{name}</Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {workers.map((worker) => (
                <Table.Tr key={worker.worker_id} data-state={worker.state}>
                  <Table.Td>
                    <State state={worker.state} />
                  </Table.Td>
                  <Table.Td>
                    <Text size="sm" fw={550}>
                      {worker.host} <span className="quiet">pid {worker.pid}</span>
                      {worker.is_this_server ? " · this server" : ""}
                    </Text>
                    <Text size="xs" className="quiet">
                      <span className="mono">{worker.worker_id.slice(-8)}</span> · version {worker.version}
                    </Text>
                  </Table.Td>
                  <Table.Td>
                    <Slots worker={worker} />
                  </Table.Td>
                  <Table.Td>
                    <Heartbeat worker={worker} readAtMs={readAtMs} />
                  </Table.Td>
                  <Table.Td>
                    <Moment at={worker.started_at} />
                  </Table.Td>
                  <Table.Td className={classes.note}>{worker.note ?? <span className="quiet">–</span>}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
    </section>
  );
}

const STATES = {
  alive: { Icon: IconCircleCheck, word: "Alive" },
  silent: { Icon: IconAlertTriangle, word: "Silent" },
  stopped: { Icon: IconPlayerStop, word: "Stopped" },
} as const;

function State({ state }: { state: WorkerOut["state"] }) {
  const { Icon, word } = STATES[state];
  return (
    <span className={classes.state} data-state={state}>
      <Icon size={15} stroke={2.2} aria-hidden />
      {word}
    </span>
  );
}

function Slots({ worker: { running, slots, state } }: { worker: WorkerOut }) {
  if (state === "stopped") return <span className="quiet">–</span>;
  return (
    <span className={classes.slots}>
      <Progress.Root size={6} w={56} role="img" aria-label={`${running} of ${slots} slots in use`}>
        <Progress.Section
          value={slots === 0 ? 0 : (100 * running) / slots}
          color="var(--ia-status-running)"
          withAria={false}
        />
      </Progress.Root>
      {running}/{slots}
    </span>
  );
}

/** Its age by the database's clock when it was read, and on from there by ours. */
function Heartbeat({ worker, readAtMs }: { worker: WorkerOut; readAtMs: number }) {
  const nowMs = useNow(worker.state !== "stopped");
  if (worker.stopped_at !== null) {
    return (
      <>
        Stopped <Moment at={worker.stopped_at} />
      </>
    );
  }
  const seconds = worker.heartbeat_age_seconds + Math.max(0, nowMs - readAtMs) / 1000;
  return <span>{seconds < 60 ? `${Math.floor(seconds)} s` : durationText(seconds)} ago</span>;
}
