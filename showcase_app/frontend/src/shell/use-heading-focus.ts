/** When another page has come, the focus goes to its heading: who does not see the page hears where it is. */
import { useEffect, useRef } from "react";
import { useLocation, useNavigationType } from "react-router";

/** Not on the first page, whose beginning is read anyhow; nor on the way back, where the focus goes to where it was; nor
 * where something has taken it meanwhile. */
export function useHeadingFocus(): void {
  const { pathname } = useLocation();
  const how = useNavigationType();
  const before = useRef<string | null>(null);
  useEffect(() => {
    if (pathname === "/") return undefined; // it leads on
    const isFirst = before.current === null;
    const isOther = before.current !== pathname;
    before.current = pathname;
    const content = document.getElementById("content");
    if (isFirst || !isOther || how === "POP" || content === null) return undefined;
    const left = document.activeElement;
    const move = () => {
      const heading = content.querySelector("h1");
      const isFree = document.activeElement === left || document.activeElement === document.body;
      if (heading !== null && isFree) {
        heading.tabIndex = -1;
        heading.focus({ preventScroll: true });
      }
      return heading !== null || !isFree;
    };
    if (move()) return undefined;
    const observer = new MutationObserver(() => {
      if (move()) observer.disconnect();
    });
    observer.observe(content, { childList: true, subtree: true });
    return () => observer.disconnect();
  }, [pathname, how]);
}
