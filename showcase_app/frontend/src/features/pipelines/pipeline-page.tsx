/** One pipeline: its graph, definition and versions, how it did lately, and the form that runs it. */
import { Badge, Button, Menu, Select, Skeleton, Stack, Tabs, Text } from "@mantine/core";
import { IconArchive, IconDots, IconListDetails } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Suspense, useState } from "react";
import { Link, useLocation } from "react-router";
import { ApiError } from "@/api/client";
import { useInvalidatedByExecutions } from "@/api/live-list";
import { pipelineQuery } from "@/api/pipelines";
import type { PipelineDetail } from "@/api/schema.gen";
import { useWhyReadOnly } from "@/api/session";
import { lazyPart } from "@/components/ui/lazy-part";
import { LiveMark } from "@/components/ui/live-mark";
import { NotThere, QueryFailed } from "@/components/ui/notices";
import { PageHead } from "@/components/ui/page-head";
import { useStaysOpen } from "@/components/ui/use-stays-open";
import { nameIn } from "@/domain/addresses";
import { ArchiveModal } from "./archive-modal";
import { Conflicts, OwnerLine } from "./definition-owner";
import { GraphTab } from "./graph-tab";
import { PipelineNumbers } from "./pipeline-numbers";
import classes from "./pipelines.module.css";
import { RecentStrip } from "./recent-strip";
import { RunButton, whyNotRun } from "./run-button";
import { RunDrawer } from "./run-drawer";
import { useAddress } from "./use-address";

const DefinitionTab = lazyPart(async () => (await import("./definition-tab")).DefinitionTab);
const VersionsTab = lazyPart(async () => (await import("./versions-tab")).VersionsTab);

const LIVE = [["pipelines", "detail"]] as const;
const TABS = ["graph", "definition", "versions"] as const;

export function Component() {
  const pipelineId = nameIn(useLocation().pathname);
  const address = useAddress();
  const version = Number(address.get("version")) || null;
  const state = useInvalidatedByExecutions(LIVE);
  const {
    data: pipeline,
    error,
    refetch,
  } = useQuery({
    ...pipelineQuery(pipelineId, version),
    // While another version is fetched, the one that was shown stays.
    placeholderData: (before) => (isOf(before, pipelineId) ? before : undefined),
  });

  if (pipeline === undefined) {
    return (
      <>
        <PageHead title={error === null ? pipelineId : "Pipeline"} />
        {error instanceof ApiError && error.status === 404 ? (
          <NoPipeline named={pipelineId} version={version} />
        ) : error === null ? (
          <Stack gap="md">
            <Skeleton height={96} radius="md" />
            <Skeleton height={36} width={320} />
            <Skeleton height={460} radius="md" />
          </Stack>
        ) : (
          <QueryFailed what="The pipeline" error={error} retry={() => void refetch()} />
        )}
      </>
    );
  }
  const tab = TABS.find((each) => each === address.get("tab")) ?? "graph";
  return (
    <>
      <PageHead
        title={pipeline.name}
        beside={
          <>
            <VersionSelect pipeline={pipeline} onChoose={(chosen) => address.set({ version: chosen })} />
            {pipeline.is_active ? null : (
              <Badge variant="default" radius="sm" styles={{ label: { textTransform: "none" } }}>
                Archived
              </Badge>
            )}
            <LiveMark state={state} />
          </>
        }
        actions={
          <>
            <Button
              component={Link}
              to={`/executions?pipeline_id=${pipeline.id}`}
              variant="default"
              leftSection={<IconListDetails size={16} aria-hidden />}
            >
              Executions
            </Button>
            <RunButton pipeline={pipeline} to={address.with({ run: "1" })} />
            <More pipeline={pipeline} />
          </>
        }
      />
      <div className={`panel ${classes.head}`}>
        <div>
          <Text size="sm">{pipeline.description ?? <span className="quiet">It has no description.</span>}</Text>
          <Text size="xs" className="quiet" mt={4}>
            {pipeline.slug}
            {pipeline.version === null
              ? ""
              : ` · ${pipeline.step_count} ${pipeline.step_count === 1 ? "step" : "steps"}`}
          </Text>
          <OwnerLine pipeline={pipeline} />
        </div>
        <RecentStrip recent={pipeline.recent} of={pipeline.name} />
        <PipelineNumbers of={pipeline} />
      </div>
      <Conflicts pipeline={pipeline} />
      <Tabs
        value={tab}
        onChange={(chosen) => address.set({ tab: chosen === "graph" ? null : chosen })}
        mt="md"
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="graph">Graph</Tabs.Tab>
          <Tabs.Tab value="definition">Definition</Tabs.Tab>
          <Tabs.Tab value="versions">Versions</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="graph">
          <GraphTab pipeline={pipeline} />
        </Tabs.Panel>
        <Tabs.Panel value="definition">
          <Suspense fallback={<Skeleton height={460} radius="md" />}>
            <DefinitionTab key={`${pipeline.id} ${version}`} pipeline={pipeline} />
          </Suspense>
        </Tabs.Panel>
        <Tabs.Panel value="versions">
          <Suspense fallback={<Skeleton height={260} radius="md" />}>
            <VersionsTab pipeline={pipeline} />
          </Suspense>
        </Tabs.Panel>
      </Tabs>
      <Run pipeline={pipeline} isOpen={address.get("run") !== null} onClose={() => address.set({ run: null })} />
    </>
  );
}

