import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { runInThisContext } from "node:vm";
import ELK, { type ElkNode } from "elkjs/lib/elk-api";
import { expect, it } from "vitest";
import { layeredAlone } from "../../../elk";

const whole = readFileSync(createRequire(import.meta.url).resolve("elkjs/lib/elk-worker.min.js"), "utf-8");

type WorkerModule = { exports: { Worker: new (url: string) => Worker } };

function elkOf(code: string) {
  const module = { exports: {} } as WorkerModule;
  const run = runInThisContext(`(function (module, exports) {${code}\n})`) as (of: object, exports: object) => void;
  run(module, module.exports);
  return new ELK({ algorithms: ["layered"], workerFactory: () => new module.exports.Worker("elk") });
}

/** The same ones each time; `draw` is in [0, 1). */
function graphOf(nodes: number, draw: () => number): ElkNode {
  const any = () => `n${Math.floor(draw() * nodes)}`;
  const options = {
    "elk.algorithm": "layered",
    "elk.direction": draw() < 0.5 ? "RIGHT" : "DOWN",
    "elk.edgeRouting": "ORTHOGONAL",
    "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
    "elk.layered.feedbackEdges": "true",
    "elk.layered.mergeEdges": draw() < 0.5 ? "true" : "false",
    "elk.layered.nodePlacement.strategy": draw() < 0.5 ? "NETWORK_SIMPLEX" : "BRANDES_KOEPF",
    "elk.layered.nodePlacement.favorStraightEdges": "true",
    "elk.padding": "[top=8,left=8,bottom=8,right=8]",
  };
  const label = { text: "if", width: 30, height: 12, layoutOptions: { "elk.edgeLabels.inline": "true" } };
  return {
    id: "graph",
    layoutOptions: options,
    children: Array.from({ length: nodes }, (_, index) => ({ id: `n${index}`, width: 120 + index, height: 40 })),
    edges: Array.from({ length: Math.ceil(nodes * 1.4) }, (_, index) => ({
      id: String(index),
      sources: [any()],
      targets: [any()],
      labels: draw() < 0.4 ? [{ ...label }] : [],
      layoutOptions: { "elk.layered.priority.direction": draw() < 0.2 ? "0" : "10" },
    })),
  };
}

it("ELK lays every graph out as it did before what is not used of it was left out", async () => {
  const light = layeredAlone(whole);
  expect(light.length).toBeLessThan(whole.length * 0.85);
  let seed = 1;
  const draw = () => {
    seed = (seed * 16_807) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const [before, after] = [elkOf(whole), elkOf(light)];
  for (const nodes of [1, 2, 5, 9, 17, 30, 44]) {
    const graph = graphOf(nodes, draw);
    expect(await after.layout(structuredClone(graph))).toEqual(await before.layout(structuredClone(graph)));
  }
});

it("a worker of another form is refused while the pages are built, and says where to look", () => {
  expect(() => layeredAlone("function a(){}\nvar b='object',c=1;\n")).toThrow(/Look at elk\.ts/);
});
