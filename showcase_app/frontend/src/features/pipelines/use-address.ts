/** What a page keeps in its address. */
import { useSearchParams } from "react-router";

type Change = Readonly<Record<string, string | null>>;

/** `set` replaces the entry in the history; `with` is an address to link to. Null takes a name out. */
export function useAddress() {
  const [params, setParams] = useSearchParams();
  return {
    get: (name: string) => params.get(name),
    with: (change: Change) => `?${changed(params, change)}`,
    set: (change: Change) =>
      setParams((before) => changed(before, change), { replace: true, preventScrollReset: true }),
  };
}

function changed(before: URLSearchParams, change: Change): URLSearchParams {
  const after = new URLSearchParams(before);
  for (const [name, value] of Object.entries(change)) {
    if (value === null) after.delete(name);
    else after.set(name, value);
  }
  return after;
}
