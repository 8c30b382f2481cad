/** Keys of requests: what is sent twice with the same one is done once. */
import { useRef } from "react";

/**
 * The key for what is sent from an opened form: the same one for as long as the same is sent. What may be wanted once more
 * later has in its `body` the state that it changes.
 */
export function useRequestKey(): (body: string) => string {
  const sent = useRef<{ body: string; key: string } | null>(null);
  return (body) => {
    if (sent.current?.body !== body) sent.current = { body, key: newKey() };
    return sent.current.key;
  };
}

function newKey(): string {
  // Not crypto.randomUUID: browsers have that on secure origins only, and a host in one's own network is none.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
