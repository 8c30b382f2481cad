/** Text that somebody else wrote, as Markdown: what draws it comes when it is needed. Until then, and where it cannot be
 * drawn, it is shown as it was written. */
import { lazy, Suspense } from "react";
import { fetchCode } from "@/api/code";
import { isDrawable } from "@/domain/foreign-text";
import { Fallible } from "./fallible";
import classes from "./markdown.module.css";

const MarkdownText = lazy(async () => ({ default: (await fetchCode(() => import("./markdown-text"))).MarkdownText }));

export function Markdown({ text }: { text: string }) {
  const written = <div className={classes.written}>{text}</div>;
  if (!isDrawable(text)) return written;
  return (
    <Fallible key={text} instead={written}>
      <Suspense fallback={written}>
        <MarkdownText text={text} />
      </Suspense>
    </Fallible>
  );
}
