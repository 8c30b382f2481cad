/** Where an attempt runs on a cluster, in words. Pure. */
import type { StepPlaceOut } from "@/api/schema.gen";
import { bytesText, durationText } from "./time";

/** `1 CPU, 2.0 GiB of memory`: amounts by Ray's names. */
export function resourcesText(amounts: StepPlaceOut["resources"]): string {
  const texts = Object.entries(amounts).map(([name, amount]) =>
    name === "memory" ? `${bytesText(amount)} of memory` : `${amount.toLocaleString("en")} ${name}`,
  );
  return texts.length === 0 ? "no resources" : texts.join(", ");
}

/** The node's id, as short as it is told from others. */
export function shortNode(node: string): string {
  return `${node.slice(0, 6)}…`;
}

/** What is known of it beside its node. */
export function placeText({ pid, resources, waited_seconds }: StepPlaceOut): string {
  return `process ${pid} · ${resourcesText(resources)} · waited ${durationText(waited_seconds)}`;
}
