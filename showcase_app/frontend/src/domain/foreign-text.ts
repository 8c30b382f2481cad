/** Text that somebody else wrote: where its links may lead, and whether it is drawn at all. Pure. */

/** A whole web or mail address; null: anything else, which leads nowhere. */
export function safeAddress(href: unknown): string | null {
  if (typeof href !== "string" || !/^(https?:\/\/|mailto:)/i.test(href) || !URL.canParse(href)) return null;
  return href;
}

/** A whole web address; null: anything else. */
export function safeWebAddress(href: unknown): string | null {
  const address = safeAddress(href);
  return address !== null && /^http/i.test(address) ? address : null;
}

const MOST_CHARACTERS = 10_000;
const NESTED = /^(?:[ \t]*(?:>|[-*+][ \t]|\d{1,9}[.)][ \t])){20}/m;

/** Whether Markdown is drawn: not where it is so long, or its quotes and lists so deep, that drawing takes seconds. */
export function isDrawable(markdown: string): boolean {
  return markdown.length <= MOST_CHARACTERS && !NESTED.test(markdown);
}

/** How deep what is drawn may be. */
export const DEEPEST = 60;
