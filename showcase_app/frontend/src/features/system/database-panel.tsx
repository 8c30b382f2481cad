/** The database: which it is, what its tables take, and how far its schema has come. */
import { Table, Text } from "@mantine/core";
import { IconAlertTriangle, IconCheck, IconClock } from "@tabler/icons-react";
import type { DatabaseOut, MigrationOut } from "@/api/schema.gen";
import { Moment } from "@/components/ui/moments";
import { bytesText } from "@/domain/time";
import classes from "./system.module.css";

const NAMES = { sqlite: "SQLite", postgresql: "PostgreSQL" } as const;

export function DatabasePanel({ database }: { database: DatabaseOut }) {
  const tables = database.tables.toSorted(
    (a, b) => (b.bytes ?? 0) - (a.bytes ?? 0) || (b.rows ?? 0) - (a.rows ?? 0) || a.name.localeCompare(b.name),
  );
  const largest = Math.max(1, ...tables.map(({ bytes, rows }) => bytes ?? rows ?? 0));
  return (
    <section className={`panel ${classes.panel}`} aria-label="Database">
      <h2>
        {NAMES[database.dialect]} {database.version}
      </h2>
      <Text size="sm" className="quiet" pb="sm">
        <span className="mono">{database.url}</span>
        {database.size_bytes === null ? "" : ` · ${bytesText(database.size_bytes)}`}
      </Text>
      <div className={classes.database}>
        <div>
          <h3>Tables</h3>
          <table className={`${classes.tables} numbers`}>
            <thead>
              <tr>
                <th scope="col">Table</th>
                <th scope="col">Size</th>
                <th scope="col">Rows, about</th>
              </tr>
            </thead>
            <tbody>
              {tables.map(({ name, bytes, rows }) => (
                <tr key={name}>
                  <th scope="row">
                    {name}
                    <span className={classes.size} style={{ width: `${(100 * (bytes ?? rows ?? 0)) / largest}%` }} />
                  </th>
                  <td>{bytes === null ? "–" : bytesText(bytes)}</td>
                  <td>{rows === null ? "–" : rows.toLocaleString("en")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        <div>
          <h3>Migrations</h3>
          <Table verticalSpacing={5} horizontalSpacing="xs" className={`${classes.migrations} numbers`}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Version</Table.Th>
                <Table.Th>State</Table.Th>
                <Table.Th>When</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {database.migrations.map((migration) => (
                <Table.Tr key={migration.version}>
                  <Table.Td>
                    V{String(migration.version).padStart(3, "0")}{" "}
                    <span className="quiet">{migration.name.replaceAll("_", " ")}</span>
                  </Table.Td>
                  <Table.Td>
                    <MigrationState state={migration.state} />
                  </Table.Td>
                  <Table.Td>{migration.applied_at === null ? "–" : <Moment at={migration.applied_at} />}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      </div>
    </section>
  );
}

const MIGRATION_STATES: Readonly<
  Record<MigrationOut["state"], { word: string; icon: typeof IconCheck; tone: string }>
> = {
  applied: { word: "Applied", icon: IconCheck, tone: "alive" },
  pending: { word: "Pending", icon: IconClock, tone: "stopped" },
  changed: { word: "Changed since it was applied", icon: IconAlertTriangle, tone: "silent" },
  unknown: { word: "Not known to this program", icon: IconAlertTriangle, tone: "silent" },
  too_new: { word: "Needs a newer program", icon: IconAlertTriangle, tone: "silent" },
};

function MigrationState({ state }: { state: MigrationOut["state"] }) {
  const { word, icon: Icon, tone } = MIGRATION_STATES[state];
  return (
    <span className={classes.state} data-state={tone}>
      <Icon size={15} stroke={2.2} aria-hidden />
      {word}
    </span>
  );
}
