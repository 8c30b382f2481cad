/** What an attempt gave as it came; nothing where it gave nothing. */
import type { OutputPart } from "@/domain/streamed-output";
import { Part } from "./output-part";
import classes from "./streamed-output.module.css";

type StreamedOutputProps = { of: string; parts: readonly OutputPart[]; isOver: boolean };

export function StreamedOutput({ of, parts, isOver }: StreamedOutputProps) {
  if (parts.length === 0) return null;
  return (
    <section className={classes.stream} aria-label={`What ${of} gave as it came`} aria-busy={!isOver}>
      {parts.map((part, place) => (
        <Part key={part.id} part={part} isGrowing={!isOver && place === parts.length - 1} />
      ))}
    </section>
  );
}
