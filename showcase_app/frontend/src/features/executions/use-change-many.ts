/** Changes many executions, in parts, one after the other: how far it is, stopped between two of them, and sent again
 * from where it broke off. One key for all parts: whatever is sent twice is done once. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { type BulkRequest, changeExecutions, executionKeys } from "@/api/executions";
import { useRequestKey } from "@/api/request-key";
import type { BulkOut } from "@/api/schema.gen";
import { type Chosen, partsOf, together } from "@/domain/bulk";
import { stringifyJson } from "@/domain/json";

type Change = Pick<BulkRequest, "action" | "rerun"> & { chosen: Chosen };
/** `rest`: how many were not looked at, since it was stopped. */
export type Changed = { result: BulkOut; rest: number };

export function useChangeMany() {
  const client = useQueryClient();
  const keyFor = useRequestKey();
  const answers = useRef<{ key: string; parts: BulkOut[] }>({ key: "", parts: [] });
  const isStopping = useRef(false);
  const [progress, setProgress] = useState<{ done: number; total: number } | null>(null);

  const change = useMutation({
    mutationFn: async ({ action, rerun, chosen }: Change): Promise<Changed> => {
      const key = keyFor(stringifyJson({ action, rerun, chosen }));
      if (answers.current.key !== key) answers.current = { key, parts: [] };
      const { parts } = answers.current;
      const all = partsOf(chosen);
      const countTo = (place: number) => all.slice(0, place).reduce((sum, part) => sum + part.count, 0);
      const total = countTo(all.length);
      isStopping.current = false;
      for (const { which } of all.slice(parts.length)) {
        if (isStopping.current) break;
        setProgress({ done: countTo(parts.length), total });
        parts.push(await changeExecutions({ action, ...which, ...(rerun === undefined ? {} : { rerun }) }, key));
      }
      return { result: together(parts), rest: total - countTo(parts.length) };
    },
    onSettled: () => {
      void client.invalidateQueries({ queryKey: executionKeys.all });
    },
  });
  const stop = () => {
    isStopping.current = true;
  };
  return { change, progress, stop };
}
