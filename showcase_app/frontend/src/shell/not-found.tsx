import { Anchor, Stack, Text, Title } from "@mantine/core";
import { Link, useLocation } from "react-router";

export function NotFound() {
  const { pathname } = useLocation();
  return (
    <Stack gap="xs" py="xl">
      <Title order={1}>There is no page here</Title>
      <Text>
        Nothing is at <span className="mono">{pathname}</span>. The pages are{" "}
        <Anchor component={Link} to="/pipelines" underline="always">
          Pipelines
        </Anchor>
        ,{" "}
        <Anchor component={Link} to="/executions" underline="always">
          Executions
        </Anchor>
        ,{" "}
        <Anchor component={Link} to="/inbox" underline="always">
          Inbox
        </Anchor>
        , Failures, Metrics and System.
      </Text>
    </Stack>
  );
}
