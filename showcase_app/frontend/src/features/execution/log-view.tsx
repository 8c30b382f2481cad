/** Log lines, old and new: searched, followed, jumped in, downloaded, in full width; any number of them. */
import { Button, Group, Modal, Skeleton, Text } from "@mantine/core";
import { useClipboard, useLocalStorage } from "@mantine/hooks";
import { useInfiniteQuery, useMutation } from "@tanstack/react-query";
import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { logsQuery, readEveryLine } from "@/api/logs";
import type { LogOut, StepDetail } from "@/api/schema.gen";
import { useTimes } from "@/components/ui/moments";
import { QueryFailed } from "@/components/ui/notices";
import { type Goal, type HeardLines, hasGap, leftOutOf, lineText, mergedLines } from "@/domain/log-lines";
import { LogBar } from "./log-bar";
import { LogLines } from "./log-lines";
import classes from "./log-view.module.css";
import { Quiet } from "./payload";
import { saveFile } from "./save-file";
import { useLogParams } from "./use-log-params";

const WRAP_KEY = "ia-log-wrap";

type LogViewProps = {
  executionId: string;
  /** Only of this attempt. */
  stepExecutionId?: string;
  /** Whose lines these are, as the full-width view and the downloaded file say. */
  of: string;
  /** What the socket brought since the page was opened, of the whole execution. */
  heard: HeardLines;
  /** Whether more lines are to be expected: then the end is followed. */
  running: boolean;
  /** To name the step of each line. */
  steps?: readonly StepDetail[];
};

