/** A task that is asked for more often than it should run. */

export type Paced = { ask: () => void; stop: () => void };

/** Runs when asked: one at a time, not before `everyMs` after the last, not while nobody looks at the page, and once
 * more afterwards when it was asked for meanwhile. */
export function paced(run: () => Promise<unknown>, everyMs: number): Paced {
  let asked = false;
  let busy = false;
  let stopped = false;
  let timer: number | undefined;

  const next = async () => {
    if (stopped || busy || !asked || document.hidden) return;
    asked = false;
    busy = true;
    try {
      await run();
    } finally {
      timer = window.setTimeout(() => {
        busy = false;
        void next();
      }, everyMs);
    }
  };
  const shown = () => void next();

  document.addEventListener("visibilitychange", shown);
  return {
    ask: () => {
      asked = true;
      void next();
    },
    stop: () => {
      stopped = true;
      window.clearTimeout(timer);
      document.removeEventListener("visibilitychange", shown);
    },
  };
}
