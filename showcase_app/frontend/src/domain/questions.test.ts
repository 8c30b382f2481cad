import { expect, it } from "vitest";
import type { SessionOut } from "@/api/schema.gen";
import { at } from "@/mocks/create-execution";
import {
  asSchema,
  createInteraction,
  createInteractionDetail,
  createListedInteraction,
  createResponse,
} from "@/mocks/create-interaction";
import { parseJson } from "./json";
import {
  assignedText,
  firstLine,
  likeness,
  needsName,
  outcomeText,
  ownAnswer,
  personText,
  progressText,
  standingText,
  timeoutText,
  whyNotAnswer,
  withCounting,
} from "./questions";
import { IN_RUN_FILE } from "./read-only";

const signedIn = (role: SessionOut["role"], actor = "ann"): SessionOut => ({
  actor,
  role,
  keys_required: true,
  signed_in: true,
  run_file: false,
});
const LOCAL: SessionOut = { ...signedIn("operator", "local"), keys_required: false };

it.each([
  [{}, "anybody"],
  [{ assigned_users: null }, "anybody"],
  [{ assigned_users: ["ann", "bob"] }, "ann, bob"],
  [{ assigned_role: "approver" }, "any approver"],
  [{ assigned_users: ["ann"], assigned_role: "approver" }, "ann or any approver"],
])("%j is for %s", (row, expected) => {
  expect(assignedText(createInteraction(row))).toBe(expected);
});

it.each([
  [{}, null],
  [{ answers: 2, answered_by: 1 }, "1 of 2 have answered"],
  [{ answers: null, assigned_users: ["ann", "bob", "ann"], answered_by: 0 }, "0 of all 2 have answered"],
  [{ answers: 2, decided_by: "ok", answered_by: 1 }, "1 answered; decided when 2 agree on “ok”"],
])("%j is so far: %s", (row, expected) => {
  expect(progressText(createInteraction(row))).toBe(expected);
});

it.each([
  [{}, false],
  [{ assigned_users: ["ann"] }, true],
  [{ assigned_role: "approver" }, true],
  [{ answers: 2 }, true],
  [{ answers: null, assigned_users: ["ann"] }, true],
])("an answer to %j needs a name: %s", (row, expected) => {
  expect(needsName(createInteraction(row))).toBe(expected);
});

it("with keys it is held to whom it is for, and without them to nothing here", () => {
  const anybodys = createInteraction();
  const anns = createInteraction({ assigned_users: ["ann"] });
  const approvers = createInteraction({ assigned_users: ["eve"], assigned_role: "approver" });
  expect(whyNotAnswer(anns, LOCAL)).toBeNull();
  expect(whyNotAnswer(anybodys, { ...LOCAL, run_file: true })).toBe(IN_RUN_FILE);
  expect(whyNotAnswer(anybodys, signedIn("viewer"))).toContain("viewer");
  for (const question of [anybodys, anns, approvers]) expect(whyNotAnswer(question, signedIn("approver"))).toBeNull();
  expect(whyNotAnswer(anns, signedIn("operator", "bob"))).toBe("It is for ann, and you are bob.");
  expect(whyNotAnswer(approvers, signedIn("operator", "bob"))).toBe("It is for eve or any approver, and you are bob.");
});

it.each([
  [{}, null],
  [{ status: "answered", actor: "ann", verified: true, answered_by: 1 }, "Answered by ann"],
  [{ status: "answered", actor: "ann", answered_by: 1 }, "Answered by ann (not verified)"],
  [{ status: "answered", actor: "ann", answers: 2, answered_by: 2 }, "Answered by 2 people"],
  [{ status: "expired" }, "Nobody answered in time"],
  [{ status: "expired", answers: 2, answered_by: 1 }, "Time was over, with some answers"],
  [{ status: "cancelled" }, "Closed without an answer"],
] as const)("%j ended so: %s", (row, expected) => {
  expect(outcomeText(createInteraction(row))).toBe(expected);
});

it("the newest answer of each person counts, and one's own is found", () => {
  const first = createResponse({ actor: "ann", response: 1 });
  const second = createResponse({ actor: "bob", response: 2 });
  const changed = createResponse({ actor: "ann", revision: 2, response: 3 });
  const withKey = createResponse({ actor: "ann", verified: true, response: 4 });
  const all = [first, second, changed, withKey];
  expect(withCounting(all).map(({ counts }) => counts)).toEqual([false, true, true, true]);
  expect(ownAnswer(all, { actor: "ann", verified: false })).toBe(changed);
  expect(ownAnswer(all, { actor: "ann", verified: true })).toBe(withKey);
  expect(ownAnswer(all, { actor: "bob", verified: true })).toBeUndefined();
  expect(personText(first)).toBe("ann (not verified)");
});

it("of several answers it is said what they come to, and who is still to answer", () => {
  const vote = { answers: 2, decided_by: "ok", assigned_users: ["ann", "bob", "eve"] };
  const yes = (actor: string) => createResponse({ actor, response: { ok: true } });
  const no = createResponse({ actor: "bob", response: { ok: false } });
  expect(standingText(createInteraction(), [yes("ann")])).toBeNull();
  expect(standingText(createInteraction(vote), [])).toBe("not yet: ann, bob, eve");
  expect(standingText(createInteraction(vote), [no, yes("ann")])).toBe("ok: false 1, true 1; not yet: eve");
  expect(standingText(createInteraction(vote), [no, yes("ann"), yes("bob")])).toBe("ok: true 2; not yet: eve");
  expect(standingText(createInteraction({ answers: 2 }), [no])).toBeNull();
  const others = createInteraction({ ...vote, assigned_role: "approver" });
  expect(standingText(others, [createResponse({ response: null })])).toBe("ok: nothing 1");
});

it.each([
  [{ deadline_at: null, on_timeout: "fail" }, null],
  [{ on_timeout: "fail" }, "the step fails"],
  [{ on_timeout: "escalate" }, "it goes on at escalate"],
  [{ on_timeout: { ok: false } }, 'the answer is {"ok":false}'],
  [{ on_timeout: { ok: false }, answers: 2 }, '{"ok":false} is added to the answers'],
])("of %j the deadline decides: %s", (row, expected) => {
  expect(timeoutText(createInteractionDetail({ deadline_at: at(0), ...row }))).toBe(expected);
});

it("one answer is meant for questions that are alike, to the last digit of their schema", () => {
  const schema = (text: string) => createListedInteraction({ ui_schema: asSchema(parseJson(text)) });
  expect(likeness(schema('{"const":9007199254740993}'))).toBe(likeness(schema('{"const":9007199254740993}')));
  expect(likeness(schema('{"const":9007199254740993}'))).not.toBe(likeness(schema('{"const":9007199254740992}')));
  expect(likeness(createListedInteraction({ step_id: "other" }))).not.toBe(likeness(createListedInteraction()));
});

it.each([
  ["Pay 200?", "Pay 200?"],
  ["\n\n## Pay **200** to [ann](https://example.org)?\n\nMore", "Pay 200 to ann?"],
  ["> - `rm -rf` it?", "rm -rf it?"],
  ["---\n1. First", "First"],
  ["2 of 3?", "2 of 3?"],
  ["-5 degrees, __init__?", "-5 degrees, __init__?"],
  ["![a cat](data:x)", "a cat"],
  ["> - ", ""],
  ["", ""],
  ["é".repeat(500), `${"é".repeat(200)}…`],
])("the first line of %j is %j", (markdown, expected) => {
  expect(firstLine(markdown)).toBe(expected);
});
