import { useEffect, useRef, useState } from "react";

/** Says what something has become to those who do not see it, without interrupting; not what it is at first. */
export function Announced({ text }: { text: string }) {
  const before = useRef(text);
  const [announcement, setAnnouncement] = useState("");
  useEffect(() => {
    if (before.current !== text) setAnnouncement(text);
    before.current = text;
  }, [text]);
  return (
    <span className="only-heard" aria-live="polite">
      {announcement}
    </span>
  );
}
