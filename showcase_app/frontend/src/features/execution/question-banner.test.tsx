import { act, cleanup, fireEvent, screen, waitFor } from "@testing-library/react";
import { useState } from "react";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ExecutionDetail, InteractionOut } from "@/api/schema.gen";
import { at, createExecution, createInteraction } from "@/mocks/create-execution";
import { asSchema, createInteractionDetail } from "@/mocks/create-interaction";
import { FakeServer, json } from "@/mocks/fake-server";
import { renderAt } from "@/mocks/render-at";
import { QuestionBanner } from "./question-banner";

const server = new FakeServer();
let update: (interactions: InteractionOut[]) => void = () => undefined;

beforeEach(() => {
  window.localStorage.clear();
  server.install();
});

afterEach(() => {
  cleanup();
  server.remove();
});

function Banner({ first }: { first: ExecutionDetail }) {
  const [execution, setExecution] = useState(first);
  update = (interactions) => act(() => setExecution({ ...execution, interactions }));
  return <QuestionBanner execution={execution} nameOf={(stepId) => stepId} />;
}

function show(...interactions: InteractionOut[]): void {
  for (const row of interactions) onServer(row);
  renderAt("/", [{ path: "/", element: <Banner first={createExecution({ interactions })} /> }]);
}

function onServer(row: InteractionOut): void {
  server.on(`GET /api/interactions/${row.interaction_id}`, () => json(200, createInteractionDetail(row)));
}

const schema = asSchema({ type: "object", properties: { why: { type: "string" } } });

it("one question that waits has its form at once, and goes when it is answered", async () => {
  const row = createInteraction({ step_id: "approve", prompt: "Ship?", ui_schema: schema });
  show(row);
  expect(await screen.findByRole("heading", { name: "approve waits for anybody" })).toBeTruthy();
  expect(await screen.findByLabelText("Why")).toBeTruthy();
  update([{ ...row, status: "answered", completed_at: at(1), sequence: 2 }]);
  expect(screen.queryByRole("heading")).toBeNull();
});

it("of several each has a form when it is wanted", async () => {
  show(
    createInteraction({ interaction_id: "1", prompt: "First?", ui_schema: schema }),
    createInteraction({ interaction_id: "2", prompt: "Second?", ui_schema: schema, assigned_users: ["ann"] }),
  );
  expect(await screen.findByText("First?")).toBeTruthy();
  expect(screen.getByRole("heading", { name: "step-1 waits for ann" })).toBeTruthy();
  expect(screen.queryByLabelText("Why")).toBeNull();
  const [, second] = await screen.findAllByRole("button", { name: "Answer…" });
  if (second !== undefined) fireEvent.click(second);
  expect(await screen.findByLabelText("Why")).toBeTruthy();
});

it("what the deadline decides is said with the form", async () => {
  show(createInteraction({ ui_schema: schema, deadline_at: at(0) }));
  expect(await screen.findByText("If it is not decided by its deadline, the step fails.")).toBeTruthy();
});

it("what is for somebody else says for whom", async () => {
  server.signIn("operator", { actor: "bob", keys_required: true });
  show(createInteraction({ assigned_users: ["ann"] }));
  expect(await screen.findByText("It is for ann, and you are bob.")).toBeTruthy();
  expect(screen.queryByRole("button")).toBeNull();
});

it("in a run file it says why nobody answers here", async () => {
  server.signIn("viewer", { run_file: true });
  show(createInteraction());
  expect(await screen.findByText(/^This is a run file, which is read-only/)).toBeTruthy();
  expect(screen.queryByRole("button")).toBeNull();
});

it("what is being typed stays when somebody else answers", async () => {
  const row = createInteraction({ ui_schema: schema });
  show(row);
  fireEvent.change(await screen.findByLabelText("Why"), { target: { value: "so" } });
  const answered = { ...row, status: "answered", actor: "bob", completed_at: at(1), sequence: 2 } as const;
  onServer(answered);
  update([answered]);
  expect((await screen.findByRole("alert")).textContent).toContain("Answered by bob");
  await waitFor(() => expect(screen.getByLabelText<HTMLInputElement>("Why").value).toBe("so"));
});

it("of very many the first are shown, and the way to all of them", async () => {
  const questions = Array.from({ length: 7 }, (_, index) =>
    createInteraction({ interaction_id: `${index}`, prompt: `Number ${index}?`, ui_schema: schema }),
  );
  show(...questions);
  expect(await screen.findByText("Number 2?")).toBeTruthy();
  expect(screen.queryByText("Number 3?")).toBeNull();
  const all = screen.getByRole("link", { name: "All that this execution waits for, in the inbox" });
  expect(all.getAttribute("href")).toBe(`/inbox?execution_id=${createExecution().execution_id}`);
  const first = questions[0];
  if (first !== undefined)
    update([{ ...first, status: "answered", completed_at: at(1), sequence: 9 }, ...questions.slice(1)]);
  expect(screen.queryByText("Number 0?")).toBeNull();
  expect(screen.getByText("Number 3?")).toBeTruthy();
});
