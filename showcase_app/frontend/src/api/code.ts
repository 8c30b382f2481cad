/** Code of pages and their parts, which comes when it is needed, and all of it when there is nothing else to do. */
import { awayAsOf, onAway, suspected } from "./away";
import { ROOT } from "./root";

const LIST = `${ROOT}/code.json`; // the build writes it
const LOOK_MS = 500;

/** That it could not be fetched is not that it failed: the server is away, or has other pages by now. */
export class CodeNotFetched extends Error {
  constructor(cause: unknown) {
    super("The code for this could not be fetched.", { cause });
    this.name = "CodeNotFetched";
  }
}

let beingFetched = 0;

/** Raises CodeNotFetched; it may be tried again. */
export async function fetchCode<Code>(load: () => Promise<Code>): Promise<Code> {
  beingFetched += 1;
  try {
    await fetchStylesAgain();
    return await load();
  } catch (error) {
    suspected();
    throw new CodeNotFetched(error);
  } finally {
    beingFetched -= 1;
  }
}

/**
 * Fetches the code of what was not visited yet, one file after the other, so that it is there when the server is not.
 * Begins when the page that was opened is there: nothing of it is on its way, nor `isBusy`, at two looks.
 */
export async function fetchAhead(isBusy: () => boolean): Promise<void> {
  for (let quiet = 0; quiet < 2; quiet = beingFetched > 0 || isBusy() ? 0 : quiet + 1) await wait(LOOK_MS);
  try {
    for (const name of await listed()) await (await window.fetch(`${ROOT}/${name}`, { priority: "low" })).arrayBuffer();
    document.documentElement.dataset.code = "here"; // in the browser's cache, where it stays
  } catch {
    suspected();
    await untilBack();
    await fetchAhead(isBusy);
  }
}

/** All files of code; none while the pages are developed, when they are not built. */
async function listed(): Promise<string[]> {
  const list = await window.fetch(LIST);
  const isList = list.headers.get("Content-Type")?.startsWith("application/json") ?? false;
  return isList ? ((await list.json()) as string[]) : [];
}

/** Those that could not be fetched before: the bundler's own code fetches each of them once. */
async function fetchStylesAgain(): Promise<void> {
  const links = document.querySelectorAll<HTMLLinkElement>("link[rel=stylesheet][data-failed]");
  await Promise.all([...links].map(fetchStyle));
}

function fetchStyle(failed: HTMLLinkElement): Promise<void> {
  const link = failed.cloneNode() as HTMLLinkElement;
  delete link.dataset.failed;
  return new Promise((resolve, reject) => {
    link.onload = () => resolve();
    link.onerror = () => reject(new Error(`${link.href} could not be fetched`));
    failed.replaceWith(link);
  });
}

document.addEventListener(
  "error",
  ({ target }) => {
    if (target instanceof HTMLLinkElement && target.rel === "stylesheet") target.dataset.failed = "";
  },
  { capture: true }, // errors of links do not bubble
);

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => window.setTimeout(resolve, milliseconds));
}

/** Until the server answers; at once where it does. */
async function untilBack(): Promise<void> {
  await wait(LOOK_MS);
  while (awayAsOf() !== null) {
    await new Promise<void>((resolve) => {
      const forget = onAway(() => {
        forget();
        resolve();
      });
    });
  }
}
