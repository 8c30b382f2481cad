import { describe, expect, it } from "vitest";
import type { ExecutionDetail, InteractionOut, LogOut, StepDetail, StepOut } from "@/api/schema.gen";
import {
  createExecution,
  createExecutionRow,
  createInteraction,
  createLine,
  createStep,
  randomNumbers,
} from "@/mocks/create-execution";
import { applyChanges, applyRead, type Changes, linesOf } from "./changes";

const ended = { status: "completed", completed_at: "2026-01-01T00:00:01Z" } as const;

function page(after: number, upto: number, ...messages: Changes["messages"]): Changes {
  return { after, upto, more: false, messages };
}

function stepUpdate(data: StepOut): Changes["messages"][number] {
  return { type: "step_update", sequence: data.sequence, data };
}

function interactionUpdate(data: InteractionOut): Changes["messages"][number] {
  return { type: "interaction_update", sequence: data.sequence, data };
}

describe("a page of changes", () => {
  it("adds steps in the order in which they began, and moves the cursor", () => {
    const known = createExecution({ sequence: 3, steps: [createStep({ step_execution_id: "2", sequence: 3 })] });
    const shown = applyChanges(known, page(3, 5, stepUpdate(createStep({ step_execution_id: "1", sequence: 5 }))));
    expect(shown.steps.map((step) => step.step_execution_id)).toEqual(["1", "2"]);
    expect(shown.sequence).toBe(5);
  });

  it("changes nothing when it comes twice or late", () => {
    const known = createExecution({ sequence: 5 });
    expect(applyChanges(known, page(3, 5, stepUpdate(createStep({ sequence: 4 }))))).toBe(known);
  });

  it("never takes a newer row of a step back", () => {
    const newer = createStep({ sequence: 8, ...ended });
    const known = createExecution({ sequence: 5, steps: [newer] });
    expect(applyChanges(known, page(5, 7, stepUpdate(createStep({ sequence: 7 })))).steps).toEqual([newer]);
  });

  it("adds questions in the order in which they were asked, and takes their answers in", () => {
    const [first, second] = [createInteraction({ interaction_id: "1" }), createInteraction({ interaction_id: "2" })];
    const shown = applyChanges(
      createExecution({ sequence: 1, interactions: [{ ...second, sequence: 1 }] }),
      page(1, 2, interactionUpdate({ ...first, sequence: 2 })),
    );
    expect(shown.interactions.map((question) => question.interaction_id)).toEqual(["1", "2"]);
    const answer = { ...first, status: "answered", actor: "ada", sequence: 3 } as const;
    expect(applyChanges(shown, page(2, 3, interactionUpdate(answer))).interactions).toEqual([
      answer,
      { ...second, sequence: 1 },
    ]);
  });

  it("never takes an answer to a question back", () => {
    const answer = createInteraction({ status: "answered", actor: "ada", sequence: 8 });
    const known = createExecution({ sequence: 5, interactions: [answer] });
    const late = page(5, 7, interactionUpdate(createInteraction({ sequence: 7 })));
    expect(applyChanges(known, late).interactions).toEqual([answer]);
  });

  it("keeps what the execution has besides its row", () => {
    const known = createExecution({ sequence: 1, input_data: { a: 1 }, rerun_ids: ["other"] });
    const row = createExecutionRow({ sequence: 2, ...ended });
    const shown = applyChanges(known, page(1, 2, { type: "execution_update", sequence: 2, data: row }));
    expect(shown).toMatchObject({ status: "completed", input_data: { a: 1 }, rerun_ids: ["other"] });
  });
});

describe("reading again", () => {
  it("takes nothing back that the socket brought meanwhile, and knows the re-runs", () => {
    const known = createExecution({ sequence: 9, interactions: [createInteraction({ sequence: 9 })] });
    const read = createExecution({ sequence: 4, rerun_ids: ["other"] });
    expect(applyRead(known, read)).toEqual({ ...known, rerun_ids: ["other"] });
  });

  it("is what there is where it is newer, or the first", () => {
    const read = createExecution({ sequence: 4 });
    expect(applyRead(undefined, read)).toBe(read);
    expect(applyRead(createExecution({ sequence: 3 }), read)).toBe(read);
  });
});

