import { act, cleanup, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { FakeSocket } from "@/mocks/fake-socket";
import type { Hint } from "./live";
import { useLiveList } from "./live-list";

beforeEach(() => FakeSocket.install());
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const heard: Record<string, (readonly Hint[] | null)[]> = {};

function Follower({ name }: { name: string }) {
  const state = useLiveList((hints) => heard[name]?.push(hints));
  return <p>{`${name} is ${state}`}</p>;
}

function Followers({ names }: { names: string[] }) {
  for (const name of names) heard[name] ??= [];
  return names.map((name) => <Follower key={name} name={name} />);
}

it("everybody who follows the list shares one socket, which ends with the last of them", () => {
  const { rerender } = render(<Followers names={["first", "second"]} />);
  expect(FakeSocket.opened).toHaveLength(1);
  act(() => {
    FakeSocket.newest.accept();
    FakeSocket.newest.say({ type: "resync" });
  });
  const hint = { execution_id: "e", sequence: 2, status: "running" };
  act(() => FakeSocket.newest.say({ type: "hints", items: [hint] }));
  expect(heard.first).toEqual([null, [hint]]);
  expect(heard.second).toEqual([null, [hint]]);

  rerender(<Followers names={["second", "third"]} />);
  expect(FakeSocket.opened).toHaveLength(1);
  expect(screen.getByText("third is live")).toBeTruthy();
  expect(heard.third).toEqual([null]); // what it shows may be from before
  expect(heard.second).toEqual([null, [hint]]);

  rerender(<Followers names={[]} />);
  expect(FakeSocket.newest.isClosed).toBe(true);
  rerender(<Followers names={["second"]} />);
  expect(FakeSocket.opened).toHaveLength(2);
});

it("a socket that the server has ended for good is opened anew for who comes then", () => {
  const { rerender } = render(<Followers names={["early"]} />);
  act(() => FakeSocket.newest.end(4401));
  expect(screen.getByText("early is closed")).toBeTruthy();
  rerender(<Followers names={["early", "late"]} />);
  expect(FakeSocket.opened).toHaveLength(2);
  act(() => FakeSocket.newest.say({ type: "resync" }));
  expect(screen.getByText("early is live")).toBeTruthy();
  expect(screen.getByText("late is live")).toBeTruthy();
});
