import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { paced } from "./paced";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it("runs at once, and however often it is asked meanwhile, once more after the pause", async () => {
  let runs = 0;
  const { ask } = paced(async () => {
    runs += 1;
  }, 500);
  ask();
  ask();
  ask();
  expect(runs).toBe(1);
  await vi.advanceTimersByTimeAsync(499);
  expect(runs).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(runs).toBe(2);
  await vi.advanceTimersByTimeAsync(5000);
  expect(runs).toBe(2);
});

it("never runs twice at a time", async () => {
  const done: (() => void)[] = [];
  const { ask } = paced(() => new Promise<void>((resolve) => done.push(resolve)), 100);
  ask();
  ask();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(done).toHaveLength(1);
  done[0]?.();
  await vi.advanceTimersByTimeAsync(100);
  expect(done).toHaveLength(2);
});

it("stops when it is told to", async () => {
  let runs = 0;
  const { ask, stop } = paced(async () => {
    runs += 1;
  }, 100);
  ask();
  ask();
  stop();
  await vi.advanceTimersByTimeAsync(1000);
  expect(runs).toBe(1);
});
