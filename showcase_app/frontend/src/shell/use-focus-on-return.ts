/** Back and forward put the focus where it was: on the link by which one left the page. */
import { useEffect, useRef } from "react";
import { useLocation, useNavigationType } from "react-router";

const PATIENCE_MS = 5_000; // for what the page reads before its links are there

export function useFocusOnReturn(): void {
  const { key } = useLocation();
  const how = useNavigationType();
  const followed = useRef(new Map<string, string>()); // the link by which each entry of the history was left
  useEffect(() => {
    const remember = ({ target }: MouseEvent) => {
      const href = target instanceof Element ? linkAt(target)?.getAttribute("href") : null;
      if (href != null) followed.current.set(key, href);
    };
    document.addEventListener("click", remember, true);
    return () => document.removeEventListener("click", remember, true);
  }, [key]);
  useEffect(() => {
    const href = followed.current.get(key);
    return how === "POP" && href !== undefined ? focusOnce(href) : undefined;
  }, [how, key]);
}

/** The link that a click follows: its own, or that of the row which it is in. */
function linkAt(target: Element): Element | null | undefined {
  return target.closest("main a[href]") ?? target.closest("main :is(tr, li, [role=row])")?.querySelector("a[href]");
}

/** As soon as the link is there, unless the reader is somewhere else by then; the returned function gives that up. */
function focusOnce(href: string): () => void {
  const look = () => {
    const isElsewhere = document.activeElement !== null && document.activeElement !== document.body;
    const link = document.querySelector<HTMLElement>(`main a[href="${CSS.escape(href)}"]`);
    if (isElsewhere || link !== null) end();
    if (!isElsewhere) link?.focus({ preventScroll: true });
  };
  const observer = new MutationObserver(look);
  const timer = window.setTimeout(end, PATIENCE_MS);
  function end(): void {
    observer.disconnect();
    window.clearTimeout(timer);
  }
  observer.observe(document.body, { childList: true, subtree: true });
  look();
  return end;
}
