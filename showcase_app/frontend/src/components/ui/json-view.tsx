/** A JSON value as a tree: open and close, search, copy a value or its path; or raw. Quick with any number of rows. */
import { ActionIcon, Button, CloseButton, Group, SegmentedControl, Text, TextInput, Tooltip } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { IconArrowDown, IconArrowUp, IconChevronRight, IconCopy, IconRoute2, IconSearch } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type MouseEvent, useDeferredValue, useId, useMemo, useRef, useState } from "react";
import { isList, isNumber, isObject, type Json, stringifyJson } from "@/domain/json";
import { allOpen, firstOpen, found, isLongText, type JsonRow, rowsOfJson, sizeText } from "@/domain/json-tree";
import { bytesText } from "@/domain/time";
import classes from "./json-view.module.css";

const ROW_HEIGHT = 24;
const MOST_RAW = 200_000; // characters: more is copied, not shown

type JsonViewProps = {
  /** What came out of a JSON answer. */
  value: unknown;
  /** What it is, for screen readers: "Output of Score". */
  label: string;
  /** As it is stored; otherwise it is counted here. */
  bytes?: number;
  maxHeight?: number | string;
};

export function JsonView({ value: unchecked, label, bytes, maxHeight = 480 }: JsonViewProps) {
  const value = unchecked as Json;
  const [shown, setShown] = useState<"tree" | "raw">("tree");
  const [search, setSearch] = useState("");
  const [at, setAt] = useState(0);
  const raw = useMemo(() => stringifyJson(value, 2), [value]);
  const wanted = useDeferredValue(search.trim()); // typing does not wait for a large tree
  const matches = useMemo(() => found(value, wanted), [value, wanted]);
  const size = useMemo(() => bytes ?? new TextEncoder().encode(stringifyJson(value)).length, [value, bytes]);
  const match = matches[Math.min(at, matches.length - 1)];
  const turn = (by: number) => setAt((now) => (now + by + matches.length) % Math.max(1, matches.length));

  return (
    <div className={classes.view}>
      <Group gap={6} className={classes.bar}>
        <TextInput
          size="xs"
          className={classes.search}
          placeholder="Search keys and values"
          aria-label={`Search in ${label}`}
          value={search}
          disabled={shown === "raw"}
          leftSection={<IconSearch size={14} aria-hidden />}
          rightSection={
            search === "" ? null : <CloseButton size="xs" aria-label="Clear" onClick={() => setSearch("")} />
          }
          onChange={(event) => {
            setSearch(event.currentTarget.value);
            setAt(0);
          }}
          onKeyDown={(event) => {
            if (event.key === "Enter") turn(event.shiftKey ? -1 : 1);
          }}
        />
        {wanted === "" ? null : (
          <Group gap={2} wrap="nowrap">
            <Text size="xs" className="quiet numbers" role="status">
              {matches.length === 0
                ? "none"
                : `${Math.min(at, matches.length - 1) + 1} of ${matches.length}${matches.length >= 1000 ? "+" : ""}`}
            </Text>
            <Small label="Previous match" onClick={() => turn(-1)} disabled={matches.length < 2} icon={IconArrowUp} />
            <Small label="Next match" onClick={() => turn(1)} disabled={matches.length < 2} icon={IconArrowDown} />
          </Group>
        )}
        <Group gap={6} ml="auto" wrap="nowrap">
          <Text size="xs" className="quiet numbers" style={{ whiteSpace: "nowrap" }}>
            {bytesText(size)}
          </Text>
          <SegmentedControl
            size="xs"
            aria-label={`How ${label} is shown`}
            value={shown}
            onChange={(now) => setShown(now === "raw" ? "raw" : "tree")}
            data={[
              { value: "tree", label: "Tree" },
              { value: "raw", label: "Raw" },
            ]}
          />
          <CopyButton text={() => raw} label="Copy all" />
        </Group>
      </Group>
      {shown === "raw" ? (
        <Raw text={raw} label={label} maxHeight={maxHeight} />
      ) : (
        <Tree value={value} label={label} maxHeight={maxHeight} search={wanted} match={match} />
      )}
    </div>
  );
}

