import fc from "fast-check";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parseJson, stringifyJson } from "@/domain/json";
import { FakeServer } from "@/mocks/fake-server";
import { jsonTexts } from "@/mocks/json-texts";
import { answered, api, withQuotedRefusal } from "./client";
import { startExecution, storeVersion } from "./pipelines";
import { readRows } from "./rows";

const server = new FakeServer();
beforeEach(() => server.install());
afterEach(() => server.remove());

it("numbers of a row are plain, and its payloads keep every number's text", () => {
  fc.assert(
    fc.property(jsonTexts, (payload) => {
      const text = `{"items":[{"duration_seconds":1.0,"sequence":12,"output_data":${payload},"input_schema":${payload}}]}`;
      const { items } = readRows(text) as { items: Record<string, unknown>[] };
      expect(items[0]).toMatchObject({ duration_seconds: 1, sequence: 12 });
      expect([items[0]?.output_data, items[0]?.input_schema].map((each) => stringifyJson(each))).toEqual([
        payload,
        payload,
      ]);
    }),
  );
});

it("the data of a message is a row, and that of a log line a payload", () => {
  const step = '{"type":"step_update","data":{"progress":1.0,"duration_seconds":2.50}}';
  const line = '{"type":"log","data":{"sequence":7,"data":{"id":9007199254740993}}}';
  expect(stringifyJson(readRows(`{"messages":[${step},${line}]}`))).toBe(
    `{"messages":[{"type":"step_update","data":{"progress":1,"duration_seconds":2.5}},${line}]}`,
  );
});

it("the client sends and reads any JSON as it is", async () => {
  const start = "POST /api/pipelines/pipeline/executions";
  server.on(start, async (request) => {
    const { input_data } = parseJson(await request.text()) as { input_data: unknown };
    return new Response(`{"queue_seconds": 0.0, "output_data": ${stringifyJson(input_data)}}`, { status: 202 });
  });
  await fc.assert(
    fc.asyncProperty(jsonTexts, async (value) => {
      const text = `{"value":${value}}`;
      const row: unknown = await startExecution(
        "pipeline",
        { input_data: parseJson(text) as Record<string, unknown> },
        "key",
      );
      expect(stringifyJson(row)).toBe(`{"queue_seconds":0,"output_data":${text}}`);
    }),
    { numRuns: 20 },
  );
});

it("a refusal is read as it is, and what is no JSON as the text that it is", async () => {
  const text = '{"status":409,"detail":"Too late.","response":{"id":9007199254740993,"__proto__":1.0}}';
  server.on("GET /api/system", () => new Response(text, { status: 409 }));
  const { error } = await api.GET("/api/system");
  expect(stringifyJson(error)).toBe(text);
  server.on("GET /api/system", () => new Response("<html>Bad gateway</html>", { status: 502 }));
  await expect(answered(api.GET("/api/system"))).rejects.toThrow("what stands in front of it answered 502");
});

it("the network's refusals go the same way", async () => {
  const text = '{"status":422,"detail":"No.","response":9007199254740993}';
  const { status, headers } = await withQuotedRefusal(new Response(text, { status: 422, headers: { "x-a": "b" } }));
  expect([status, headers.get("x-a")]).toEqual([422, "b"]);
  const kept = new Response(text);
  expect(await withQuotedRefusal(kept)).toBe(kept);
});

it("a definition is stored as it was written", async () => {
  server.on("PUT /api/pipelines/pipeline", () => new Response("{}"));
  const definition = '{"steps":[{"config":{"rate":1.0,"id":-9223372036854775808,"__proto__":{}}}]}';
  await storeVersion("pipeline", parseJson(definition) as Record<string, unknown>, 4, null, "key");
  const [request] = server.to("PUT /api/pipelines/pipeline");
  expect(await request?.text()).toBe(`{"definition":${definition},"base_version":4,"if_stale":"beside","note":null}`);
});
