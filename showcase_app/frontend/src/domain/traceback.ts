/** A traceback as its reader wants it: their own frames, those of ia_modules put together to be folded. Pure. */

/** `frames`: of a part of ours, how many it has. */
export type TracebackPart = { kind: "shown" | "ours"; text: string; frames: number };

type Block = { text: string; owner: "own" | "ours" | "between" | "none" };

const FRAME = /^([ |+-]*)File "(.+)", line \d+/;
const OURS = /[\\/]ia_modules[\\/](?:(?:cli|client|database|live|pipeline|testing|tracker|web|worker)[\\/]|\w+\.py$)/;
/** What stands between our frames and the reader's: the loop, threads. */
const BETWEEN = /[\\/]python3[^\\/]*[\\/](?:asyncio|concurrent|contextlib|contextvars|runpy|threading)\b|^<frozen /;

/** The parts of a traceback in its order; without frames of the reader's own everything is shown. */
export function partsOf(traceback: string): TracebackPart[] {
  const blocks = blocksOf(traceback);
  if (!blocks.some(({ owner }) => owner === "own")) return [{ kind: "shown", text: traceback, frames: 0 }];
  const parts: TracebackPart[] = [];
  for (const run of runsOf(blocks)) {
    const kind = run.some(({ owner }) => owner === "ours") ? "ours" : "shown";
    const last = parts.at(-1);
    const text = run.map((block) => block.text).join("\n");
    if (last?.kind === "shown" && kind === "shown") last.text += `\n${text}`;
    else parts.push({ kind, text, frames: kind === "ours" ? run.length : 0 });
  }
  return parts;
}

/** A block for each frame with its lines of code, and one for each other line. */
function blocksOf(traceback: string): Block[] {
  const blocks: Block[] = [];
  let indent: number | null = null; // of the frame that goes on
  for (const line of traceback.split("\n")) {
    const frame = FRAME.exec(line);
    if (frame !== null) {
      const [, before = "", path = ""] = frame;
      indent = before.length;
      blocks.push({ text: line, owner: OURS.test(path) ? "ours" : BETWEEN.test(path) ? "between" : "own" });
    } else if (indent !== null && indentOf(line) > indent) {
      const last = blocks.at(-1);
      if (last !== undefined) last.text += `\n${line}`;
    } else {
      indent = null;
      blocks.push({ text: line, owner: "none" });
    }
  }
  return blocks;
}

function indentOf(line: string): number {
  return /^[ |]*/.exec(line)?.[0].length ?? 0;
}

/** Blocks that are folded together, or shown together: what stands between goes with ours. */
function runsOf(blocks: readonly Block[]): Block[][] {
  const runs: { isFrameOfOthers: boolean; blocks: Block[] }[] = [];
  for (const block of blocks) {
    const isFrameOfOthers = block.owner === "ours" || block.owner === "between";
    const last = runs.at(-1);
    if (last !== undefined && last.isFrameOfOthers === isFrameOfOthers) last.blocks.push(block);
    else runs.push({ isFrameOfOthers, blocks: [block] });
  }
  return runs.map((run) => run.blocks);
}
