import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFormat, createModules } from "@/mocks/create-format";
import { suggestionsAt } from "./definition-completion";

const KNOWLEDGE = { schema: createFormat(), modules: createModules() };

const FLOW = '"flow": {"start_at": "read"}';
const STEPS = `"steps": [
  {"id": "read", "name": "Read", "module": "ia_modules.steps", "step_class": "read_table"},
  {"id": "ask", "type": "human_input", "config": {"ui_schema": {"properties": {"why": {"type": "string"}}}}},
  {"id": "own", "output_schema": {"properties": {"score": {"properties": {"low": {}}}}}, "outputs": ["x"]}
]`;
const PARAMETERS = '"parameters": [{"name": "sales", "description": "As CSV."}, {"name": "target"}]';

/** The suggestions where `|` is. */
function at(marked: string) {
  const position = marked.indexOf("|");
  const text = marked.replace("|", "");
  const found = suggestionsAt(text, position, KNOWLEDGE);
  return { text, found, labels: found?.suggestions.map(({ label }) => label) ?? [] };
}

/** The text after a suggestion was taken, with `|` where the cursor is. */
function taking(label: string, marked: string): string {
  const { text, found } = at(marked);
  const edit = found?.suggestions.find((each) => each.label === label)?.edit;
  if (edit === undefined) throw new Error(`${label} is not suggested, but ${at(marked).labels.join(", ")}`);
  const after = text.slice(0, edit.from) + edit.insert + text.slice(edit.to);
  return `${after.slice(0, edit.cursor)}|${after.slice(edit.cursor)}`;
}

describe("keys", () => {
  it("are those of the object that are not there yet, the required ones first", () => {
    expect(at('{"name": "A", |}').labels.slice(0, 2)).toEqual(["steps", "flow"]);
    expect(at('{"name": "A", "|"}').labels).not.toContain("name");
    expect(at('{"name": "A", "|" "slug": "a"}').labels).not.toContain("slug");
    expect(at('{"steps": [{"id": "a", "|"}]}').labels).toContain("timeout_seconds");
    expect(at('{"steps": [{"error_handling": {"retry": {|}}}]}').labels).toContain("max_attempts");
  });

  it("in another spelling are there, too", () => {
    const { labels } = at('{"flow": {"paths": [{"from": "a", |}]}}');
    expect(labels).toContain("to_step");
    expect(labels).not.toContain("from_step");
    expect(at('{"flow": {"transitions": [{|}]}}').labels).toContain("from_step");
  });

  it("of a condition are those of its type", () => {
    expect(at('{"flow": {"paths": [{"condition": {"type": "expression", |}}]}}').labels).toEqual(
      expect.arrayContaining(["source", "operator", "value"]),
    );
    expect(at('{"flow": {"paths": [{"condition": {"type": "parameter", |}}]}}').labels).not.toContain("operator");
  });

  it("come with an empty value, and the cursor in it", () => {
    expect(taking("steps", '{"name": "A", |}')).toBe('{"name": "A", "steps": [|]}');
    expect(taking("slug", '{"name": "A", "sl|"}')).toBe('{"name": "A", "slug": "|"}');
    expect(taking("flow", "{|}")).toBe('{"flow": {|}}');
    expect(taking("timeout_seconds", '{"steps": [{"id": "a", tim|}]}')).toBe(
      '{"steps": [{"id": "a", "timeout_seconds": |}]}',
    );
    expect(taking("slug", '{| "name": "A"}')).toBe('{"slug": "|", "name": "A"}');
  });

  it("of a property that has a value keep it", () => {
    expect(taking("slug", '{"na|": "A"}')).toBe('{"slug"|: "A"}');
  });

  it("say what they mean, where the format does", () => {
    const about = at('{"steps": [{|}]}').found?.suggestions.find(({ label }) => label === "timeout_seconds");
    expect(about?.info).toBe("Of one attempt.");
  });

  it("are not suggested where anything may stand, or nothing", () => {
    expect(at('{"steps": [{"config": {|}}]}').found).toBeNull();
    expect(at('{"name": "A" |}').found).toBeNull();
    expect(at('{"name": "A"}|').found).toBeNull();
  });
});

