/** A button whose action needs the server: while that is away, it is off and gives the reason. */
import { Button, type ButtonProps, Tooltip } from "@mantine/core";
import type { ComponentPropsWithRef } from "react";
import { useWhyAway } from "@/api/away";

type ServerButtonProps = ButtonProps & Omit<ComponentPropsWithRef<"button">, keyof ButtonProps>;

export function ServerButton({ onClick, loading, ...others }: ServerButtonProps) {
  const why = useWhyAway();
  return (
    <Tooltip label={why} disabled={why === null} multiline maw={280}>
      <Button
        {...others}
        loading={loading === true && why === null}
        data-disabled={why !== null || undefined}
        aria-disabled={why !== null || undefined}
        onClick={(event) => {
          if (why !== null) event.preventDefault();
          else onClick?.(event);
        }}
      />
    </Tooltip>
  );
}
