/** A part of what a step gave: text as Markdown that grows with a caret at its end, calls of tools, or JSON. */
import { IconTool } from "@tabler/icons-react";
import { JsonView } from "@/components/ui/json-view";
import { Markdown } from "@/components/ui/markdown";
import { stringifyJson } from "@/domain/json";
import { ANSWER, type OutputPart, settledOf, toolCallOf } from "@/domain/streamed-output";
import classes from "./streamed-output.module.css";

const MOST_SHORT = 160; // characters of what is said of a call beside its name

export function Part({ part, isGrowing }: { part: OutputPart; isGrowing: boolean }) {
  const { channel, text, values, isLeftOut } = part;
  if (isLeftOut) return <p className={`quiet ${classes.leftOut}`}>{text}</p>;
  return (
    <div className={classes.part} data-channel={channel ?? undefined}>
      {channel === null || channel === ANSWER ? null : <div className={`quiet ${classes.channel}`}>{channel}</div>}
      {values.length > 0 ? (
        // biome-ignore lint/suspicious/noArrayIndexKey: values are added at the end, and never move
        values.map((value, place) => <Value key={place} value={value} of={channel ?? ANSWER} />)
      ) : (
        <Growing text={text} isGrowing={isGrowing} />
      )}
      {isGrowing && values.length > 0 ? <Caret /> : null}
    </div>
  );
}

function Growing({ text, isGrowing }: { text: string; isGrowing: boolean }) {
  if (!isGrowing) return <Markdown text={text} />;
  const { settled, rest } = settledOf(text);
  return (
    <>
      {settled === "" ? null : <Markdown text={settled} />}
      <div className={classes.rest}>
        {rest}
        <Caret />
      </div>
    </>
  );
}

function Caret() {
  return <span className={classes.caret} aria-hidden data-caret />;
}

function Value({ value, of }: { value: unknown; of: string }) {
  const call = toolCallOf(value);
  if (call === null) return <JsonView value={value} label={`A value of ${of}`} maxHeight={240} />;
  const about = Object.keys(call.about).length === 0 ? "" : stringifyJson(call.about);
  const name = (
    <>
      <IconTool size={14} aria-hidden className="quiet" /> <b>{call.tool}</b>{" "}
    </>
  );
  if (about.length <= MOST_SHORT) {
    return (
      <div className={classes.call}>
        {name}
        <span className="mono quiet">{about}</span>
      </div>
    );
  }
  return (
    <details className={classes.call}>
      <summary>
        {name}
        <span className="mono quiet">{about.slice(0, MOST_SHORT)}…</span>
      </summary>
      <JsonView value={call.about} label={`Call of ${call.tool}`} maxHeight={240} />
    </details>
  );
}
