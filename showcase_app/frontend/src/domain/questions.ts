/** Questions to people in words: whom they are for, how far they are, who answered, and who may. Pure. */
import type { InteractionDetail, InteractionOut, ListedInteraction, ResponseOut, SessionOut } from "@/api/schema.gen";
import { ownValue, stringifyJson } from "./json";
import { IN_RUN_FILE } from "./read-only";

const STATUS_WORDS: Readonly<Record<InteractionOut["status"], string>> = {
  pending: "Waiting",
  answered: "Answered",
  expired: "Expired",
  cancelled: "Closed",
};

export function questionStatusWord(status: InteractionOut["status"]): string {
  return STATUS_WORDS[status];
}

type Assigned = Pick<InteractionOut, "assigned_users" | "assigned_role">;

/** Whom it is for: "ann, bob or any approver", or "anybody". */
export function assignedText({ assigned_users, assigned_role }: Assigned): string {
  const users = assigned_users ?? [];
  const role = assigned_role === null ? [] : [`any ${assigned_role}`];
  if (users.length + role.length === 0) return "anybody";
  return [...(users.length > 0 ? [users.join(", ")] : []), ...role].join(" or ");
}

type Person = Pick<ResponseOut, "actor" | "verified">;
type Counted = Pick<InteractionOut, "answers" | "decided_by" | "assigned_users" | "answered_by">;

/** How far a question is that takes several answers; null: it takes one, which is said by its status. */
export function progressText(question: Counted): string | null {
  const { answers, decided_by, answered_by } = question;
  if (answers === 1) return null;
  const needed = neededAnswers(question);
  const people = answers === null ? `all ${needed}` : `${needed}`;
  if (decided_by === null) return `${answered_by} of ${people} have answered`;
  return `${answered_by} answered; decided when ${people} agree on “${decided_by}”`;
}

/** Of how many people it needs answers. */
export function neededAnswers({ answers, assigned_users }: Pick<Counted, "answers" | "assigned_users">): number {
  return answers ?? new Set(assigned_users ?? []).size;
}

/** Whether an answer needs a name: where nobody is assigned and one answer is enough, it needs none. */
export function needsName({ answers, assigned_users, assigned_role }: Assigned & Pick<Counted, "answers">): boolean {
  return answers !== 1 || (assigned_users ?? []).length > 0 || assigned_role !== null;
}

/** Why the reader may not answer; null where they may. Without keys anybody may who is one of those it is for. */
export function whyNotAnswer(question: Assigned, session: SessionOut): string | null {
  if (session.run_file) return IN_RUN_FILE;
  if (!session.keys_required) return null;
  if (session.role === "viewer") return "You are signed in as a viewer; answering needs an approver or operator.";
  const { assigned_users, assigned_role } = question;
  const users = assigned_users ?? [];
  const isAnybodys = users.length === 0 && assigned_role === null;
  if (isAnybodys || users.includes(session.actor) || assigned_role === session.role) return null;
  return `It is for ${assignedText(question)}, and you are ${session.actor}.`;
}

/** Who answered, or how it ended without an answer; null while it is open. The time stands behind it. */
export function outcomeText(
  question: Pick<InteractionOut, "status" | "answers" | "answered_by" | "actor" | "verified">,
): string | null {
  const { status, answers, answered_by, actor, verified } = question;
  if (status === "pending") return null;
  if (status === "cancelled") return "Closed without an answer";
  if (status === "expired") return answered_by > 0 ? "Time was over, with some answers" : "Nobody answered in time";
  if (answers !== 1) return `Answered by ${answered_by} ${answered_by === 1 ? "person" : "people"}`;
  return `Answered by ${personText({ actor: actor ?? "somebody", verified })}`;
}

/** A name, and that no key stands for it where that is so. */
export function personText({ actor, verified }: Person): string {
  return verified ? actor : `${actor} (not verified)`;
}

/** The answers on record, each with whether it counts: the newest of each person does. */
export function withCounting<Answer extends Person>(
  responses: readonly Answer[],
): { response: Answer; counts: boolean }[] {
  const newest = new Map(responses.map((response) => [personText(response), response]));
  return responses.map((response) => ({ response, counts: newest.get(personText(response)) === response }));
}

/** What a button says to whoever has answered already. */
export const CHANGE_ANSWER = "Change my answer";

/** The newest answer of a person; undefined: they have given none. A key and a name that is alike are two people. */
export function ownAnswer(responses: readonly ResponseOut[], person: Person): ResponseOut | undefined {
  return responses.findLast((response) => personText(response) === personText(person));
}

/** What the answers so far come to, and who is still to answer; null where it takes one, or nothing can be said. */
export function standingText(
  { answers, decided_by, assigned_users, assigned_role }: Assigned & Pick<Counted, "answers" | "decided_by">,
  responses: readonly ResponseOut[],
): string | null {
  if (answers === 1) return null;
  const counting = withCounting(responses).flatMap(({ response, counts }) => (counts ? [response] : []));
  const here = new Set(counting.map(({ actor }) => actor));
  const missing = assigned_role === null ? [...new Set(assigned_users ?? [])].filter((user) => !here.has(user)) : [];
  const parts = [
    ...(decided_by === null || counting.length === 0 ? [] : [`${decided_by}: ${tallyText(decided_by, counting)}`]),
    ...(missing.length === 0 ? [] : [`not yet: ${missing.join(", ")}`]),
  ];
  return parts.length === 0 ? null : parts.join("; ");
}

/** How many have given a field which value: "true 2, false 1". */
function tallyText(field: string, responses: readonly ResponseOut[]): string {
  const counts = new Map<string, number>();
  for (const { response } of responses) {
    const value = ownValue(response, field);
    const text = value === undefined || value === null ? "nothing" : stringifyJson(value);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const inOrder = [...counts].sort(([, one], [, other]) => other - one);
  return inOrder.map(([value, count]) => `${value} ${count}`).join(", ");
}

const LONGEST_DEFAULT = 200;

/** What happens where it is not decided by its deadline; null: it has none. */
export function timeoutText({
  deadline_at,
  on_timeout,
  answers,
}: Pick<InteractionDetail, "deadline_at" | "on_timeout" | "answers">): string | null {
  if (deadline_at === null) return null;
  if (on_timeout === null || on_timeout === "fail") return "the step fails";
  if (typeof on_timeout === "string") return `it goes on at ${on_timeout}`;
  const text = stringifyJson(on_timeout);
  const shown = text.length > LONGEST_DEFAULT ? `${text.slice(0, LONGEST_DEFAULT)}…` : text;
  return answers === 1 ? `the answer is ${shown}` : `${shown} is added to the answers`;
}

/** What one answer can be meant for: the same text for questions of one pipeline, version, step and schema. */
export function likeness(
  question: Pick<ListedInteraction, "pipeline_id" | "pipeline_version" | "step_id" | "ui_schema">,
): string {
  return stringifyJson([question.pipeline_id, question.pipeline_version, question.step_id, question.ui_schema]);
}

const LONGEST_LINE = 200;

/** The first line of Markdown as plain text, for lists: without the marks at its beginning and around its words. */
export function firstLine(markdown: string): string {
  const line = markdown.split("\n").find((each) => /[\p{L}\p{N}]/u.test(each));
  const text = (line ?? markdown)
    .slice(0, 2 * LONGEST_LINE)
    .replace(/^\s*((>|#{1,6}\s|[*+-]\s|\d+[.)]\s)\s*)*/, "")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\*\*|~~|`+/g, "")
    .trim();
  return text.length > LONGEST_LINE ? `${text.slice(0, LONGEST_LINE)}…` : text;
}
