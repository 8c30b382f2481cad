/** The inbox: questions that wait for a person, and those that were answered; live, and filtered by the address. */
import { ActionBar, Button, Skeleton, Stack, Text } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useSearchParams } from "react-router";
import { interactionKeys, interactionsQuery } from "@/api/interactions";
import { useInvalidatedByExecutions } from "@/api/live-list";
import type { ListedInteraction } from "@/api/schema.gen";
import { sessionQuery, useOnlyAnswers } from "@/api/session";
import { LiveMark } from "@/components/ui/live-mark";
import { Nothing, QueryFailed } from "@/components/ui/notices";
import { PageHead } from "@/components/ui/page-head";
import { ServerButton } from "@/components/ui/server-button";
import { type InboxFilters, inboxFilters, isNarrowed, withInboxFilters } from "@/domain/inbox-filters";
import { likeness, whyNotAnswer } from "@/domain/questions";
import { BulkAnswerDialog } from "./bulk-answer-dialog";
import classes from "./inbox.module.css";
import { InboxFilterBar } from "./inbox-filter-bar";
import { QuestionRows } from "./question-rows";

const LISTS = [interactionKeys.lists];
const READ_EVERY_MS = 1000;
/** As many as are looked at before they are answered together. */
const MOST_TOGETHER = 50;

export function Component() {
  const [address, setAddress] = useSearchParams();
  const filters = useMemo(() => inboxFilters(address), [address]);
  const query = useInfiniteQuery(interactionsQuery(filters));
  // All pages that are shown are read again: the more there are, the less often.
  const live = useInvalidatedByExecutions(LISTS, READ_EVERY_MS * (query.data?.pages.length ?? 1));
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.items), [query.data]);
  const { selected, whyNotSelect, select, selectAlike, clear } = useSelectedQuestions(rows ?? []);
  const [together, setTogether] = useState<readonly ListedInteraction[] | null>(null);
  const onlyAnswers = useOnlyAnswers();
  const change = (to: InboxFilters) => {
    setAddress((before) => withInboxFilters(before, to), { replace: "assigned_to" in to });
    clear();
  };
  const ids = useMemo(() => new Set(selected.map((question) => question.interaction_id)), [selected]);
  const alike = selectAlike(rows ?? []);

  return (
    <>
      <PageHead title="Inbox" beside={<LiveMark state={live} />} />
      <InboxFilterBar filters={filters} onlyAnswers={onlyAnswers} onChange={change} />
      {rows === undefined ? (
        query.isError ? (
          <QueryFailed what="The questions" error={query.error} retry={() => void query.refetch()} />
        ) : (
          <Waiting />
        )
      ) : rows.length === 0 ? (
        <div className="panel">
          <NoQuestions filters={filters} onAll={() => setAddress(new URLSearchParams())} />
        </div>
      ) : (
        <>
          <QuestionRows
            rows={rows}
            isPrevious={query.isPlaceholderData}
            selected={ids}
            whyNotSelect={whyNotSelect}
            onSelect={select}
          />
          {query.isFetchNextPageError ? (
            <QueryFailed what="More questions" error={query.error} retry={() => void query.fetchNextPage()} />
          ) : query.hasNextPage ? (
            <Text ta="center" py="sm" component="div">
              <ServerButton
                variant="subtle"
                size="compact-sm"
                loading={query.isFetchingNextPage}
                onClick={() => void query.fetchNextPage()}
              >
                Load more
              </ServerButton>
            </Text>
          ) : null}
        </>
      )}
      <ActionBar
        opened={selected.length > 0 && together === null}
        aria-label="Selected questions"
        className={classes.bulk}
        withBorder
        withinPortal={false}
      >
        <Text size="sm" fw={600} className="numbers" role="status">
          {selected.length} selected
        </Text>
        {alike.length > selected.length ? (
          <Button variant="subtle" size="compact-sm" onClick={() => select(alike.map((each) => each.interaction_id))}>
            All {alike.length} that are alike
          </Button>
        ) : null}
        <Button size="compact-sm" onClick={() => setTogether(selected)}>
          Answer…
        </Button>
        <ActionBar.CloseButton aria-label="Select none" onClick={clear} />
      </ActionBar>
      {together === null ? null : (
        <BulkAnswerDialog
          questions={together}
          onClose={(done) => {
            setTogether(null);
            if (done) clear();
          }}
        />
      )}
    </>
  );
}

/** Questions that are answered together: open ones that are alike, and that the reader may answer. */
function useSelectedQuestions(rows: readonly ListedInteraction[]) {
  const { data: session } = useQuery(sessionQuery);
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const selected = rows.filter((row) => ids.has(row.interaction_id) && row.status === "pending");
  const [first] = selected;
  const kind = useMemo(() => (first === undefined ? null : likeness(first)), [first]);

  const whyNotSelect = (question: ListedInteraction): string | null => {
    if (session === undefined) return "Who you are is being asked.";
    const why = whyNotAnswer(question, session);
    if (why !== null || question.interaction_id === first?.interaction_id) return why;
    if (kind !== null && likeness(question) !== kind) {
      return "Only questions of the same pipeline, version, step and schema are answered together.";
    }
    const isFull = selected.length >= MOST_TOGETHER && !ids.has(question.interaction_id);
    return isFull ? `At most ${MOST_TOGETHER} at once.` : null;
  };
  return {
    selected,
    whyNotSelect,
    /** One more or one less, or all of a list. */
    select: (which: string | readonly string[], isSelected = true) => {
      if (typeof which !== "string") setIds(new Set(which));
      else
        setIds((before) =>
          isSelected ? new Set([...before, which]) : new Set([...before].filter((id) => id !== which)),
        );
    },
    /** Those that may be answered together with what is selected, as far as they are shown. */
    selectAlike: (shown: readonly ListedInteraction[]) =>
      kind === null || session === undefined
        ? []
        : shown
            .filter((row) => row.status === "pending" && whyNotAnswer(row, session) === null && likeness(row) === kind)
            .slice(0, MOST_TOGETHER),
    clear: () => setIds(new Set()),
  };
}

function NoQuestions({ filters, onAll }: { filters: InboxFilters; onAll: () => void }) {
  if (!isNarrowed(filters)) {
    return <Nothing title="Nobody is asked for anything">A question appears here when an execution asks it.</Nothing>;
  }
  return (
    <Nothing title="No question matches">
      <Button variant="default" size="compact-sm" mt="xs" onClick={onAll}>
        Show those that wait
      </Button>
    </Nothing>
  );
}

function Waiting() {
  return (
    <Stack gap={1} className="panel" aria-label="Reading questions" role="status">
      {Array.from({ length: 8 }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike and never move
        <Skeleton key={index} height={58} radius={0} />
      ))}
    </Stack>
  );
}
