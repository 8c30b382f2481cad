/** Shown in the place of a page whose code failed or could not be fetched (say, after the server was updated). */
import { Button, Code, Stack, Text, Title } from "@mantine/core";
import { useRouteError } from "react-router";

export function PageFailed() {
  const error = useRouteError();
  return (
    <Stack gap="sm" p="xl" align="flex-start">
      <Title order={1}>This page failed</Title>
      <Text>It is not your data: the page itself has an error, or is older than its server.</Text>
      <Code block>{error instanceof Error ? error.message : String(error)}</Code>
      <Button onClick={() => window.location.reload()}>Load it again</Button>
    </Stack>
  );
}
