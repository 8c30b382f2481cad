/** What surrounds every page: navigation, the session, light and dark. Asks for a key where the server wants one. */
import { AppShell, Burger, Button, Group, NavLink, ScrollArea, Text, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconActivityHeartbeat, IconChartHistogram, IconListDetails, IconRoute } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Suspense } from "react";
import { Link, Outlet, NavLink as RouterLink, ScrollRestoration, useLocation } from "react-router";
import { sessionQuery, useSignOut } from "@/api/session";
import { ColorSchemeToggle } from "./color-scheme-toggle";
import { PAGES } from "./pages";
import classes from "./shell.module.css";
import { SignIn } from "./sign-in";

const PLACES = [
  { to: "/pipelines", label: "Pipelines", icon: IconRoute, load: PAGES.pipelines },
  { to: "/executions", label: "Executions", icon: IconListDetails, load: PAGES.executions },
  { to: "/insights", label: "Metrics", icon: IconChartHistogram, load: PAGES.insights },
  { to: "/system", label: "System", icon: IconActivityHeartbeat, load: PAGES.system },
];

export function Shell() {
  const [opened, { toggle, close }] = useDisclosure(false);
  const { data: session } = useQuery(sessionQuery);
  const { pathname } = useLocation();
  if (session !== undefined && !session.signed_in) return <SignIn />;
  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 208, breakpoint: "sm", collapsed: { mobile: !opened } }}
      padding={{ base: "sm", sm: "lg" }}
      classNames={{ header: classes.header, navbar: classes.navbar, main: classes.main }}
    >
      <a className={classes.skip} href="#content">
        Skip to the page
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" gap="sm" wrap="nowrap">
          <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Navigation" />
          <UnstyledButton component={Link} to="/pipelines" className={classes.brand} onClick={close}>
            <img src="/icon.svg" alt="" width={26} height={26} />
            <Text fw={700} component="span">
              ia_modules
            </Text>
          </UnstyledButton>
          <Group ml="auto" gap="xs" wrap="nowrap">
            {session?.keys_required ? <SignedIn actor={session.actor} role={session.role} /> : null}
            <ColorSchemeToggle />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar component="nav" aria-label="Pages">
        <ScrollArea p="xs">
          {PLACES.map(({ to, label, icon: Icon, load }) => (
            <NavLink
              key={to}
              component={RouterLink}
              to={to}
              label={label}
              leftSection={<Icon size={18} stroke={1.8} aria-hidden />}
              active={pathname.startsWith(to)}
              onClick={close}
              onPointerEnter={() => prefetch(load)}
              onFocus={() => prefetch(load)}
              className={classes.place}
            />
          ))}
        </ScrollArea>
      </AppShell.Navbar>
      <AppShell.Main id="content">
        <Suspense>
          <Outlet />
        </Suspense>
      </AppShell.Main>
      <ScrollRestoration />
    </AppShell>
  );
}

/** A failure is not reported here: the page itself reports it when it is opened. */
function prefetch(load: () => Promise<unknown>): void {
  load().catch(() => undefined);
}

function SignedIn({ actor, role }: { actor: string; role: string }) {
  const signOut = useSignOut();
  return (
    <Button variant="subtle" size="compact-sm" onClick={() => signOut.mutate()} title={`${actor} (${role})`}>
      Sign out {actor}
    </Button>
  );
}
