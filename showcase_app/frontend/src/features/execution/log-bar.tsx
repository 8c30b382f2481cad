/** What is done with log lines: searched, narrowed, followed, jumped in, wrapped, copied, downloaded, widened. */
import { ActionIcon, CloseButton, Group, Select, Switch, TextInput, Tooltip } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import {
  IconAlertCircle,
  IconArrowBarToDown,
  IconArrowsMaximize,
  IconArrowsMinimize,
  IconCheck,
  IconCopy,
  IconDownload,
  IconSearch,
  IconTextWrap,
} from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import { LEVELS, type Severity } from "@/domain/log-lines";
import classes from "./log-view.module.css";
import type { LogParams } from "./use-log-params";

const LEVEL_WORDS: Readonly<Record<Severity, string>> = {
  debug: "All levels",
  info: "Info and up",
  warning: "Warning and up",
  error: "Errors",
};

type LogBarProps = {
  params: LogParams;
  follow: boolean;
  onFollow: (follow: boolean) => void;
  wrap: boolean;
  onWrap: (wrap: boolean) => void;
  /** Whether there is any line to jump to, copy or download. */
  hasLines: boolean;
  onNextError: () => void;
  onEnd: () => void;
  copied: boolean;
  onCopy: () => void;
  downloading: boolean;
  onDownload: () => void;
};

export function LogBar({ params, hasLines, follow, wrap, copied, downloading, ...on }: LogBarProps) {
  const [typed, setTyped] = useState(params.q);
  const search = useDebouncedCallback((text: string) => params.set("q", text.trim()), 250);
  const type = (text: string) => {
    setTyped(text);
    search(text);
  };
  return (
    <Group gap={8} className={classes.bar}>
      <TextInput
        size="xs"
        className={classes.search}
        placeholder="Search lines"
        aria-label="Search in the log lines"
        value={typed}
        onChange={(event) => type(event.currentTarget.value)}
        leftSection={<IconSearch size={14} aria-hidden />}
        rightSection={typed === "" ? null : <CloseButton size="xs" aria-label="Clear" onClick={() => type("")} />}
      />
      <Select
        size="xs"
        w={136}
        aria-label="Least severe level shown"
        allowDeselect={false}
        value={params.level}
        onChange={(level) => params.set("level", level === "debug" ? null : level)}
        data={LEVELS.map((level) => ({ value: level, label: LEVEL_WORDS[level] }))}
        comboboxProps={{ width: 150 }}
      />
      <Group gap={4} ml="auto" wrap="nowrap">
        <Switch
          size="xs"
          mr={4}
          label="Follow"
          checked={follow}
          onChange={(event) => on.onFollow(event.currentTarget.checked)}
        />
        <Tool label="Next error" disabled={!hasLines} onClick={on.onNextError}>
          <IconAlertCircle size={16} aria-hidden />
        </Tool>
        <Tool label="To the end" disabled={!hasLines} onClick={on.onEnd}>
          <IconArrowBarToDown size={16} aria-hidden />
        </Tool>
        <Tool label="Wrap long lines" pressed={wrap} onClick={() => on.onWrap(!wrap)}>
          <IconTextWrap size={16} aria-hidden />
        </Tool>
        <Tool label={copied ? "Copied" : "Copy the lines that are shown"} disabled={!hasLines} onClick={on.onCopy}>
          {copied ? <IconCheck size={16} aria-hidden /> : <IconCopy size={16} aria-hidden />}
        </Tool>
        <Tool label="Download all of these lines" disabled={!hasLines} loading={downloading} onClick={on.onDownload}>
          <IconDownload size={16} aria-hidden />
        </Tool>
        <Tool
          label={params.wide ? "Back to the page" : "Full width"}
          onClick={() => params.set("wide", params.wide ? null : "logs")}
        >
          {params.wide ? <IconArrowsMinimize size={16} aria-hidden /> : <IconArrowsMaximize size={16} aria-hidden />}
        </Tool>
      </Group>
    </Group>
  );
}

type ToolProps = {
  label: string;
  onClick: () => void;
  disabled?: boolean;
  loading?: boolean;
  /** Of what is on or off; undefined: it only acts. */
  pressed?: boolean;
  children: ReactNode;
};

function Tool({ label, onClick, disabled, loading, pressed, children }: ToolProps) {
  return (
    <Tooltip label={label}>
      <ActionIcon
        size={26}
        variant={pressed ? "light" : "default"}
        aria-label={label}
        aria-pressed={pressed}
        disabled={disabled}
        loading={loading}
        onClick={onClick}
      >
        {children}
      </ActionIcon>
    </Tooltip>
  );
}
