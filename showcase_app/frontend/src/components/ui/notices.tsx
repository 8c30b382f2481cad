/** In the place of data: that reading it failed (with another try), or that there is none. */
import { Alert, Anchor, Button, Group, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconPlugConnectedX } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { useAwayAsOf } from "@/api/away";

export function QueryFailed({ what, error, retry }: { what: string; error: Error; retry?: () => void }) {
  if (useAwayAsOf() !== null) return <NotRead what={what} />;
  return (
    <Alert color="red" icon={<IconAlertTriangle aria-hidden />} title={`${what} could not be read`} role="alert">
      <Group justify="space-between" gap="sm">
        <Text size="sm">{error.message}</Text>
        {retry === undefined ? null : (
          <Button size="compact-sm" variant="default" onClick={retry}>
            Try again
          </Button>
        )}
      </Group>
    </Alert>
  );
}

function NotRead({ what }: { what: string }) {
  return (
    <Alert color="gray" icon={<IconPlugConnectedX aria-hidden />} title={`${what} could not be read`} role="status">
      The server cannot be reached. As soon as it is back, this is read.
    </Alert>
  );
}

export function Nothing({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <Stack align="center" gap={4} py={48} px="md" ta="center">
      <Text fw={600}>{title}</Text>
      <Text size="sm" className="quiet" component="div">
        {children}
      </Text>
    </Stack>
  );
}

/** What an address names is not there, and where the others are. */
export function NotThere({ title, why, to, others }: { title: string; why: string; to: string; others: string }) {
  return (
    <div className="panel">
      <Nothing title={title}>
        {why}{" "}
        <Anchor component={Link} to={to} inherit underline="always">
          {others}
        </Anchor>
      </Nothing>
    </div>
  );
}
