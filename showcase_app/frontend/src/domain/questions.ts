/** Questions to people in words: whom they are for, how far they are, who answered, and who may. Pure. */
import type { InteractionOut, ListedInteraction, ResponseOut, SessionOut } from "@/api/schema.gen";
import { stringifyJson } from "./json";
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
export function personText({ actor, verified }: Pick<ResponseOut, "actor" | "verified">): string {
  return verified ? actor : `${actor} (not verified)`;
}

/** The answers on record, each with whether it counts: the newest of each person does. */
export function withCounting<Answer extends Pick<ResponseOut, "actor">>(
  responses: readonly Answer[],
): { response: Answer; counts: boolean }[] {
  const newest = new Map(responses.map((response) => [response.actor, response]));
  return responses.map((response) => ({ response, counts: newest.get(response.actor) === response }));
}

/** The newest answer of a person; undefined: they have given none. */
export function ownAnswer(responses: readonly ResponseOut[], actor: string): ResponseOut | undefined {
  return responses.findLast((response) => response.actor === actor);
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
