/** All pipelines, and how each did lately. */
import { Anchor, Badge, Button, Code, Group, Skeleton, Switch, Text, TextInput, Tooltip } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconPlus, IconSearch } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router";
import { useInvalidatedByExecutions } from "@/api/live-list";
import { type PipelineFilters, pipelinesQuery } from "@/api/pipelines";
import type { PipelineOut } from "@/api/schema.gen";
import { useWhyOnlyLooking } from "@/api/session";
import { LiveMark } from "@/components/ui/live-mark";
import { Nothing, QueryFailed } from "@/components/ui/notices";
import { PageHead } from "@/components/ui/page-head";
import { ServerButton } from "@/components/ui/server-button";
import { pipelineAddress } from "@/domain/addresses";
import { conflictWords } from "@/domain/definition-owner";
import { PipelineNumbers } from "./pipeline-numbers";
import classes from "./pipelines.module.css";
import { RecentStrip } from "./recent-strip";
import { RunButton } from "./run-button";

const LIVE = [["pipelines", "list"]] as const;

export function Component() {
  const [params, setParams] = useSearchParams();
  const q = params.get("q") ?? "";
  const archived = params.get("archived") === "1";
  const state = useInvalidatedByExecutions(LIVE);
  const set = (name: string, value: string) =>
    setParams(
      (before) => {
        const after = new URLSearchParams(before);
        if (value === "") after.delete(name);
        else after.set(name, value);
        return after;
      },
      { replace: true },
    );
  const search = useDebouncedCallback((text: string) => set("q", text.trim()), 200);

  return (
    <>
      <PageHead title="Pipelines" beside={<LiveMark state={state} />} actions={<NewButton />} />
      <Group mb="md" gap="md">
        <TextInput
          aria-label="Search pipelines"
          placeholder="Name, slug or description"
          leftSection={<IconSearch size={16} aria-hidden />}
          defaultValue={q}
          onChange={(event) => search(event.currentTarget.value)}
          type="search"
          w={{ base: "100%", xs: 320 }}
        />
        <Switch
          label="Archived"
          checked={archived}
          onChange={(event) => set("archived", event.currentTarget.checked ? "1" : "")}
        />
      </Group>
      <List filters={{ q: q === "" ? undefined : q, archived }} />
    </>
  );
}

function NewButton() {
  const why = useWhyOnlyLooking() ?? null;
  const look = { variant: "default", leftSection: <IconPlus size={16} aria-hidden /> } as const;
  if (why === null) {
    return (
      <Button component={Link} to="/pipelines/new" {...look}>
        New pipeline
      </Button>
    );
  }
  return (
    <Tooltip label={why} multiline maw={280}>
      <Button {...look} data-disabled aria-disabled aria-label={`New pipeline: ${why}`}>
        New pipeline
      </Button>
    </Tooltip>
  );
}

function List({ filters }: { filters: PipelineFilters }) {
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(
    pipelinesQuery(filters),
  );
  if (data === undefined) {
    return error === null ? (
      <Loading />
    ) : (
      <QueryFailed what="The pipelines" error={error} retry={() => void refetch()} />
    );
  }
  const pipelines = data.pages.flatMap((page) => page.items);
  if (pipelines.length === 0) return <None filters={filters} />;
  return (
    <>
      {error === null ? null : <QueryFailed what="What is new" error={error} retry={() => void refetch()} />}
      <ul className={classes.cards}>
        {pipelines.map((pipeline) => (
          <Card key={pipeline.id} pipeline={pipeline} />
        ))}
      </ul>
      {hasNextPage ? (
        <Group justify="center" mt="md">
          <ServerButton variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            Show more
          </ServerButton>
        </Group>
      ) : null}
    </>
  );
}

function Card({ pipeline }: { pipeline: PipelineOut }) {
  const page = pipelineAddress(pipeline);
  const conflict = conflictWords(pipeline);
  return (
    <li className={`panel ${classes.card}`}>
      <div>
        <Group gap={8} mb={2}>
          <Anchor component={Link} to={page} className={classes.cardName} lineClamp={2} title={pipeline.name}>
            {pipeline.name}
          </Anchor>
          {pipeline.active > 0 ? (
            <Anchor component={Link} to={`/executions?pipeline_id=${pipeline.id}`} underline="never">
              <Badge variant="light" size="sm" radius="sm" styles={{ label: { textTransform: "none" } }}>
                {pipeline.active} active
              </Badge>
            </Anchor>
          ) : null}
          {conflict === null ? null : (
            <Anchor component={Link} to={page} underline="never" title={conflict.sentence}>
              <Badge
                variant="light"
                color="orange"
                size="sm"
                radius="sm"
                styles={{ root: { color: "var(--ia-differs-text)" }, label: { textTransform: "none" } }}
              >
                {conflict.short}
              </Badge>
            </Anchor>
          )}
          {pipeline.is_active ? null : (
            <Badge variant="default" size="sm" radius="sm" styles={{ label: { textTransform: "none" } }}>
              Archived
            </Badge>
          )}
        </Group>
        {pipeline.description === null ? null : (
          <Text size="sm" className={classes.description}>
            {pipeline.description}
          </Text>
        )}
        <Text size="xs" className="quiet" mt={3} lineClamp={2} title={pipeline.slug}>
          {factsOf(pipeline)}
        </Text>
      </div>
      <RecentStrip recent={pipeline.recent} of={pipeline.name} />
      <PipelineNumbers of={pipeline} />
      <RunButton pipeline={pipeline} to={`${page}?run=1`} variant="light" />
    </li>
  );
}

function factsOf({ slug, current_version, step_count }: PipelineOut): string {
  if (current_version === null) return `${slug} · no definition, recorded by other programs`;
  return `${slug} · v${current_version} · ${step_count === 1 ? "1 step" : `${step_count} steps`}`;
}

function None({ filters: { q, archived } }: { filters: PipelineFilters }) {
  if (q !== undefined) {
    return (
      <div className="panel">
        <Nothing title={`No ${archived ? "archived " : ""}pipeline has “${q}” in its name, slug or description`} />
      </div>
    );
  }
  if (archived) {
    return (
      <div className="panel">
        <Nothing title="Nothing is archived">Archived pipelines keep their history and stay here.</Nothing>
      </div>
    );
  }
  return (
    <div className="panel">
      <Nothing title="There are no pipelines yet">
        <Text size="sm" mb="sm">
          Start the server with a folder of pipeline files:
        </Text>
        <Code block ta="left">
          ia-modules serve --pipelines FOLDER
        </Code>
        <Text size="sm" mt="sm">
          or{" "}
          <Anchor component={Link} to="/pipelines/new" inherit underline="always">
            write a definition here
          </Anchor>
          .
        </Text>
      </Nothing>
    </div>
  );
}

function Loading() {
  return (
    <div className={classes.cards} aria-busy="true">
      {[0, 1, 2].map((place) => (
        <Skeleton key={place} height={104} radius="md" />
      ))}
    </div>
  );
}
