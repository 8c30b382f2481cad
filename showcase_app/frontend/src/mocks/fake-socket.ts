/** A WebSocket whose other end is the test: what it opened, what it receives, when it ends. */
import { vi } from "vitest";
import { stringifyJson } from "@/domain/json";

export class FakeSocket {
  static readonly opened: FakeSocket[] = [];

  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  isClosed = false;

  constructor(readonly url: string) {
    FakeSocket.opened.push(this);
  }

  /** In the place of the browser's, until `vi.unstubAllGlobals`. */
  static install(): void {
    FakeSocket.opened.length = 0;
    vi.stubGlobal("WebSocket", FakeSocket);
  }

  static get newest(): FakeSocket {
    const socket = FakeSocket.opened.at(-1);
    if (socket === undefined) throw new Error("no socket has been opened");
    return socket;
  }

  /** The cursor it was opened with. */
  get after(): number {
    return Number(new URL(this.url).searchParams.get("after"));
  }

  accept(): void {
    this.onopen?.();
  }

  say(frame: unknown): void {
    this.onmessage?.({ data: stringifyJson(frame) });
  }

  /** The server ends it, or the way to it is lost (1006). */
  end(code = 1006): void {
    this.isClosed = true;
    this.onclose?.({ code });
  }

  /** The page ends it. */
  close(): void {
    if (!this.isClosed) this.end(1005);
  }
}
