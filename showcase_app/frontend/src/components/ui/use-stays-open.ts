/** Whether a form over the page is shown: once it is open it stays, whatever becomes of what it is about. */
import { useState } from "react";

/** `isOpen`: the reader has opened it and not closed it. `mayOpen`: what it is for can be done now. */
export function useStaysOpen(isOpen: boolean, mayOpen: boolean): boolean {
  const [wasShown, setShown] = useState(false);
  const isShown = isOpen && (mayOpen || wasShown);
  if (isShown !== wasShown) setShown(isShown);
  return isShown;
}