type TreeProps = {
  value: Json;
  label: string;
  maxHeight: number | string;
  search: string;
  match: { id: string; above: readonly string[] } | undefined;
};

function Tree({ value, label, maxHeight, search, match }: TreeProps) {
  const frame = useRef<HTMLDivElement>(null);
  const base = useId();
  const [open, setOpen] = useState<ReadonlySet<string>>(() => firstOpen(value));
  const [active, setActive] = useState("$");
  const [shownMatch, setShownMatch] = useState<string | undefined>(undefined);
  const rows = useMemo(() => rowsOfJson(value, open), [value, open]);
  const index = Math.max(
    0,
    rows.findIndex((row) => row.id === active),
  );
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (each) => rows[each]?.id ?? each,
    overscan: 12,
  });

  if (match?.id !== shownMatch) {
    setShownMatch(match?.id);
    if (match !== undefined) {
      const opened = new Set([...open, ...match.above]);
      setOpen(opened);
      setActive(match.id);
      const place = rowsOfJson(value, opened).findIndex((row) => row.id === match.id);
      window.setTimeout(() => virtual.scrollToIndex(place, { align: "center" }));
    }
  }

  const toggle = (row: JsonRow, to = !row.isOpen) => {
    if (!row.opens) return;
    const next = new Set(open);
    if (to) next.add(row.id);
    else next.delete(row.id);
    setOpen(next);
  };
  const go = (to: number) => {
    const row = rows[Math.min(Math.max(to, 0), rows.length - 1)];
    if (row === undefined) return;
    setActive(row.id);
    virtual.scrollToIndex(rows.indexOf(row));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const row = rows[index];
    if (row === undefined || event.target !== frame.current || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowDown") go(index + 1);
    else if (event.key === "ArrowUp") go(index - 1);
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(rows.length - 1);
    else if (event.key === "ArrowRight") row.isOpen ? go(index + 1) : toggle(row, true);
    else if (event.key === "ArrowLeft") row.isOpen ? toggle(row, false) : go(parentOf(rows, index));
    else if (event.key === "Enter" || event.key === " ") toggle(row);
    else if (event.key === "*") setOpen(allOpen(value));
    else return;
    event.preventDefault();
  };
  const onClick = (event: MouseEvent) => {
    if (!(event.target instanceof Element) || event.target.closest("button") !== null) return;
    const place = event.target.closest("[data-index]")?.getAttribute("data-index");
    const row = place == null ? undefined : rows[Number(place)];
    if (row === undefined) return;
    setActive(row.id);
    const isReading = row.isText || !(window.getSelection()?.isCollapsed ?? true);
    if (!isReading) toggle(row);
  };

  return (
    <div
      ref={frame}
      className={classes.tree}
      style={{ maxHeight }}
      role="tree"
      aria-label={label}
      aria-activedescendant={`${base}${index}`}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onClick={onClick}
    >
      <div style={{ height: virtual.getTotalSize(), position: "relative" }} role="none">
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (row === undefined) return null;
          return (
            <div
              key={item.key}
              ref={virtual.measureElement}
              data-index={item.index}
              id={`${base}${item.index}`}
              role="treeitem"
              tabIndex={-1}
              aria-level={row.depth + 1}
              aria-selected={item.index === index}
              aria-expanded={row.opens ? row.isOpen : undefined}
              className={classes.row}
              data-active={item.index === index || undefined}
              data-found={row.id === match?.id || undefined}
              style={{ transform: `translateY(${item.start}px)`, paddingLeft: 6 + row.depth * 16 }}
            >
              <RowText row={row} search={search} />
              {row.isText ? null : <RowCopies row={row} />}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function parentOf(rows: readonly JsonRow[], index: number): number {
  const depth = rows[index]?.depth ?? 0;
  for (let above = index - 1; above >= 0; above -= 1) if ((rows[above]?.depth ?? 0) < depth) return above;
  return index;
}

function RowText({ row, search }: { row: JsonRow; search: string }) {
  if (row.isText) return <pre className={classes.text}>{String(row.value)}</pre>;
  return (
    <>
      <IconChevronRight
        size={14}
        aria-hidden
        className={classes.chevron}
        data-open={row.isOpen || undefined}
        style={{ visibility: row.opens ? "visible" : "hidden" }}
      />
      {row.key === null ? null : (
        <span className={classes.key} data-place={typeof row.key === "number" || undefined}>
          <Marked text={String(row.key)} search={typeof row.key === "number" ? "" : search} />:
        </span>
      )}
      <span className={classes.value} data-kind={kindOf(row.value)}>
        <Marked text={valueText(row)} search={isContainer(row.value) ? "" : search} />
      </span>
    </>
  );
}

/** The text with what is searched for marked. */
function Marked({ text, search }: { text: string; search: string }) {
  const place = search === "" ? -1 : text.toLowerCase().indexOf(search.toLowerCase());
  if (place < 0) return text;
  return (
    <>
      {text.slice(0, place)}
      <mark className={classes.mark}>{text.slice(place, place + search.length)}</mark>
      {text.slice(place + search.length)}
    </>
  );
}

/** Seen and reached by keys only in the row where the pointer or the keyboard is. */
function RowCopies({ row }: { row: JsonRow }) {
  const value = () => (typeof row.value === "string" ? row.value : stringifyJson(row.value, 2));
  return (
    <span className={classes.copies}>
      <CopyButton text={value} label="Copy value" />
      <CopyButton text={() => row.id} label="Copy path" path />
    </span>
  );
}

function CopyButton({ text, label, path = false }: { text: () => string; label: string; path?: boolean }) {
  const clipboard = useClipboard({ timeout: 1200 });
  const Icon = path ? IconRoute2 : IconCopy;
  const tooltip = clipboard.error !== null ? "Could not be copied" : clipboard.copied ? "Copied" : label;
  return (
    <Tooltip label={tooltip} openDelay={clipboard.copied ? 0 : 250}>
      <ActionIcon
        size="xs"
        variant="subtle"
        color={clipboard.copied ? "teal" : "gray"}
        aria-label={label}
        onClick={() => clipboard.copy(text())}
      >
        <Icon size={13} aria-hidden />
      </ActionIcon>
    </Tooltip>
  );
}

type SmallProps = { label: string; onClick: () => void; disabled: boolean; icon: typeof IconArrowUp };

function Small({ label, onClick, disabled, icon: Icon }: SmallProps) {
  return (
    <ActionIcon size="xs" variant="subtle" color="gray" aria-label={label} disabled={disabled} onClick={onClick}>
      <Icon size={13} aria-hidden />
    </ActionIcon>
  );
}

function Raw({ text, label, maxHeight }: { text: string; label: string; maxHeight: number | string }) {
  const clipboard = useClipboard();
  const isLong = text.length > MOST_RAW;
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keys */}
      <section className={classes.raw} style={{ maxHeight }} tabIndex={0} aria-label={`${label}, raw`}>
        <pre>{isLong ? `${text.slice(0, MOST_RAW)}…` : text}</pre>
      </section>
      {isLong ? (
        <Group gap="xs" p={6}>
          <Text size="xs" className="quiet">
            The first {MOST_RAW.toLocaleString("en")} of {text.length.toLocaleString("en")} characters.
          </Text>
          <Button size="compact-xs" variant="default" onClick={() => clipboard.copy(text)}>
            {clipboard.copied ? "Copied" : "Copy all of it"}
          </Button>
        </Group>
      ) : null}
    </>
  );
}

function isContainer(value: Json): boolean {
  return isList(value) || isObject(value);
}

function kindOf(value: Json): string {
  if (value === null) return "null";
  if (isContainer(value)) return "container";
  return isNumber(value) ? "number" : typeof value;
}

function valueText(row: JsonRow): string {
  const { value } = row;
  if (typeof value === "string") return stringifyJson(isLongText(value) ? `${value.slice(0, 160)}…` : value);
  if (!isContainer(value)) return stringifyJson(value);
  const [from, to] = isList(value) ? ["[", "]"] : ["{", "}"];
  if (!row.opens) return `${from}${to}`;
  return row.isOpen ? sizeText(value) : `${from} ${sizeText(value)} ${to}`;
}
