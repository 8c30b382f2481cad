/** The Ray clusters that steps run on: what their nodes have, what of it is taken, and by which attempts. */
import { Anchor, Progress, Table, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "react-router";
import type { ClusterNodeOut, ClusterOut, HeldOut, WarmPoolOut } from "@/api/schema.gen";
import { Moment } from "@/components/ui/moments";
import { amountText, resourcesText, shortNode } from "@/domain/places";
import { shortId } from "@/domain/runs";
import { durationText } from "@/domain/time";
import classes from "./system.module.css";

export function ClustersPanel({ clusters }: { clusters: readonly ClusterOut[] }) {
  return clusters.map((cluster) => <ClusterPanel key={cluster.cluster} cluster={cluster} />);
}

function ClusterPanel({ cluster: { cluster, nodes, pools, held } }: { cluster: ClusterOut }) {
  return (
    <section className={`panel ${classes.panel}`} aria-label={`Ray cluster ${cluster}`}>
      <h2>Ray cluster</h2>
      <Text size="sm" className="quiet" pb="sm">
        <span className="mono">{cluster}</span>
        {nodes.length === 0 ? " · no worker that is alive has joined it" : ""}
      </Text>
      {nodes.length === 0 ? null : <Nodes nodes={nodes} />}
      {pools.length === 0 ? null : (
        <>
          <h3 className={classes.held}>Warm pools</h3>
          <Pools pools={pools} />
        </>
      )}
      {held.length === 0 ? (
        <Text size="sm" className="quiet" pt="xs">
          No step runs on it
        </Text>
      ) : (
        <>
          <h3 className={classes.held}>What holds them</h3>
          <Held held={held} pools={pools} />
        </>
      )}
    </section>
  );
}

function Nodes({ nodes }: { nodes: readonly ClusterNodeOut[] }) {
  const names = [...new Set(nodes.flatMap(({ total }) => Object.keys(total)))].sort();
  return (
    <Named name="Nodes" columns={["Node", ...names.map((name) => `${name}, in use`)]}>
      {nodes.map(({ node, total, free }) => (
        <Table.Tr key={node}>
          <Table.Td className="mono" title={node}>
            {shortNode(node)}
          </Table.Td>
          {names.map((name) => (
            <Table.Td key={name}>
              <InUse name={name} total={total[name] ?? 0} free={free[name] ?? 0} />
            </Table.Td>
          ))}
        </Table.Tr>
      ))}
    </Named>
  );
}

function Named({ name, columns, children }: { name: string; columns: readonly string[]; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <div className={classes.scrolls} tabIndex={0}>
      <Table verticalSpacing={6} horizontalSpacing="sm" className="numbers" aria-label={name}>
        <Table.Thead>
          <Table.Tr>
            {columns.map((column) => (
              <Table.Th key={column}>{column}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>{children}</Table.Tbody>
      </Table>
    </div>
  );
}

function InUse({ name, total, free }: { name: string; total: number; free: number }) {
  if (total === 0) return <span className="quiet">–</span>;
  const used = Math.max(0, total - free);
  const text = `${amountText(name, used)} of ${amountText(name, total)}`;
  return (
    <span className={classes.slots}>
      <Progress.Root size={6} w={56} role="img" aria-label={`${text} ${name} in use`}>
        <Progress.Section value={(100 * used) / total} color="var(--ia-status-running)" withAria={false} />
      </Progress.Root>
      {text}
    </span>
  );
}

function Pools({ pools }: { pools: readonly WarmPoolOut[] }) {
  return (
    <Named name="Warm pools" columns={["Pipeline", "Pool", "Holds", "Node", "Attempts"]}>
      {pools.map((pool) => (
        <Table.Tr key={`${pool.node} ${pool.pid}`}>
          <Table.Td>{pool.pipeline}</Table.Td>
          <Table.Td>{pool.name}</Table.Td>
          <Table.Td>{resourcesText(pool.resources)}</Table.Td>
          <Table.Td>
            <NodeOf {...pool} />
          </Table.Td>
          <Table.Td>{pool.attempts === 0 ? <span className="quiet">none</span> : pool.attempts}</Table.Td>
        </Table.Tr>
      ))}
    </Named>
  );
}

function NodeOf({ node, pid }: { node: string; pid: number }) {
  return (
    <span title={node}>
      <span className="mono">{shortNode(node)}</span> <span className="quiet">pid {pid}</span>
    </span>
  );
}

function Held({ held, pools }: { held: readonly HeldOut[]; pools: readonly WarmPoolOut[] }) {
  const poolOf = ({ node, pid }: HeldOut) => pools.find((pool) => pool.node === node && pool.pid === pid);
  return (
    <Named name="What holds them" columns={["Execution", "Step", "Holds", "Node", "Since"]}>
      {held.map((each) => (
        <Table.Tr key={each.step_execution_id}>
          <Table.Td>
            <Anchor
              component={Link}
              to={`/executions/${encodeURIComponent(each.execution_id)}?step=${encodeURIComponent(each.step_id)}`}
              inherit
              title={each.execution_id}
            >
              {each.pipeline_name} <span className="mono">{shortId(each.execution_id)}</span>
            </Anchor>
          </Table.Td>
          <Table.Td>
            {each.within === "" ? each.step_name : `${each.step_id}: ${each.step_name}`}
            {each.iteration === 1 || each.within !== "" ? "" : ` #${each.iteration}`}
          </Table.Td>
          <Table.Td>
            {poolOf(each) === undefined ? resourcesText(each.resources) : `with pool ${poolOf(each)?.name}`}
          </Table.Td>
          <Table.Td>
            <NodeOf {...each} />
          </Table.Td>
          <Table.Td title={`It waited ${durationText(each.waited_seconds)} for that`}>
            <Moment at={each.since} />
          </Table.Td>
        </Table.Tr>
      ))}
    </Named>
  );
}
