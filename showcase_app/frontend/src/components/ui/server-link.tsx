/** A link out of these pages, to something else that the server has: while it is away, that would be a browser's error. */
import { Anchor, type AnchorProps, Tooltip } from "@mantine/core";
import type { ComponentPropsWithRef } from "react";
import { useWhyAway } from "@/api/away";
import { ROOT } from "@/api/root";

/** `to`: its path, such as `/docs`. */
type ServerLinkProps = { to: string } & AnchorProps & Omit<ComponentPropsWithRef<"a">, keyof AnchorProps | "href">;

export function ServerLink({ to, ...others }: ServerLinkProps) {
  const why = useWhyAway();
  return (
    <Tooltip label={why} disabled={why === null} multiline maw={280}>
      <Anchor
        {...others}
        href={`${ROOT}${to}`}
        aria-disabled={why !== null || undefined}
        onClick={(event) => {
          if (why !== null) event.preventDefault();
        }}
      />
    </Tooltip>
  );
}
