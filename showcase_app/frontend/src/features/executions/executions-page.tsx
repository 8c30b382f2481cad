/** Executions: what runs and what ran, newest first, live; filtered by the address; cancelled and run again in bulk. */
import { Anchor, Button, Skeleton, Stack, Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconArrowUp } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import type { RowSelectionState } from "@tanstack/react-table";
import { type ReactNode, useMemo, useState } from "react";
import { Link, useSearchParams } from "react-router";
import { ApiError } from "@/api/client";
import { failureQuery } from "@/api/failures";
import type { FailureOut } from "@/api/schema.gen";
import { LiveMark } from "@/components/ui/live-mark";
import { Moment } from "@/components/ui/moments";
import { Nothing, NotThere, QueryFailed } from "@/components/ui/notices";
import { PageHead } from "@/components/ui/page-head";
import { ServerButton } from "@/components/ui/server-button";
import {
  furtherBack,
  type ListedFilters,
  LOOK_BACK,
  type ShownFilters,
  shownFilters,
  sortOf,
  withFilters,
  withSort,
} from "@/domain/execution-filters";
import { type ColumnId, shownColumns } from "@/domain/list-view";
import { hasUsage } from "@/domain/usage";
import { BulkBar } from "./bulk-bar";
import { ExecutionRows } from "./execution-rows";
import classes from "./executions.module.css";
import { FailureFilter } from "./failure-filter";
import { FailureGroups } from "./failure-groups";
import { Filters } from "./filters";
import { ImportButton } from "./import-button";
import { Shortcuts } from "./shortcuts";
import { useExecutionList } from "./use-execution-list";
import { useListLook } from "./use-list-view";
import { ViewMenu } from "./view-menu";

const NO_FAILURE = { failure: undefined, failed_after: undefined };

export function Component() {
  const [address] = useSearchParams();
  const { failure } = shownFilters(address);
  return failure === undefined ? <Executions failure={null} /> : <OfFailure key={failure} id={failure} />;
}

/** Those of one group of failures: requests name it by what it is made of. */
function OfFailure({ id }: { id: string }) {
  const { data, error, refetch } = useQuery(failureQuery(id));
  if (data !== undefined) return <Executions failure={data} />;
  return (
    <>
      <PageHead title="Executions" />
      {error === null ? (
        <Waiting />
      ) : error instanceof ApiError && error.status === 404 ? (
        <NotThere
          title="There are no such failures"
          why="They were deleted with their executions, or their address is not whole."
          to="/executions"
          others="All executions"
        />
      ) : (
        <QueryFailed what="The group of failures" error={error} retry={() => void refetch()} />
      )}
    </>
  );
}

