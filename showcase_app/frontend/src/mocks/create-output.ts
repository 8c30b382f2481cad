/** Pieces of output as the server sends them, for tests. */
import type { OutputPageOut, OutputPieceOut } from "@/api/schema.gen";
import { at } from "./create-execution";

export function createPiece(row: Partial<OutputPieceOut> = {}): OutputPieceOut {
  return {
    log_id: "piece",
    execution_id: "execution",
    within: "",
    step_execution_id: "attempt",
    step_id: "step",
    iteration: 1,
    attempt: 1,
    channel: "answer",
    text: "",
    values: [],
    is_left_out: false,
    emitted_at: at(0),
    sequence: 1,
    cursor: "1",
    ...row,
  };
}

export function createOutputPage(items: OutputPieceOut[], row: Partial<OutputPageOut> = {}): OutputPageOut {
  return { items, cursor: items.at(-1)?.cursor ?? "0", more: false, is_over: false, ...row };
}