export function LogView({ executionId, stepExecutionId, of, heard, running, steps }: LogViewProps) {
  const params = useLogParams();
  const { q, level, line, set } = params;
  const [follow, setFollow] = useState(running && line === null);
  const [wrap, setWrap] = useLocalStorage({ key: WRAP_KEY, defaultValue: true, getInitialValueInEffect: false });
  const [goal, setGoal] = useState<Goal | null>(line === null ? null : { to: "line", log_id: line });
  const [missed, setMissed] = useState<Goal["to"] | null>(null);
  const filters = useMemo(
    () => ({
      step_execution_id: stepExecutionId,
      level: level === "debug" ? undefined : level,
      q: q === "" ? undefined : q,
    }),
    [stepExecutionId, level, q],
  );
  const { zone } = useTimes();
  const query = useInfiniteQuery(logsQuery(executionId, filters));
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  const read = useMemo(() => data?.pages.flatMap((page) => page.items), [data]);
  const lines = useMemo(
    () => (read === undefined ? [] : mergedLines(read, heard.lines, filters, !hasNextPage)),
    [read, heard, filters, hasNextPage],
  );
  const [begun, setBegun] = useState({ filters, dropped: heard.dropped });
  if (begun.filters !== filters) {
    setBegun({ filters, dropped: heard.dropped }); // it is read anew,
    setMissed(null);
    if (line !== null) setGoal({ to: "line", log_id: line }); // and looked at around the same line
  }
  const isPartial = read !== undefined && !hasNextPage && hasGap(read, heard.dropped, begun.dropped);
  const readAgain = () => {
    setBegun({ filters, dropped: heard.dropped });
    void query.refetch();
  };
  const names = useMemo(() => new Map(steps?.map((step) => [step.step_execution_id, step.step_name])), [steps]);
  const textOf = (all: readonly LogOut[]) =>
    all.map((each) => lineText(each, names.get(each.step_execution_id ?? "") ?? null)).join("\n");
  const clipboard = useClipboard({ timeout: 1500 });
  const download = useMutation({
    mutationFn: () => readEveryLine(executionId, filters),
    onSuccess: (all) => saveFile(new File([`${textOf(all)}\n`], fileName(of, executionId), { type: "text/plain" })),
  });

  const go = (to: Goal) => {
    setFollow(false);
    setMissed(null);
    setGoal(to);
  };
  const latest = useRef(line); // the address changes a moment after a jump, and the next click may be sooner
  useEffect(() => {
    latest.current = line;
  }, [line]);
  const after = () => lines.findIndex((each) => each.log_id === latest.current);
  const onReached = useCallback(
    (reached: Goal, found: LogOut | null) => {
      setGoal(null);
      setMissed(found === null ? reached.to : null);
      if (found === null || reached.to === "end") return;
      latest.current = found.log_id;
      set("line", found.log_id);
    },
    [set],
  );
  const leftOut = Math.max(data?.pages[0]?.left_out ?? 0, leftOutOf(lines));

  const view = (
    <div className={classes.view} data-wide={params.wide || undefined}>
      <LogBar
        params={params}
        follow={follow}
        onFollow={setFollow}
        wrap={wrap}
        onWrap={setWrap}
        hasLines={lines.length > 0}
        onNextError={() => go({ to: "error", after: after() })}
        onEnd={() => go({ to: "end" })}
        copied={clipboard.copied}
        onCopy={() => clipboard.copy(textOf(lines))}
        downloading={download.isPending}
        onDownload={() => download.mutate()}
      />
      {leftOut === 0 ? null : (
        <Notice act="Show where" onAct={() => go({ to: "gap", after: after() })}>
          {leftOut.toLocaleString("en")} {leftOut === 1 ? "line is" : "lines are"} left out: of very many, the first and
          the last of each attempt are kept, and of warnings and errors by themselves.
          {q === "" ? "" : " The search does not see them."}
        </Notice>
      )}
      {isPartial ? (
        <Notice act="Read them" onAct={readAgain}>
          The page keeps the newest 5,000 lines that came while it was open. Older ones are missing here.
        </Notice>
      ) : null}
      {download.isError ? (
        <QueryFailed what="All of these lines" error={download.error} retry={() => download.mutate()} />
      ) : null}
      {query.isError && data === undefined ? (
        <QueryFailed what="Log lines" error={query.error} retry={() => void query.refetch()} />
      ) : data === undefined ? (
        <Skeleton height={160} radius={0} role="status" aria-label="Log lines are being read" />
      ) : lines.length === 0 ? (
        <div className={classes.none}>
          <Quiet>{noneText(q !== "" || level !== "debug", running)}</Quiet>
        </div>
      ) : (
        <LogLines
          lines={lines}
          names={steps === undefined ? null : names}
          wrap={wrap}
          follow={follow}
          onFollow={setFollow}
          current={line}
          addressOf={params.addressOf}
          goal={goal}
          allRead={!hasNextPage}
          onReached={onReached}
          more={hasNextPage && !isFetchingNextPage && !query.isFetchNextPageError ? () => void fetchNextPage() : null}
        />
      )}
      {query.isFetchNextPageError ? (
        <QueryFailed what="More log lines" error={query.error} retry={() => void fetchNextPage()} />
      ) : null}
      {data === undefined ? null : (
        <Text size="xs" className={`quiet numbers ${classes.foot}`} role="status">
          {lines.length.toLocaleString("en")} {lines.length === 1 ? "line" : "lines"}
          {q === "" ? "" : " found"}
          {hasNextPage ? ", more below" : running ? ", new ones appear as they are written" : ""}
          <span>, times in {zone}</span>
          {missed === null ? "" : `. ${MISSED[missed]}`}
        </Text>
      )}
    </div>
  );

  if (!params.wide) return view;
  return (
    <>
      <Quiet>The lines are shown in full width.</Quiet>
      <Modal
        opened
        onClose={() => set("wide", null)}
        fullScreen
        title={<b>Log lines of {of}</b>}
        closeButtonProps={{ "aria-label": "Close" }}
      >
        {view}
      </Modal>
    </>
  );
}

const MISSED: Readonly<Record<Goal["to"], string>> = {
  end: "There is no line.",
  line: "The line of this address is not among them.",
  error: "There is no error among them.",
  gap: "Nothing is left out among them.",
};

function noneText(filtered: boolean, running: boolean): string {
  if (filtered) return "No line matches.";
  return running ? "No log lines yet." : "No log lines.";
}

function fileName(of: string, executionId: string): string {
  return `${of.replaceAll(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60)}-${executionId}.log`;
}

function Notice({ children, act, onAct }: { children: ReactNode; act: string; onAct: () => void }) {
  return (
    <Group gap={8} className={classes.gap} role="status">
      <Text size="xs" className={classes.notice}>
        {children}
      </Text>
      <Button size="compact-xs" variant="default" onClick={onAct}>
        {act}
      </Button>
    </Group>
  );
}