describe("values", () => {
  it("that the schema lists", () => {
    expect(at('{"steps": [{"type": "|"}]}').labels).toEqual(["task", "human_input", "condition"]);
    expect(taking("human_input", '{"steps": [{"type": | "id": "a"}]}')).toBe(
      '{"steps": [{"type": "human_input"|, "id": "a"}]}',
    );
    expect(at('{"steps": [{"error_handling": {"enable_fallback": |}}]}').labels).toEqual(["true", "false"]);
  });

  it("objects come with what they must have", () => {
    expect(taking('{"from_step": "", "to_step": ""}', '{"flow": {"paths": [|]}}')).toBe(
      '{"flow": {"paths": [{"from_step": "|", "to_step": ""}]}}',
    );
    expect(at('{"flow": {"paths": [{"condition": |}]}}').labels).toContain('{"type": "else"}');
  });

  it("ids of steps where one is meant", () => {
    expect(at(`{${STEPS}, "flow": {"start_at": "|"}}`).labels).toEqual(["read", "ask", "own"]);
    for (const key of ["from", "from_step"]) {
      expect(at(`{${STEPS}, "flow": {"paths": [{"${key}": "|"}]}}`).labels).toEqual(["read", "ask", "own"]);
    }
    expect(at(`{${STEPS}, "flow": {"paths": [{"to": "|"}]}}`).labels).toEqual(["read", "ask", "own", "end"]);
    expect(taking("own", `{${STEPS}, "flow": {"start_at": "re|"}}`)).toContain('{"start_at": "own"|}');
  });

  it("modules that the server allows, and what is in them", () => {
    expect(at('{"steps": [{"module": "|"}]}').labels).toEqual(["own_steps", "ia_modules.steps"]);
    expect(at('{"steps": [{"module": "own_steps", "step_class": "|"}]}').labels).toEqual(["Charge"]);
    expect(at('{"steps": [{"class": "|"}]}').labels).toEqual(["Charge", "read_table"]);
    const asks =
      '{"flow": {"paths": [{"condition": {"type": "function", "module_path": "own_steps", "function_name": "|"}}]}}';
    expect(at(asks).labels).toEqual(["Charge"]);
  });

  it("what a condition may look at", () => {
    const edge = `{${PARAMETERS}, ${STEPS}, "flow": {"paths": [{"from": "read", "condition": {"type": "expression", "source": "|"}}]}}`;
    expect(at(edge).labels).toEqual(expect.arrayContaining(["result.rows", "own.score.low", "target"]));
    expect(at(`{${PARAMETERS}, "steps": [{"conditions": [{"field": "|"}]}]}`).labels).toEqual(["sales", "target"]);
  });

  it("keys of the input that executions are found by", () => {
    expect(at(`{${PARAMETERS}, "searchable": ["|"]}`).labels).toEqual(["input.sales", "input.target"]);
  });
});

describe("placeholders", () => {
  const inputs = (written: string) =>
    `{${PARAMETERS}, ${STEPS.replace('"read"', `"read", "inputs": {"text": "${written}"}`)}}`;

  it("name parameters, and the fields of other steps: from their schema, their code, and the answer", () => {
    const { labels } = at(inputs("{|"));
    expect(labels).toEqual([
      "parameters.sales",
      "parameters.target",
      "steps.ask.output.human_input",
      "steps.ask.output.human_input.why",
      "steps.ask.output",
      "steps.own.output.score",
      "steps.own.output.score.low",
      "steps.own.output",
      "pipeline_input",
    ]);
    expect(at(`{${STEPS}, "outputs": {"rows": "{steps.re|"}}`).labels).toContain("steps.read.output.rows");
  });

  it("are closed, once", () => {
    expect(taking("parameters.sales", inputs("{par|"))).toContain('"text": "{parameters.sales}|"');
    expect(taking("parameters.sales", inputs("{par|}"))).toContain('"text": "{parameters.sales}|"');
    expect(taking("steps.own.output", inputs("{st|ep}|{parameters.sales}"))).toContain(
      '"{steps.own.output}||{parameters.sales}"',
    );
  });

  it("are suggested with their braces where a value is taken from elsewhere", () => {
    expect(taking("{parameters.sales}", inputs("|"))).toContain('"text": "{parameters.sales}"|');
    expect(at(`{${PARAMETERS}, "steps": [{"inputs": [{"name": "a", "source": |}]}]}`).labels).toContain(
      "{parameters.sales}",
    );
    expect(at(`{${PARAMETERS}, "steps": [{"inputs": [{"name": "|"}]}]}`).found).toBeNull();
  });

  it("name parameters alone in the config of a step, with two braces", () => {
    const config = (written: string) => `{${PARAMETERS}, "steps": [{"config": {"deep": ["${written}"]}}], ${FLOW}}`;
    expect(at(config("{{ |")).labels).toEqual(["parameters.sales", "parameters.target"]);
    expect(taking("parameters.target", config("up to {{ ta| }} of"))).toContain('"up to {{ parameters.target }}| of"');
    expect(taking("parameters.target", config("{|"))).toContain('"{{ parameters.target }}|"');
  });
});

it("changes nothing outside of what is written, wherever that breaks off", () => {
  const whole = `{${PARAMETERS}, ${STEPS}, "outputs": {"a": "{steps.read.output.rows}"}, ${FLOW}}`;
  const places = fc.tuple(fc.nat(whole.length), fc.nat(whole.length), fc.string({ maxLength: 3 }));
  fc.assert(
    fc.property(places, ([one, other, typed]) => {
      const [start, end] = [Math.min(one, other), Math.max(one, other)];
      const text = whole.slice(0, start) + typed + whole.slice(end);
      const found = suggestionsAt(text, start + typed.length, KNOWLEDGE);
      for (const { edit } of found?.suggestions ?? []) {
        expect(edit.from).toBeLessThanOrEqual(edit.to);
        expect(edit.from).toBeGreaterThanOrEqual(0);
        expect(edit.to).toBeLessThanOrEqual(text.length);
        expect(edit.cursor).toBeLessThanOrEqual(edit.from + edit.insert.length);
      }
    }),
  );
});

it("suggests what it can while the text is no JSON, and without the schema", () => {
  expect(at(`{${STEPS}, "flow": {"start_at": |`).labels).toEqual(["read", "ask", "own"]);
  expect(
    suggestionsAt(`{${STEPS}, "flow": {"start_at": ""}}`, STEPS.length + 25, { schema: null, modules: [] }),
  ).not.toBeNull();
  expect(suggestionsAt("{}", 1, { schema: null, modules: [] })).toBeNull();
});
