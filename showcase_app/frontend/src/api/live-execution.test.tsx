import { QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { act, cleanup, renderHook } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Changes } from "@/domain/changes";
import {
  createExecution,
  createExecutionRow,
  createInteraction,
  createLine,
  createStep,
} from "@/mocks/create-execution";
import { FakeSocket } from "@/mocks/fake-socket";
import { executionQuery } from "./executions";
import { useLiveExecution } from "./live-execution";

const LONGEST_PAUSE_MS = 10_000;
const ended = { status: "completed", completed_at: "2026-01-01T00:00:01Z" } as const;

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.install();
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** The page of an execution whose rows stand at `sequence` whenever they are read. */
async function page(sequence: number) {
  const read = vi.fn(async () => createExecution({ sequence }));
  const client = new QueryClient();
  const wrapper = ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={client}>{children}</QueryClientProvider>
  );
  const { result } = renderHook(
    () => {
      const { data } = useQuery({ ...executionQuery("execution"), queryFn: read });
      return { execution: data, ...useLiveExecution("execution", data !== undefined) };
    },
    { wrapper },
  );
  await pass(0);
  return { client, read, shown: () => result.current };
}

/** Let time pass. */
const pass = (milliseconds: number) => act(() => vi.advanceTimersByTimeAsync(milliseconds));

function frame(after: number, upto: number, messages: Changes["messages"] = [], more = false) {
  return { type: "changes", after, upto, more, messages };
}

function step(step_id: string, sequence: number): Changes["messages"][number] {
  return { type: "step_update", sequence, data: createStep({ step_id, sequence }) };
}

function say(frame: unknown): void {
  act(() => FakeSocket.newest.say(frame));
}

it("asks for what comes after what it has read, and is live when the first frame says that this is all", async () => {
  const { shown } = await page(7);
  expect([FakeSocket.newest.after, shown().state]).toEqual([7, "connecting"]);
  act(() => FakeSocket.newest.accept());
  expect(shown().state).toBe("catching_up");
  say(frame(7, 9, [step("a", 9)], true));
  expect(shown().state).toBe("catching_up");
  say(frame(9, 9));
  expect(shown().state).toBe("live");
  expect(shown().execution?.steps.map((each) => each.step_id)).toEqual(["a"]);
});

it("shows a question while the page reads again, and when the older answer has come", async () => {
  const { client, read, shown } = await page(1);
  let answer: (row: ReturnType<typeof createExecution>) => void = () => undefined;
  read.mockImplementationOnce(() => new Promise((resolve) => (answer = resolve)));
  act(() => void client.invalidateQueries({ queryKey: executionQuery("execution").queryKey }));
  const data = createInteraction({ sequence: 2 });
  say(frame(1, 2, [step("ask", 2), { type: "interaction_update", sequence: 2, data }]));
  say(frame(2, 3, [step("other", 3)]));
  expect(shown().execution?.interactions).toEqual([data]);
  await act(async () => answer(createExecution({ sequence: 1 })));
  await pass(0);
  expect(shown().execution?.interactions).toEqual([data]);
  expect(read).toHaveBeenCalledTimes(2); // the first one, and the one again
});

it("takes the end in with the last page, not before what led to it", async () => {
  const { shown } = await page(1);
  const end = { type: "execution_update", sequence: 3, data: createExecutionRow({ sequence: 3, ...ended }) } as const;
  say(frame(1, 2, [step("a", 2), end], true));
  expect(shown().execution?.status).toBe("running");
  say(frame(2, 3, [step("b", 3), end]));
  expect(shown().execution).toMatchObject({ status: "completed", sequence: 3 });
});

it("comes back from its last sequence when the connection is lost, and keeps what it heard", async () => {
  const { shown } = await page(1);
  const line = { type: "log", sequence: 4, data: createLine({ log_id: "1", sequence: 4 }) } as const;
  say(frame(1, 4, [step("a", 3), line]));
  act(() => FakeSocket.newest.end());
  expect(shown().state).toBe("reconnecting");
  expect(FakeSocket.opened).toHaveLength(1);
  await pass(LONGEST_PAUSE_MS);
  expect(FakeSocket.opened).toHaveLength(2);
  expect(FakeSocket.newest.after).toBe(4);
  say(frame(4, 5, [step("b", 5)]));
  expect(shown().state).toBe("live");
  expect(shown().execution?.steps.map((each) => each.step_id)).toEqual(["a", "b"]);
  expect(shown().heard.lines).toHaveLength(1);
});

it("takes silence for a lost connection", async () => {
  await page(1);
  say({ type: "ping" });
  await pass(44_000);
  say({ type: "ping" });
  await pass(44_000);
  expect(FakeSocket.newest.isClosed).toBe(false);
  await pass(2_000);
  expect(FakeSocket.opened[0]?.isClosed).toBe(true);
  await pass(LONGEST_PAUSE_MS);
  expect(FakeSocket.opened).toHaveLength(2);
});

it("is behind after a resync, until nothing more is there", async () => {
  const { shown } = await page(1);
  say(frame(1, 1));
  say({ type: "resync", after: 1 });
  expect(shown().state).toBe("catching_up");
  say(frame(1, 6, [step("a", 6)]));
  expect(shown().state).toBe("live");
});

it("reads all again when the server knows less than the page, and pauses when that is so again and again", async () => {
  const { read } = await page(7);
  say(frame(7, 7));
  for (const after of [1, 2, 3, 4, 5, 6]) {
    await act(async () => FakeSocket.newest.end(4400));
    await pass(0);
    expect(read).toHaveBeenCalledTimes(1 + after);
    expect(FakeSocket.opened).toHaveLength(after); // the next one waits
    await pass(LONGEST_PAUSE_MS);
    expect(FakeSocket.opened).toHaveLength(1 + after);
  }
});

it("gives up where there is nothing to come back for", async () => {
  const { shown } = await page(1);
  act(() => FakeSocket.newest.end(4404));
  expect(shown().state).toBe("closed");
  await pass(60_000);
  expect(FakeSocket.opened).toHaveLength(1);
});
