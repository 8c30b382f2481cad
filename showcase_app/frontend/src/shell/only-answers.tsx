/** Shown in the place of a page to somebody whose key answers questions and sees nothing else. */
import { Anchor, Stack, Text, Title } from "@mantine/core";
import { Link } from "react-router";

export function OnlyAnswers() {
  return (
    <Stack gap="xs" py="xl">
      <Title order={1}>This page is not for your key</Title>
      <Text>
        You are signed in as an approver: what you are asked is in the{" "}
        <Anchor component={Link} to="/inbox" underline="always">
          inbox
        </Anchor>
        .
      </Text>
    </Stack>
  );
}