function Executions({ failure }: { failure: FailureOut | null }) {
  const [address, setAddress] = useSearchParams();
  const { pipeline_id, failure_group } = failure ?? {};
  const shown = useMemo((): ListedFilters => {
    const { failure: _, ...filters } = shownFilters(address);
    return failure_group === undefined ? filters : { ...filters, pipeline_id, failure_group };
  }, [address, pipeline_id, failure_group]);
  const change = (to: Partial<ShownFilters>) => {
    const ofPipeline = "pipeline_id" in to ? NO_FAILURE : {}; // a group is of one pipeline
    setAddress((before) => withFilters(before, { look_back: undefined, ...to, ...ofPipeline }), { replace: "q" in to });
    setSelected({});
    setAllMatching(false);
  };

  const sort = sortOf(address);
  const [look] = useListLook();
  const isRoomy = useMediaQuery("(min-width: 100em)", undefined, { getInitialValueInEffect: false });
  const [isAtTop, setAtTop] = useState(true);
  const [selected, setSelected] = useState<RowSelectionState>({});
  const [allMatching, setAllMatching] = useState(false);
  const clearSelection = () => {
    setSelected({});
    setAllMatching(false);
  };
  const hasSelected = Object.keys(selected).length > 0;
  const { query, rows, searched, lookedBackTo, held, live, onShown } = useExecutionList(shown, {
    admitNew: isAtTop && !hasSelected,
    sort,
  });
  const hasCosts = sort === "cost" || (rows ?? []).some(hasUsage);
  const columns = useMemo(() => shownColumns(look, isRoomy, hasCosts), [look, isRoomy, hasCosts]);
  const selectedOnes = useMemo(() => {
    const known = new Map(rows?.map((row) => [row.execution_id, row.status]));
    return Object.keys(selected).map((id) => ({ id, status: known.get(id) }));
  }, [rows, selected]);
  const isFiltered = Object.values(shown).some((value) => value !== undefined);
  const further =
    lookedBackTo === null ? null : (
      <LookedBack to={lookedBackTo} lookBack={shown.look_back} onFurther={(look_back) => change({ look_back })} />
    );

  return (
    <>
      <PageHead title="Executions" beside={<LiveMark state={live} />} actions={<Actions columns={columns} />} />
      {failure === null ? null : (
        <FailureFilter failure={failure} since={shown.failed_after} onClear={() => change({ pipeline_id })} />
      )}
      <Filters shown={shown} searched={searched} onChange={change} />
      <FailureGroups
        shown={shown}
        opened={address.has("why")}
        onToggle={(opened) =>
          setAddress(
            (before) => {
              const next = new URLSearchParams(before);
              if (opened) next.set("why", "1");
              else next.delete("why");
              return next;
            },
            { replace: true, preventScrollReset: true },
          )
        }
      />
      {held.count > 0 ? (
        <div className={classes.held}>
          <Button
            size="compact-sm"
            radius="xl"
            leftSection={<IconArrowUp size={14} aria-hidden />}
            onClick={() => {
              clearSelection();
              window.scrollTo({ top: 0 });
            }}
          >
            {held.count}
            {held.more ? "+" : ""} new
          </Button>
        </div>
      ) : null}
      <div className={classes.list} data-previous={query.isPlaceholderData || undefined}>
        {query.isError && rows === undefined ? (
          <QueryFailed what="The executions" error={query.error} retry={() => query.refetch()} />
        ) : rows === undefined ? (
          <Waiting />
        ) : rows.length === 0 ? (
          <div className="panel">
            {sort === "cost" ? (
              <Nothing title="No execution with a known cost matches">
                <Button
                  variant="default"
                  size="compact-sm"
                  mt="xs"
                  onClick={() => setAddress((before) => withSort(before, "newest"))}
                >
                  Show the newest
                </Button>
              </Nothing>
            ) : isFiltered ? (
              <Nothing title={lookedBackTo === null ? "No execution matches" : "None of the newest matches"}>
                {further}
                <Button variant="default" size="compact-sm" mt="xs" onClick={() => setAddress(new URLSearchParams())}>
                  Show all executions
                </Button>
              </Nothing>
            ) : (
              <Nothing title="Nothing has run yet">
                Choose a{" "}
                <Anchor component={Link} to="/pipelines" inherit underline="always">
                  pipeline
                </Anchor>{" "}
                and run it: it appears here as it starts.
              </Nothing>
            )}
          </div>
        ) : (
          <>
            <ExecutionRows
              rows={rows}
              selected={selected}
              allMatching={allMatching}
              onSelect={(next) => {
                setSelected(next);
                setAllMatching(false);
              }}
              hasMore={query.hasNextPage && !query.isFetchNextPageError}
              isReading={query.isFetching}
              onMore={query.fetchNextPage}
              onShown={onShown}
              onAtTop={setAtTop}
              columns={columns}
              isDense={look.isDense}
            />
            <Foot query={query} count={rows.length} further={further} />
          </>
        )}
      </div>
      <BulkBar
        selected={selectedOnes}
        filters={shown}
        allMatching={allMatching}
        canSelectAll={query.hasNextPage || hasSelected}
        onSelectAll={() => setAllMatching(true)}
        onClear={clearSelection}
      />
    </>
  );
}

function Actions({ columns }: { columns: readonly ColumnId[] }) {
  return (
    <>
      <ViewMenu columns={columns} />
      <ImportButton />
      <Shortcuts />
    </>
  );
}

/** How far back was looked, and the way further back; null where all was looked at. */
function LookedBack({ to, lookBack, onFurther }: { to: string; lookBack?: number; onFurther: (to: number) => void }) {
  const next = furtherBack(lookBack);
  return (
    <Stack gap={6} align="center">
      <span>
        Looked at the newest {(lookBack ?? LOOK_BACK).toLocaleString("en")}, back to <Moment at={to} />.
        {next === null ? " Choose a time window for older ones." : null}
      </span>
      {next === null ? null : (
        <Button size="compact-sm" onClick={() => onFurther(next)}>
          Search further back
        </Button>
      )}
    </Stack>
  );
}

type FootProps = { query: ReturnType<typeof useExecutionList>["query"]; count: number; further: ReactNode };

function Foot({ query, count, further }: FootProps) {
  if (query.isFetchNextPageError) {
    return <QueryFailed what="More executions" error={query.error} retry={() => query.fetchNextPage()} />;
  }
  return (
    <Text size="sm" className="quiet" ta="center" py="sm" component="div">
      {query.hasNextPage ? (
        <ServerButton
          variant="subtle"
          size="compact-sm"
          loading={query.isFetchingNextPage}
          onClick={() => query.fetchNextPage()}
        >
          Load more
        </ServerButton>
      ) : further !== null ? (
        further
      ) : count < 10 ? null : (
        "These are all."
      )}
    </Text>
  );
}

function Waiting() {
  return (
    <Stack gap={0} className="panel" aria-label="Reading executions" role="status">
      {Array.from({ length: 12 }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike and never move
        <div key={index} className={classes.waiting}>
          <Skeleton height={14} />
        </div>
      ))}
    </Stack>
  );
}
