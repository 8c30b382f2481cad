/** The versions of a pipeline, and what differs between any two. */
import { Anchor, Badge, Group, Select, Skeleton, Stack, Table, Text, Title } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link } from "react-router";
import { versionsQuery } from "@/api/pipelines";
import type { PipelineDetail, PipelineVersionOut } from "@/api/schema.gen";
import { Moment } from "@/components/ui/moments";
import { Nothing, QueryFailed } from "@/components/ui/notices";
import { ServerButton } from "@/components/ui/server-button";
import { type Change, changesBetween } from "@/domain/definition-diff";
import { originText } from "@/domain/definition-owner";
import { stringifyJson } from "@/domain/json";
import { MakeCurrentButton } from "./definition-owner";
import classes from "./pipelines.module.css";
import { useAddress } from "./use-address";

export function VersionsTab({ pipeline }: { pipeline: PipelineDetail }) {
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(
    versionsQuery(pipeline.id),
  );
  const address = useAddress();
  if (data === undefined) {
    return error === null ? (
      <Skeleton height={260} radius="md" />
    ) : (
      <QueryFailed what="The versions" error={error} retry={() => void refetch()} />
    );
  }
  const versions = data.pages.flatMap((page) => page.items);
  if (versions.length === 0) {
    return (
      <div className="panel">
        <Nothing title="It has no versions">Another program runs it and records its executions here.</Nothing>
      </div>
    );
  }
  const beside = new Set(pipeline.owner.beside.map(({ version }) => version));
  const [newest, second] = versions;
  const to = chosen(versions, address.get("to")) ?? newest;
  const from = chosen(versions, address.get("from")) ?? second;
  return (
    <Stack gap="md">
      {from === undefined || to === undefined ? null : (
        <section className="panel" aria-labelledby="difference">
          <Group px="md" py="sm" gap="sm">
            <Title order={2} id="difference">
              What changed
            </Title>
            <VersionChoice label="From" versions={versions} value={from} onChoose={(v) => address.set({ from: v })} />
            <span aria-hidden>→</span>
            <VersionChoice label="To" versions={versions} value={to} onChoose={(v) => address.set({ to: v })} />
          </Group>
          <Difference from={from} to={to} />
        </section>
      )}
      <section className="panel" aria-label="Versions">
        <Table.ScrollContainer minWidth={300}>
          <Table highlightOnHover verticalSpacing={8} horizontalSpacing="md">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Version</Table.Th>
                <Table.Th>Saved</Table.Th>
                <Table.Th visibleFrom="xs">From</Table.Th>
                <Table.Th visibleFrom="sm">Note</Table.Th>
                <Table.Th>
                  <span className={classes.unseen}>Look at it</span>
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {versions.map((each, place) => (
                <Table.Tr key={each.version}>
                  <Table.Td>
                    <Group gap={8}>
                      <Text fw={600} size="sm">
                        v{each.version}
                      </Text>
                      {each.is_current ? (
                        <Badge variant="light" size="sm" radius="sm" styles={{ label: { textTransform: "none" } }}>
                          Current
                        </Badge>
                      ) : null}
                      {beside.has(each.version) ? (
                        <Badge
                          variant="light"
                          color="orange"
                          size="sm"
                          radius="sm"
                          styles={{ root: { color: "var(--ia-differs-text)" }, label: { textTransform: "none" } }}
                        >
                          Beside
                        </Badge>
                      ) : null}
                    </Group>
                  </Table.Td>
                  <Table.Td>
                    <Moment at={each.created_at} />
                  </Table.Td>
                  <Table.Td visibleFrom="xs">{originText(each.origin, each.author)}</Table.Td>
                  <Table.Td visibleFrom="sm" className={classes.note}>
                    {each.note ?? <span className="quiet">–</span>}
                  </Table.Td>
                  <Table.Td>
                    <Group gap="md" justify="flex-end">
                      <Anchor component={Link} size="sm" to={`?version=${each.version}`}>
                        Graph
                      </Anchor>
                      {each.is_current ? null : (
                        <MakeCurrentButton pipeline={pipeline} version={each.version} label="Make current" />
                      )}
                      {versions[place + 1] === undefined ? null : (
                        <Anchor
                          component={Link}
                          size="sm"
                          to={address.with({ from: String(versions[place + 1]?.version), to: String(each.version) })}
                        >
                          Changes
                        </Anchor>
                      )}
                    </Group>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
        {hasNextPage ? (
          <Group justify="center" p="sm">
            <ServerButton variant="default" size="xs" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
              Show older
            </ServerButton>
          </Group>
        ) : null}
      </section>
    </Stack>
  );
}

function chosen(versions: readonly PipelineVersionOut[], word: string | null): PipelineVersionOut | undefined {
  return versions.find((each) => String(each.version) === word);
}

type VersionChoiceProps = {
  label: string;
  versions: readonly PipelineVersionOut[];
  value: PipelineVersionOut;
  onChoose: (version: string | null) => void;
};

function VersionChoice({ label, versions, value, onChoose }: VersionChoiceProps) {
  return (
    <Select
      aria-label={label}
      size="xs"
      w={96}
      allowDeselect={false}
      value={String(value.version)}
      data={versions.map(({ version }) => ({ value: String(version), label: `v${version}` }))}
      onChange={onChoose}
    />
  );
}

function Difference({ from, to }: { from: PipelineVersionOut; to: PipelineVersionOut }) {
  const changes = useMemo(() => changesBetween(from.definition, to.definition), [from, to]);
  if (changes.length === 0) return <Nothing title={from === to ? "That is the same version" : "They are the same"} />;
  return (
    <ul className={classes.changes}>
      {changes.map((change) => (
        <ChangeRow key={`${change.kind} ${change.path.join("/")}`} change={change} />
      ))}
    </ul>
  );
}

const KIND_COLORS: Readonly<Record<Change["kind"], string>> = {
  added: "teal",
  removed: "red",
  changed: "blue",
  moved: "gray",
};

function ChangeRow({ change }: { change: Change }) {
  const { path, kind } = change;
  return (
    <li className={classes.change}>
      <Badge
        color={KIND_COLORS[kind]}
        variant="light"
        radius="sm"
        size="sm"
        styles={{ root: { color: "var(--mantine-color-text)" }, label: { textTransform: "none" } }}
      >
        {kind}
      </Badge>
      <div className={classes.path}>
        {path.length > 1 ? <span className={classes.outer}>{path.slice(0, -1).join(" › ")} › </span> : null}
        {path.at(-1)}
      </div>
      {kind === "moved" || !("before" in change) ? null : <Value side="before" value={change.before} />}
      {kind === "moved" || !("after" in change) ? null : <Value side="after" value={change.after} />}
    </li>
  );
}

function Value({ side, value }: { side: "before" | "after"; value: unknown }) {
  return (
    <pre className={classes.value} data-side={side}>
      <span role="img" aria-label={side === "before" ? "Before" : "After"}>
        {side === "before" ? "−" : "+"}
      </span>
      <span>{stringifyJson(value, 2)}</span>
    </pre>
  );
}
