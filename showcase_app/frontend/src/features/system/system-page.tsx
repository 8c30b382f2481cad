/** System: database, workers, queue and feed as they stand, read anew every five seconds. */
import { Group, SimpleGrid, Skeleton, Text } from "@mantine/core";
import { IconExternalLink } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { systemQuery } from "@/api/system";
import { Moment } from "@/components/ui/moments";
import { QueryFailed } from "@/components/ui/notices";
import { PageHead } from "@/components/ui/page-head";
import { ServerLink } from "@/components/ui/server-link";
import { ClustersPanel } from "./clusters-panel";
import { DatabasePanel } from "./database-panel";
import { Figures } from "./figures";
import classes from "./system.module.css";
import { WorkersPanel } from "./workers-panel";

export function Component() {
  const { data, error, isError, refetch, dataUpdatedAt } = useQuery(systemQuery);
  return (
    <>
      <PageHead
        title="System"
        beside={
          data === undefined ? null : (
            <Text size="sm" className="quiet">
              ia_modules {data.version}, started <Moment at={data.started_at} />
            </Text>
          )
        }
        actions={
          <Group gap="md">
            <Elsewhere to="/docs" name="API" />
            <Elsewhere to="/metrics" name="Prometheus metrics" />
          </Group>
        }
      />
      <div className={classes.page}>
        {isError ? (
          <QueryFailed what={data === undefined ? "The system" : "The newest state"} error={error} retry={refetch} />
        ) : null}
        {data === undefined ? (
          isError ? null : (
            <Waiting />
          )
        ) : (
          <>
            <Figures system={data} />
            <WorkersPanel workers={data.workers} readAtMs={dataUpdatedAt} />
            <ClustersPanel clusters={data.clusters} />
            <DatabasePanel database={data.database} />
          </>
        )}
      </div>
    </>
  );
}

function Elsewhere({ to, name }: { to: string; name: string }) {
  return (
    <ServerLink to={to} size="sm" className={classes.elsewhere}>
      {name} <IconExternalLink size={14} aria-hidden />
    </ServerLink>
  );
}

function Waiting() {
  return (
    <div className={classes.page} role="status" aria-label="Reading the system">
      <SimpleGrid cols={{ base: 2, md: 4 }} spacing="sm">
        {["a", "b", "c", "d"].map((key) => (
          <Skeleton key={key} height={92} />
        ))}
      </SimpleGrid>
      <Skeleton height={140} />
      <Skeleton height={320} />
    </div>
  );
}
