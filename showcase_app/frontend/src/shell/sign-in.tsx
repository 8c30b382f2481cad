/** The form for a key, where the server needs one. The key goes to the server once and is not kept by the page. */
import { Button, Paper, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { useEffect, useRef, useState } from "react";
import { useSignIn } from "@/api/session";

export function SignIn() {
  const [key, setKey] = useState("");
  const signIn = useSignIn();
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []); // there is nothing else on the page
  useDocumentTitle("Sign in · ia_modules");
  return (
    <main>
      <Paper maw={380} mx="auto" mt="12vh" p="xl" withBorder>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            signIn.mutate(key);
          }}
        >
          <Stack>
            <Title order={1}>ia_modules</Title>
            <Text size="sm" className="quiet">
              This server needs a key. Its operator can give you one.
            </Text>
            <PasswordInput
              label="Key"
              value={key}
              onChange={(event) => setKey(event.currentTarget.value)}
              error={signIn.error?.message}
              autoComplete="current-password"
              required
              ref={field}
            />
            <Button type="submit" loading={signIn.isPending}>
              Sign in
            </Button>
          </Stack>
        </form>
      </Paper>
    </main>
  );
}
