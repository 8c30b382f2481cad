/** A task that is requested more often than it should run. */

export type Paced = { ask: () => void; stop: () => void };

/** Runs on request: one run at a time, at least `everyMs` apart, none while the page is hidden, and once more when it was
 * requested meanwhile. */
export function paced(run: () => Promise<unknown>, everyMs: number): Paced {
  let wanted = false;
  let busy = false;
  let stopped = false;
  let timer: number | undefined;

  const next = async () => {
    if (stopped || busy || !wanted || document.hidden) return;
    wanted = false;
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
      wanted = true;
      void next();
    },
    stop: () => {
      stopped = true;
      window.clearTimeout(timer);
      document.removeEventListener("visibilitychange", shown);
    },
  };
}