/** The form that runs it, which stays when it is archived meanwhile. */
function Run({ pipeline, isOpen, onClose }: { pipeline: PipelineDetail; isOpen: boolean; onClose: () => void }) {
  const opened = useStaysOpen(isOpen, whyNotRun(pipeline) === null);
  return <RunDrawer pipeline={pipeline} opened={opened} onClose={onClose} />;
}

function NoPipeline({ named, version }: { named: string; version: number | null }) {
  return version === null ? (
    <NotThere
      title="There is no such pipeline"
      why={`Nothing here is called “${named}”. It may have been deleted, or its address is not whole.`}
      to="/pipelines"
      others="All pipelines"
    />
  ) : (
    <NotThere
      title={`There is no version ${version} of it`}
      why={`“${named}” has other versions, or is not there at all.`}
      to={`/pipelines/${encodeURIComponent(named)}`}
      others="The current version"
    />
  );
}

function isOf(pipeline: PipelineDetail | undefined, idOrSlug: string): boolean {
  return pipeline !== undefined && (pipeline.id === idOrSlug || pipeline.slug === idOrSlug);
}

function VersionSelect({
  pipeline,
  onChoose,
}: {
  pipeline: PipelineDetail;
  onChoose: (version: string | null) => void;
}) {
  const current = pipeline.current_version;
  if (current === null || pipeline.version === null) return null;
  const newest = Math.max(current, pipeline.owner.newest_version);
  const numbers = Array.from({ length: newest }, (_, place) => newest - place);
  return (
    <Select
      size="xs"
      w={128}
      aria-label="Version"
      allowDeselect={false}
      searchable={numbers.length > 8}
      value={String(pipeline.version)}
      data={numbers.map((number) => ({
        value: String(number),
        label: number === current ? `v${number} (current)` : `v${number}`,
      }))}
      onChange={(chosen) => onChoose(chosen === String(current) ? null : chosen)}
    />
  );
}

function More({ pipeline }: { pipeline: PipelineDetail }) {
  const [asking, setAsking] = useState(false);
  const why = useWhyReadOnly() ?? (pipeline.is_active ? null : "It is archived already.");
  return (
    <>
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <Button variant="default" px={9} aria-label="More actions">
            <IconDots size={18} aria-hidden />
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item
            leftSection={<IconArchive size={16} aria-hidden />}
            disabled={why !== null}
            title={why ?? undefined}
            onClick={() => setAsking(true)}
          >
            Archive …
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <ArchiveModal pipeline={pipeline} opened={asking} onClose={() => setAsking(false)} />
    </>
  );
}
