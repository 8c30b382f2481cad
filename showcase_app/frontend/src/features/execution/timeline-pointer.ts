/** Zooming and moving a timeline by pointer: wheel, pinch, a dragged range. */
import { useEffect, useEffectEvent, useRef, useState } from "react";
import { moved, type View, viewBetween, zoomed } from "@/domain/timeline";

const DRAG_PIXELS = 5; // less is a click
const WHEEL_SPEED = 0.0022;

type Options = { axis: HTMLDivElement | null; view: View; whole: View; show: (view: View | null) => void };
type Range = { left: number; width: number };

/**
 * With the wheel: over the axis, or with Ctrl (which is how browsers tell a pinch on a touchpad), it zooms; sideways it
 * moves. With a mouse: dragging chooses a range. With fingers: one moves what is zoomed, two pinch.
 */
export function useTimelinePointer({ axis, view, whole, show }: Options) {
  const [area, setArea] = useState<HTMLDivElement | null>(null);
  const [range, setRange] = useState<Range | null>(null);
  const fingers = useRef(new Map<number, number>());
  const began = useRef<number | null>(null);
  const dragged = useRef(false);

  const timeAt = (clientX: number, shown: View = view) => {
    const box = axis?.getBoundingClientRect();
    if (box === undefined || box.width === 0) return shown.from;
    return shown.from + ((clientX - box.left) / box.width) * (shown.to - shown.from);
  };
  const perPixel = () => (view.to - view.from) / Math.max(1, axis?.clientWidth ?? 1);

  const onWheel = useEffectEvent((event: WheelEvent) => {
    const overAxis = event.target instanceof Node && axis?.contains(event.target) === true;
    if (event.ctrlKey || event.metaKey || overAxis) {
      event.preventDefault();
      show(zoomed(view, whole, timeAt(event.clientX), Math.exp(event.deltaY * WHEEL_SPEED * (event.ctrlKey ? 4 : 1))));
    } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      show(moved(view, whole, event.deltaX * perPixel()));
    }
  });

  const onDown = useEffectEvent((event: PointerEvent) => {
    dragged.current = false;
    if (event.pointerType !== "mouse") {
      fingers.current.set(event.pointerId, event.clientX);
    } else if (event.button === 0 && isOnTrack(event, axis)) {
      began.current = event.clientX;
    }
  });

  const onMove = useEffectEvent((event: PointerEvent) => {
    if (event.pointerType !== "mouse") return onFinger(event);
    if (began.current === null || area === null) return;
    if (!dragged.current && Math.abs(event.clientX - began.current) < DRAG_PIXELS) return;
    dragged.current = true;
    setRange(rangeOf(began.current, event.clientX, area, axis));
  });

  const onFinger = (event: PointerEvent) => {
    const before = fingers.current.get(event.pointerId);
    if (before === undefined) return;
    const other = [...fingers.current].find(([id]) => id !== event.pointerId)?.[1];
    fingers.current.set(event.pointerId, event.clientX);
    if (other === undefined) {
      if (Math.abs(event.clientX - before) > 0) show(moved(view, whole, (before - event.clientX) * perPixel()));
      return;
    }
    const apart = Math.max(12, Math.abs(event.clientX - other));
    show(zoomed(view, whole, timeAt((event.clientX + other) / 2), Math.max(12, Math.abs(before - other)) / apart));
  };

  const onUp = useEffectEvent((event: PointerEvent) => {
    fingers.current.delete(event.pointerId);
    if (began.current !== null && dragged.current) {
      const next = viewBetween(timeAt(began.current), timeAt(event.clientX), whole);
      if (next !== null) show(next);
    }
    began.current = null;
    setRange(null);
  });

  useEffect(() => {
    if (area === null) return;
    const wheel = (event: WheelEvent) => onWheel(event);
    const down = (event: PointerEvent) => onDown(event);
    const move = (event: PointerEvent) => onMove(event);
    const up = (event: PointerEvent) => onUp(event);
    area.addEventListener("wheel", wheel, { passive: false });
    area.addEventListener("pointerdown", down);
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", up);
    window.addEventListener("pointercancel", up);
    return () => {
      area.removeEventListener("wheel", wheel);
      area.removeEventListener("pointerdown", down);
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", up);
      window.removeEventListener("pointercancel", up);
    };
  }, [area]);

  return { ref: setArea, range, /** Whether the click that comes now ends a drag. */ wasDrag: () => dragged.current };
}

function isOnTrack(event: PointerEvent, axis: HTMLDivElement | null): boolean {
  const box = axis?.getBoundingClientRect();
  return box !== undefined && event.clientX >= box.left && event.clientX <= box.right;
}

function rangeOf(one: number, other: number, area: HTMLDivElement, axis: HTMLDivElement | null): Range {
  const left = area.getBoundingClientRect().left;
  const box = (axis ?? area).getBoundingClientRect();
  const inside = (x: number) => Math.min(Math.max(x, box.left), box.right);
  return { left: inside(Math.min(one, other)) - left, width: Math.abs(inside(one) - inside(other)) };
}
