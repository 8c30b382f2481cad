import { act, cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { InteractionDetail } from "@/api/schema.gen";
import { parseJson, stringifyJson } from "@/domain/json";
import { at } from "@/mocks/create-execution";
import { asSchema, createInteractionDetail, createResponse } from "@/mocks/create-interaction";
import { FakeServer, json, refusal } from "@/mocks/fake-server";
import { FakeSocket } from "@/mocks/fake-socket";
import { renderAt } from "@/mocks/render-at";
import { Component } from "./question-page";

const READ = "GET /api/interactions/interaction";
const RESPOND = "POST /api/interactions/interaction/respond";
const server = new FakeServer();
const schema = asSchema({
  type: "object",
  properties: { approved: { type: "boolean" }, why: { type: "string", maxLength: 5 } },
  required: ["approved"],
});
let question = createInteractionDetail();

beforeEach(() => {
  window.localStorage.clear();
  server.install();
  FakeSocket.install();
  question = createInteractionDetail({ ui_schema: schema, prompt: "Ship it?" });
  server.on(READ, () => json(200, question));
});

afterEach(() => {
  cleanup();
  server.remove();
  vi.unstubAllGlobals();
});

function show(change: Partial<InteractionDetail> = {}): void {
  question = { ...question, ...change };
  renderAt("/inbox/interaction", [{ path: "/inbox/:interactionId", element: <Component /> }]);
}

function signInAs(actor: string, role: "approver" | "viewer"): void {
  server.signIn(role, { actor, keys_required: true });
}

const send = async (name = "Send answer") => fireEvent.click(await screen.findByRole("button", { name }));
const choose = (name: string) => fireEvent.click(screen.getByRole("radio", { name }));

it("what is answered goes to the server, and the answer is on record then", async () => {
  server.on(RESPOND, () => {
    const responses = [createResponse({ response: { approved: true } })];
    question = { ...question, status: "answered", actor: "ann", completed_at: at(0), answered_by: 1, responses };
    return json(202, question);
  });
  show();
  await send();
  expect(await screen.findByText("This field is required.")).toBeTruthy();
  expect(server.to(RESPOND)).toHaveLength(0);
  choose("Yes");
  fireEvent.change(screen.getByLabelText("Your name"), { target: { value: " ann " } });
  await send();
  expect(await screen.findByText(/Answered by ann \(not verified\)/)).toBeTruthy();
  expect(await server.bodies(RESPOND)).toEqual([{ response: { approved: true }, responded_by: "ann" }]);
  const record = await screen.findByRole("region", { name: "Answer on record" });
  expect(record.textContent).toContain("ann (not verified)");
  expect(record.textContent).toContain("approvedtrue");
});

it("an untouched form sends the defaults to the last digit", async () => {
  const exact = '{"type":"object","properties":{"id":{"type":"integer","default":9007199254740993}}}';
  server.on(RESPOND, () => json(202, question));
  show({ ui_schema: asSchema(parseJson(exact)) });
  expect(await screen.findByDisplayValue("9007199254740993")).toBeTruthy();
  await send();
  await waitFor(() => expect(server.to(RESPOND)).toHaveLength(1));
  expect(stringifyJson((await server.bodies(RESPOND))[0])).toBe('{"response":{"id":9007199254740993}}');
});

it("shows what the step gave beside the question, else what its execution began with", async () => {
  show({ data: { amount: 200 } });
  expect((await screen.findByRole("tree", { name: "Data of the question" })).textContent).toContain("amount:200");
  cleanup();
  show({ data: {}, input_data: { payee: "Teapot Ltd" } });
  const input = await screen.findByRole("tree", { name: "Input of the execution" });
  expect(input.textContent).toContain("Teapot Ltd");
  cleanup();
  show({ data: {}, input_data: {} });
  expect(await screen.findByText("The step gave nothing beside the question.")).toBeTruthy();
  expect(server.requests.filter(({ url }) => url.includes("/api/executions"))).toEqual([]);
});

it("what the server refuses stands at its field", async () => {
  server.on(RESPOND, () =>
    refusal(422, "Refused.", { "response.why": "'because' is not a reason", responded_by: "'eve' is not asked" }),
  );
  show();
  await screen.findByRole("radio", { name: "Yes" });
  choose("No");
  await send();
  expect(await screen.findByText("'because' is not a reason")).toBeTruthy();
  expect(screen.getByText("'eve' is not asked")).toBeTruthy();
  expect(screen.queryByText("It was not sent")).toBeNull();
});

it("who comes second is told who was first, and what was typed stays", async () => {
  server.on(RESPOND, () => {
    question = { ...question, status: "answered", actor: "bob", completed_at: at(0), answered_by: 1 };
    return json(409, {
      type: "urn:ia-modules:already-answered",
      title: "Already answered",
      status: 409,
      detail: "It was answered by bob.",
      instance: "/",
      answered: { by: "bob", at: at(0) },
    });
  });
  show();
  await screen.findByRole("radio", { name: "No" });
  choose("No");
  fireEvent.change(screen.getByLabelText("Why"), { target: { value: "dear" } });
  await send();
  const late = await screen.findByRole("alert");
  expect(late.textContent).toContain("Answered by bob");
  await waitFor(() =>
    expect(screen.getByRole<HTMLButtonElement>("button", { name: "Send answer" }).disabled).toBe(true),
  );
  expect(screen.getByLabelText<HTMLInputElement>("Why").value).toBe("dear");
});

it("an answer of somebody else appears by itself, beside what is being typed", async () => {
  show();
  await screen.findByRole("radio", { name: "No" });
  fireEvent.change(screen.getByLabelText("Why"), { target: { value: "dear" } });
  question = { ...question, status: "answered", actor: "bob", completed_at: at(0), answered_by: 1 };
  const hint = { execution_id: "execution", sequence: 2, status: "pending" };
  act(() => FakeSocket.newest.say({ type: "hints", items: [hint] }));
  expect((await screen.findByRole("alert")).textContent).toContain("Answered by bob (not verified)");
  expect(screen.getByLabelText<HTMLInputElement>("Why").value).toBe("dear");
});

it("a name is needed where people are meant, and remembered for the next question", async () => {
  server.on(RESPOND, () => json(202, question));
  show({ assigned_users: ["ann"], answers: 2, answered_by: 0 });
  expect(await screen.findByText("0 of 2 have answered; not yet: ann")).toBeTruthy();
  await screen.findByRole("radio", { name: "Yes" });
  choose("Yes");
  await send();
  expect(await screen.findByText("Say who answers.")).toBeTruthy();
  expect(server.to(RESPOND)).toHaveLength(0);
  fireEvent.change(screen.getByLabelText(/Your name/), { target: { value: "ann" } });
  await send();
  await waitFor(() => expect(server.to(RESPOND)).toHaveLength(1));
  cleanup();
  show();
  expect((await screen.findByLabelText<HTMLInputElement>(/Your name/)).value).toBe("ann");
});

it("with a key there is no name to type, and one's own answer can be changed", async () => {
  signInAs("ann", "approver");
  show({ answers: 2, answered_by: 1, responses: [createResponse({ verified: true, response: { approved: false } })] });
  await screen.findByRole("button", { name: "Change my answer" });
  expect(screen.getByRole<HTMLInputElement>("radio", { name: "No" }).checked).toBe(true);
  expect(screen.queryByLabelText(/Your name/)).toBeNull();
  expect(screen.queryByRole("link", { name: /^…/ })).toBeNull(); // its execution is not for an approver
});

it("without keys a name that has answered before changes that answer, and the button says so", async () => {
  show({ answers: 2, answered_by: 1, responses: [createResponse({ response: { approved: false } })] });
  const name = await screen.findByLabelText(/Your name/);
  fireEvent.change(name, { target: { value: "bob" } });
  expect(screen.getByRole("button", { name: "Send answer" })).toBeTruthy();
  fireEvent.change(name, { target: { value: "ann" } });
  expect(screen.getByRole("button", { name: "Change my answer" })).toBeTruthy();
  expect(screen.getByText(/^Has answered before, not verified/)).toBeTruthy();
});

it("who is still to answer, what there is so far and what the deadline decides is said", async () => {
  const vote = { answers: 2, decided_by: "approved", assigned_users: ["ann", "bob"], answered_by: 1 };
  const responses = [createResponse({ response: { approved: false } })];
  show({ ...vote, responses, deadline_at: at(0), on_timeout: { approved: false } });
  expect(await screen.findByText(/; approved: false 1; not yet: bob$/)).toBeTruthy();
  const fact = screen.getByText("If it is not decided by then");
  expect(fact.nextElementSibling?.textContent).toBe('{"approved":false} is added to the answers');
});

it("others are asked instead, and a refusal stands at its field", async () => {
  const ASSIGN = "POST /api/interactions/interaction/assign";
  server.on(ASSIGN, () =>
    refusal(422, "Found nobody.", { assigned_users: "Found nobody; expected at least one name." }),
  );
  show({ answers: null, assigned_users: ["ann"] });
  fireEvent.click(await screen.findByRole("button", { name: "Ask others…" }));
  const dialog = await screen.findByRole("dialog");
  const names = within(dialog).getByLabelText("Names", { selector: "input" });
  fireEvent.keyDown(names, { key: "Backspace" });
  fireEvent.click(within(dialog).getByRole("button", { name: "Ask them" }));
  expect(await within(dialog).findByText(/expected at least one name/)).toBeTruthy();
  server.on(ASSIGN, () => {
    question = { ...question, assigned_users: ["bob"] };
    return json(200, question);
  });
  fireEvent.change(names, { target: { value: "bob" } });
  fireEvent.keyDown(names, { key: "Enter" });
  fireEvent.click(within(dialog).getByRole("button", { name: "Ask them" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(await server.bodies(ASSIGN)).toEqual([{ assigned_users: [] }, { assigned_users: ["bob"] }]);
  expect(screen.getByText("For").nextElementSibling?.textContent).toContain("bob");
});

it("all answers stay on record, and those that were changed are marked", async () => {
  const responses = [
    createResponse({ response: { approved: false } }),
    createResponse({ actor: "bob", verified: true, response: { approved: true } }),
    createResponse({ revision: 2, response: { approved: true } }),
  ];
  show({ answers: 2, status: "answered", actor: "ann", completed_at: at(0), answered_by: 2, responses });
  const record = await screen.findByRole("region", { name: "Answers on record" });
  const items = within(record).getAllByRole("listitem");
  expect(items.map((item) => item.textContent?.includes("changed since"))).toEqual([true, false, false]);
  expect(items.map((item) => item.textContent?.includes("not verified"))).toEqual([true, false, true]);
  expect(screen.queryByRole("button", { name: /answer/ })).toBeNull();
});

it("a question for somebody else says for whom it is, and a viewer only looks", async () => {
  signInAs("vic", "viewer");
  show();
  expect(await screen.findByText(/You are signed in as a viewer/)).toBeTruthy();
  cleanup();
  signInAs("bob", "approver");
  show({ assigned_users: ["ann"] });
  expect(await screen.findByText("It is for ann, and you are bob.")).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Send answer" })).toBeNull();
});

it.each([
  [403, "This question is not for you"],
  [404, "There is no question with this id"],
  [503, "The question could not be read"],
])("%d is told in words", async (status, words) => {
  server.on(READ, () => refusal(status, "Because."));
  show();
  expect(await screen.findByText(words)).toBeTruthy();
});
