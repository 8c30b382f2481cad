/** Before each file of component tests: room, since happy-dom lays nothing out, and patience for a busy machine. */
import { configure } from "@testing-library/react";

const WIDTH = 1000;
const HEIGHT = 600;

/** Says the size once, as soon as it observes. */
class OneSize implements ResizeObserver {
  constructor(private readonly callback: ResizeObserverCallback) {}

  observe(target: Element): void {
    const size = { inlineSize: WIDTH, blockSize: HEIGHT };
    const contentRect = new DOMRect(0, 0, WIDTH, HEIGHT);
    const entry = {
      target,
      contentRect,
      borderBoxSize: [size],
      contentBoxSize: [size],
      devicePixelContentBoxSize: [size],
    };
    this.callback([entry], this);
  }

  unobserve(): void {}
  disconnect(): void {}
}

// What draws only the part in view has a view.
Object.defineProperty(HTMLElement.prototype, "clientHeight", { configurable: true, get: () => HEIGHT });
Object.defineProperty(HTMLElement.prototype, "clientWidth", { configurable: true, get: () => WIDTH });
window.ResizeObserver = OneSize;
// A text field that grows with its text measures anew when a font has come.
Object.defineProperty(document, "fonts", { configurable: true, value: new EventTarget() });
// Browsers report it after the change; the editor of definitions cannot take it within one.
const dispatch = document.dispatchEvent.bind(document);
document.dispatchEvent = (event) => event.type === "selectionchange" || dispatch(event);
// There is no network in a test: what looks whether the server is there finds it, and all else is a test's own FakeServer.
window.fetch = async () => new Response("{}");
configure({ asyncUtilTimeout: 20_000 });
