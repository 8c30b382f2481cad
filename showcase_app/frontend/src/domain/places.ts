/** Where an attempt runs on a cluster, in words. Pure. */
import type { StepPlaceOut } from "@/api/schema.gen";
import { bytesText, durationText } from "./time";

/** `1 CPU, 2.0 GiB of memory`: amounts by Ray's names. */
export function resourcesText(amounts: StepPlaceOut["resources"]): string {
  const texts = Object.entries(amounts).map(
    ([name, amount]) => `${amountText(name, amount)} ${name === "memory" ? "of memory" : name}`,
  );
  return texts.length === 0 ? "no resources" : texts.join(", ");
}

/** How much of it: memory is in bytes. */
export function amountText(name: string, amount: number): string {
  return name === "memory" ? bytesText(amount) : amount.toLocaleString("en");
}

/** The node's id, as short as it is told from others. */
export function shortNode(node: string): string {
  return `${node.slice(0, 6)}…`;
}

/** What is known of it beside its node. */
export function placeText({ pid, resources, waited_seconds }: StepPlaceOut): string {
  return `process ${pid} · ${resourcesText(resources)} · waited ${durationText(waited_seconds)}`;
}
