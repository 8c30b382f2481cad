/** What surrounds every page: navigation, the session, light and dark. Asks for a key where the server wants one. */
import { AppShell, Badge, Group, NavLink, ScrollArea, Text, Tooltip, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import {
  IconActivityHeartbeat,
  IconBug,
  IconChartHistogram,
  IconInbox,
  IconListDetails,
  IconRoute,
} from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Suspense } from "react";
import { Link, Outlet, NavLink as RouterLink, ScrollRestoration, useLocation } from "react-router";
import { interactionCountQuery, interactionKeys } from "@/api/interactions";
import { useInvalidatedByExecutions } from "@/api/live-list";
import { ROOT } from "@/api/root";
import type { SessionOut } from "@/api/schema.gen";
import { sessionQuery, useSignOut } from "@/api/session";
import { ServerButton } from "@/components/ui/server-button";
import { countText } from "@/domain/execution-filters";
import { IN_RUN_FILE } from "@/domain/read-only";
import { AwayNotice, AwayVeil, useHeaderHeight } from "./away-notice";
import { ColorSchemeToggle } from "./color-scheme-toggle";
import { MenuButton } from "./menu-button";
import { OnlyAnswers } from "./only-answers";
import { PAGES } from "./pages";
import classes from "./shell.module.css";
import { SignIn } from "./sign-in";
import { TimesMenu } from "./times-menu";
import { useFocusOnReturn } from "./use-focus-on-return";
import { useHeadingFocus } from "./use-heading-focus";

const HEADER_PX = 52;
const INBOX = "/inbox";
const PLACES = [
  { to: "/pipelines", label: "Pipelines", icon: IconRoute, load: PAGES.pipelines },
  { to: "/executions", label: "Executions", icon: IconListDetails, load: PAGES.executions },
  { to: INBOX, label: "Inbox", icon: IconInbox, load: PAGES.inbox },
  { to: "/failures", label: "Failures", icon: IconBug, load: PAGES.failures },
  { to: "/insights", label: "Metrics", icon: IconChartHistogram, load: PAGES.insights },
  { to: "/system", label: "System", icon: IconActivityHeartbeat, load: PAGES.system },
];

export function Shell() {
  const [opened, { toggle, close }] = useDisclosure(false);
  const { data: session, isError } = useQuery(sessionQuery);
  const { pathname } = useLocation();
  const height = useHeaderHeight(HEADER_PX);
  useFocusOnReturn();
  useHeadingFocus();
  if (session !== undefined && !session.signed_in) return <SignIn />;
  const isKnown = session !== undefined || isError; // before that, a page would ask for what an approver may not see
  const places = isKnown ? placesOf(session) : [];
  const isElsewhere = session?.role === "approver" && pathname !== "/" && !pathname.startsWith(INBOX);
  return (
    <AppShell
      header={{ height }}
      navbar={{ width: 208, breakpoint: "sm", collapsed: { mobile: !opened } }}
      padding={{ base: "sm", sm: "lg" }}
      classNames={{ header: classes.header, navbar: classes.navbar, main: classes.main }}
    >
      <a className={classes.skip} href="#content">
        Skip to the page
      </a>
      <AppShell.Header>
        <Group h={HEADER_PX} px="md" gap="sm" wrap="nowrap">
          <MenuButton opened={opened} onClick={toggle} />
          <UnstyledButton component={Link} to="/" className={classes.brand} onClick={close}>
            <img src={`${ROOT}/icon.svg`} alt="" width={26} height={26} />
            <Text fw={700} component="span">
              ia_modules
            </Text>
          </UnstyledButton>
          {session?.run_file ? <OfRunFile /> : null}
          <Group ml="auto" gap="xs" wrap="nowrap">
            {session?.keys_required ? <SignedIn actor={session.actor} role={session.role} /> : null}
            <TimesMenu />
            <ColorSchemeToggle />
          </Group>
        </Group>
        <AwayNotice />
      </AppShell.Header>
      <AppShell.Navbar component="nav" aria-label="Pages">
        <ScrollArea p="xs">
          {places.map(({ to, label, icon: Icon, load }) => (
            <NavLink
              key={to}
              component={RouterLink}
              to={to}
              label={label}
              leftSection={<Icon size={18} stroke={1.8} aria-hidden />}
              rightSection={to === INBOX ? <OpenQuestions /> : undefined}
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
        <AwayVeil />
        <Suspense>{isElsewhere ? <OnlyAnswers /> : isKnown ? <Outlet /> : null}</Suspense>
      </AppShell.Main>
      <ScrollRestoration />
    </AppShell>
  );
}

/** What the reader sees of them. */
function placesOf(session: SessionOut | undefined): typeof PLACES {
  return session?.role === "approver" ? PLACES.filter(({ to }) => to === INBOX) : PLACES;
}

const COUNT = [interactionKeys.count];
const COUNT_EVERY_MS = 2000;

/** How many questions wait; nothing where none does. */
function OpenQuestions() {
  const { data } = useQuery(interactionCountQuery);
  useInvalidatedByExecutions(COUNT, COUNT_EVERY_MS);
  if (data === undefined || data.pending === 0) return null;
  return (
    <Badge size="sm" color="violet" variant="light" autoContrast className={`${classes.count} numbers`}>
      {countText(data.pending, data.capped)}
      <span className={classes.unseen}> waiting</span>
    </Badge>
  );
}

function OfRunFile() {
  return (
    <Tooltip label={IN_RUN_FILE} multiline maw={280}>
      <Badge variant="default" radius="sm" tabIndex={0} className={classes.runFile}>
        Run file<span className={classes.whereRoom}>, read-only</span>
      </Badge>
    </Tooltip>
  );
}

/** A failure is not reported here: the page itself reports it when it is opened. */
function prefetch(load: () => Promise<unknown>): void {
  load().catch(() => undefined);
}

function SignedIn({ actor, role }: { actor: string; role: string }) {
  const signOut = useSignOut();
  return (
    <ServerButton variant="subtle" size="compact-sm" onClick={() => signOut.mutate()} title={`${actor} (${role})`}>
      Sign out {actor}
    </ServerButton>
  );
}