/** A server with rows and numbers, as the tracker has them. */
class Rows {
  readonly steps = new Map<string, StepDetail>();
  readonly interactions = new Map<string, InteractionOut>();
  readonly lines: LogOut[] = [];
  sequence = 1;

  /** One transaction: some rows, one number. */
  change(draw: (below: number) => number): void {
    this.sequence += 1;
    const { sequence } = this;
    for (let times = draw(3) + 1; times > 0; times -= 1) {
      const step_execution_id = `step ${draw(6)}`;
      const before = this.steps.get(step_execution_id) ?? createStep({ step_execution_id });
      this.steps.set(step_execution_id, { ...before, sequence, progress: draw(100) / 100 });
    }
    if (draw(4) === 0) {
      const interaction_id = `question ${draw(4)}`;
      const before = this.interactions.get(interaction_id);
      const status = before === undefined ? "pending" : "answered";
      this.interactions.set(interaction_id, createInteraction({ interaction_id, status, sequence }));
    }
    for (let times = draw(3); times > 0; times -= 1) {
      this.lines.push(createLine({ log_id: `line ${this.lines.length}`, sequence }));
    }
  }

  detail(): ExecutionDetail {
    const steps = [...this.steps.values()].sort((a, b) => (a.step_execution_id < b.step_execution_id ? -1 : 1));
    const interactions = [...this.interactions.values()].sort((a, b) => (a.interaction_id < b.interaction_id ? -1 : 1));
    return createExecution({ sequence: this.sequence, steps, interactions });
  }

  /** What came after a number, up to another, as the rows stand now. */
  page(after: number, upto = this.sequence): Changes {
    const isIn = (row: { sequence: number }) => row.sequence > after && row.sequence <= upto;
    return page(
      after,
      upto,
      ...[...this.steps.values()].filter(isIn).map(stepUpdate),
      ...[...this.interactions.values()].filter(isIn).map(interactionUpdate),
      ...this.lines.filter(isIn).map((data) => ({ type: "log" as const, sequence: data.sequence, data })),
      { type: "execution_update", sequence: upto, data: createExecutionRow({ sequence: this.sequence }) },
    );
  }
}

it.each(Array.from({ length: 100 }, (_, seed) => seed))(
  "after any cut, repeated and late pages, and reading again, what is shown equals the rows (seed %d)",
  (seed) => {
    const draw = randomNumbers(seed);
    const rows = new Rows();
    for (let times = draw(5); times > 0; times -= 1) rows.change(draw);
    let shown = rows.detail();
    const since = rows.lines.length;
    const heard = new Map<string, LogOut>();
    const sent: Changes[] = [];
    const reads: ExecutionDetail[] = [];
    const take = (changes: Changes) => {
      for (const line of linesOf(changes)) heard.set(line.log_id, line);
      shown = applyChanges(shown, changes);
    };
    let cursor = shown.sequence; // of the socket, which does not know what was read since
    for (let times = 40; times > 0; times -= 1) {
      rows.change(draw);
      if (draw(3) === 0) {
        const next = rows.page(cursor, cursor + 1 + draw(rows.sequence - cursor)); // a page may hold a part only
        cursor = next.upto;
        sent.push(next);
        take(next);
      }
      if (draw(10) === 0) reads.push(rows.detail());
      if (draw(3) === 0) shown = applyRead(shown, reads.pop() ?? shown); // some answers take long
      const again = sent[draw(sent.length + 1)];
      if (again !== undefined) take(again);
    }
    take(rows.page(cursor));
    expect(shown.steps).toEqual(rows.detail().steps);
    expect(shown.interactions).toEqual(rows.detail().interactions);
    expect(shown.sequence).toBe(rows.sequence);
    expect([...heard.keys()]).toEqual(rows.lines.slice(since).map((line) => line.log_id));
  },
);
