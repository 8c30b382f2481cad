/** Shown in the place of a page that failed, or whose code could not be fetched; what surrounds it stays. */
import { Button, Code, Stack, Text, Title } from "@mantine/core";
import { useRouteError } from "react-router";
import { CodeNotFetched } from "@/api/code";
import { CodeMissing } from "@/components/ui/lazy-part";

export function PageFailed() {
  const error = useRouteError();
  // Nothing of the page is there that could be lost, and browsers remember of code that it could not be fetched.
  if (error instanceof CodeNotFetched) return <CodeMissing again={() => window.location.reload()} />;
  return (
    <Stack gap="sm" p="xl" align="flex-start">
      <Title order={1}>This page failed</Title>
      <Text>It is not your data: the page itself has an error.</Text>
      <Code block>{error instanceof Error ? error.message : String(error)}</Code>
      <Button onClick={() => window.location.reload()}>Load it again</Button>
    </Stack>
  );
}
