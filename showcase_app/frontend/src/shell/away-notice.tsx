/** Says that the server is away and as of when what is shown is true; greys the page until it is back. */
import { Button, Group, Text } from "@mantine/core";
import { IconPlugConnectedX } from "@tabler/icons-react";
import { type Query, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { awayAsOf, lastHeard, lookNow, showAsOf, useAwayAsOf } from "@/api/away";
import { Moment, useTimes } from "@/components/ui/moments";
import { clockText } from "@/domain/time";
import classes from "./shell.module.css";

/** The height that it needs below the header. */
const NOTICE_PX = { base: 56, sm: 40 };

/** The height of the header with it, by how wide the screen is. */
export function useHeaderHeight(height: number) {
  const room = useAwayAsOf() === null ? { base: 0, sm: 0 } : NOTICE_PX;
  return { base: height + room.base, sm: height + room.sm };
}

export function AwayNotice() {
  const asOf = useShownAsOf();
  return (
    <div role="status" className={classes.awayPlace}>
      {asOf === null ? null : (
        <Group className={classes.awayNotice} px="md" gap="sm" wrap="nowrap" justify="space-between">
          <IconPlugConnectedX size={18} aria-hidden />
          <Text size="sm" lh={1.25} flex={1}>
            <b>The server cannot be reached.</b> What is shown is as of <AsOf at={new Date(asOf).toISOString()} />
            <span className={classes.whereRoom}>; nothing here can be changed until it is back</span>.
          </Text>
          <Button size="compact-xs" variant="default" onClick={lookNow}>
            Look now
          </Button>
        </Group>
      )}
    </div>
  );
}

function AsOf({ at }: { at: string }) {
  return <Moment at={at} text={clockText(at, useTimes().zone, "second")} />;
}

/** Over the page, and under what is open over it; lets everything through. */
export function AwayVeil() {
  return useAwayAsOf() === null ? null : <div className={classes.veil} aria-hidden />;
}

/** What was on the page was kept current until the server was lost; what comes out of the cache later is older. */
function useShownAsOf(): number | null {
  const client = useQueryClient();
  const asOf = useAwayAsOf();
  const isAway = asOf !== null;
  useEffect(() => {
    if (!isAway) return;
    const cache = client.getQueryCache();
    const shown = () => cache.getAll().filter((query) => query.isActive() && query.state.data !== undefined);
    const kept = new Set<Query>(shown());
    return cache.subscribe(() => {
      if (awayAsOf() === null) return;
      const older = shown().filter((query) => !kept.has(query));
      showAsOf(Math.min(lastHeard(), ...older.map((query) => query.state.dataUpdatedAt)));
    });
  }, [client, isAway]);
  return asOf;
}
