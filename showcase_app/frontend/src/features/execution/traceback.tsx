/** A traceback: the frames of the reader's own code, ours folded; copied whole. */
import { Button, CopyButton } from "@mantine/core";
import { useMemo } from "react";
import { partsOf } from "@/domain/traceback";
import classes from "./execution.module.css";

export function Traceback({ text }: { text: string }) {
  const parts = useMemo(() => partsOf(text), [text]);
  return (
    <div className={classes.traceback}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keys */}
      <section tabIndex={0} aria-label="Traceback">
        {parts.map((part, place) =>
          part.kind === "shown" ? (
            // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a text stay in their places
            <pre key={place}>{part.text}</pre>
          ) : (
            // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a text stay in their places
            <details key={place}>
              <summary>{part.frames === 1 ? "1 frame" : `${part.frames} frames`} of ia_modules</summary>
              <pre>{part.text}</pre>
            </details>
          ),
        )}
      </section>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <Button className={classes.copyTraceback} variant="default" size="compact-xs" onClick={copy}>
            {copied ? "Copied" : "Copy"}
          </Button>
        )}
      </CopyButton>
    </div>
  );
}
