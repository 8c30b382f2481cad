/** Who owns a pipeline's definition, in sentences. Pure. */
import type { DefinitionOwnerOut, PipelineDetail, PipelineOut, StoredBesideOut } from "@/api/schema.gen";

export type VersionOrigin = NonNullable<DefinitionOwnerOut["origin"]>;

const ORIGIN_WORDS: Readonly<Record<VersionOrigin, string>> = {
  file: "File",
  page: "Page",
  api: "API",
  program: "Program",
};

const CHOSEN: Readonly<Record<Exclude<VersionOrigin, "file">, string>> = {
  page: "on a page",
  api: "over HTTP",
  program: "by a program",
};

/** Where a version came from, in a word or two: "Page, ada". */
export function originText(origin: VersionOrigin | null, author: string | null): string {
  if (origin === null) return author ?? "–";
  return author === null ? ORIGIN_WORDS[origin] : `${ORIGIN_WORDS[origin]}, ${author}`;
}

/** That somebody is to choose between versions, in a few words and in a sentence; null: nobody is. */
export function conflictWords({ beside, current_version }: Pick<PipelineOut, "beside" | "current_version">) {
  if (beside.length === 0 || current_version === null) return null;
  const versions = beside.map((version) => `v${version}`);
  const all = versions.length === 1 ? versions[0] : `${versions.slice(0, -1).join(", ")} and ${versions.at(-1)}`;
  const stand = versions.length === 1 ? "stands" : "stand";
  return {
    short: `Conflict: ${versions.join(", ")} beside v${current_version}`,
    sentence: `${all} ${stand} beside v${current_version}, the current one, until somebody chooses.`,
  };
}

/** Who owns the current version, and what the file holds where it is another; null: there is nothing to say. */
export function ownerSentence({ owner, current_version }: Pick<PipelineDetail, "owner" | "current_version">) {
  const file = owner.files.find((each) => each.version === current_version) ?? owner.files[0];
  if (current_version === null || owner.origin === null) return null;
  if (owner.origin === "file") {
    return file === undefined ? "A file owns it." : `Owned by ${file.path} on ${file.host}: it follows that file.`;
  }
  const chosen = `Version ${current_version} was chosen ${CHOSEN[owner.origin]}${by(owner.author)}.`;
  if (file === undefined) return chosen;
  if (file.version === current_version) return `${chosen} ${file.path} on ${file.host} holds the same.`;
  const holds = file.version === null ? "another one" : `version ${file.version}`;
  return `${chosen} ${file.path} on ${file.host} holds ${holds}.`;
}

/** Why a version stands beside the current one. */
export function besideSentence(beside: StoredBesideOut, { owner, current_version }: PipelineDetail): string {
  const stays = `Version ${current_version} stays the current one until somebody chooses.`;
  if (beside.path !== null) {
    const place = `${beside.path}${beside.host === null ? "" : ` on ${beside.host}`}`;
    return owner.origin === "file"
      ? `${place} holds version ${beside.version}, and another file gave version ${current_version}. ${stays}`
      : `${place} changed after version ${current_version} was chosen${by(owner.author)}. ${stays}`;
  }
  const edited = beside.origin === "page" ? "edited on a page" : "sent";
  return `It was ${edited}${by(beside.author)} while version ${current_version} became the current one. ${stays}`;
}

function by(author: string | null): string {
  return author === null ? "" : ` by ${author}`;
}
