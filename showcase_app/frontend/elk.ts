/** ELK's worker without what never runs here: of its nine ways to lay a graph out, `layered` is used.
 *
 * It is compiled from Java, and a bundler leaves nothing out of it, since a class is defined by a call. But its text has a
 * plain form: functions, then statements, most of which define a class (with its methods) or name one. What no name leads
 * to from what runs by itself is left out. Names are looked for as words, so that too much stays rather than too little.
 */
import type { Plugin } from "vite";

const WORD = /[A-Za-z_$][\w$]*/g;
const TEXT = /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/g;
const FUNCTION = /^function ([\w$]+)/;
const STATEMENTS = /^var \w+='object',/m;
/** Registers an algorithm by its name: `layered` stands first, and the others after it. */
const REGISTRY =
  /(\w+\(\w+,'layered'\)\?\w+\(\w+,\w+\([^?]*?\]\)\)):(?=\w+\(\w+,'force'\)).*?'rectpacking'\)&&\w+\(\w+,\w+\(.*?\]\)\)/;
/** Its number, that of the class it extends, which interfaces it has, and its constructors. */
const CLASS = /^\w+\((\d+),(\d+|null),(?:\{[^}]*\}|[\w$]+)((?:,[\w$]+)*)\);$/;
const CLASS_NAME = /^var ([\w$]+)=[A-Z]fb\(.*\);$/s;
/** The description of an option, which nothing reads. */
const DESCRIPTION = /('\),)(?:'(?:[^'\\\n]|\\.){20,}'|"(?:[^"\\\n]|\\.){20,}")\)/g;

export function onlyLayered(): Plugin {
  return {
    name: "only-layered",
    transform(code, id) {
      return id.includes("elk-worker.min.js") ? { code: layeredAlone(code), map: null } : undefined;
    },
  };
}

type Part = { text: string; names: readonly string[]; extended?: string };

/** Raises Error: it has another form than that of the version for which this was written. */
export function layeredAlone(worker: string): string {
  if (!REGISTRY.test(worker)) throw unknownForm("where it registers algorithms");
  const [before, functions, statements, after] = partsOf(worker.replace(REGISTRY, "$1:0"));
  const named = new Map<string, Part[]>();
  const classes = new Map<string, Part>();
  for (const part of [...functions, ...statements]) {
    for (const name of part.names) named.set(name, [...(named.get(name) ?? []), part]);
    const number = CLASS.exec(part.text.slice(0, part.text.indexOf(";") + 1))?.[1];
    if (number !== undefined) classes.set(number, part);
  }
  const live = new Set<Part>();
  const ahead: Part[] = [];
  const reach = (part: Part | undefined) => {
    if (part === undefined || live.has(part)) return;
    live.add(part);
    ahead.push(part);
  };
  reach({ text: before + after, names: [] });
  for (const part of statements) if (part.names.length === 0 && part.extended === undefined) reach(part);
  for (let part = ahead.pop(); part !== undefined; part = ahead.pop()) {
    if (part.extended !== undefined) reach(classes.get(part.extended));
    for (const word of wordsOf(part.text)) named.get(word)?.forEach(reach);
  }
  const kept = (parts: readonly Part[]) => parts.filter((part) => live.has(part)).map(({ text }) => text);
  const text = [before, ...kept(functions), kept(statements).join(""), after].join("\n");
  return text.replace(DESCRIPTION, "$1'')");
}

function partsOf(worker: string): [string, Part[], Part[], string] {
  const from = worker.search(/^function /m);
  const to = worker.search(STATEMENTS);
  const end = worker.indexOf("\n", to);
  if (from < 0 || to < from || end < 0) throw unknownForm("where functions and statements begin");
  const functions = worker
    .slice(from, to - 1)
    .split(/\n(?=function )/)
    .map((text) => ({ text, names: [FUNCTION.exec(text)?.[1] ?? ""] }));
  return [worker.slice(0, from - 1), functions, statementsOf(worker.slice(to, end)), worker.slice(end + 1)];
}

function statementsOf(text: string): Part[] {
  const parts: Part[] = [];
  for (const statement of split(text)) {
    const defined = CLASS.exec(statement);
    const last = parts.at(-1);
    if (defined !== null) {
      const [, , extended, constructors = ""] = defined;
      parts.push({ text: statement, names: wordsOf(constructors), extended });
    } else if (last !== undefined && /^_[.[]/.test(statement)) {
      last.text += statement; // a method of the class in front of it
    } else {
      const name = CLASS_NAME.exec(statement)?.[1];
      parts.push({ text: statement, names: name === undefined ? [] : [name] });
    }
  }
  return parts;
}

/** At each semicolon that stands in no brackets. */
function split(text: string): string[] {
  const statements: string[] = [];
  let depth = 0;
  let begin = 0;
  // A text or a regular expression is passed over as one.
  for (const { 0: token, index } of text.matchAll(
    /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?<=[(,=:?&|!])\/(?:[^/\\[]|\\.|\[(?:[^\]\\]|\\.)*\])+\/|[()[\]{};]/g,
  )) {
    if (token === "(" || token === "[" || token === "{") depth += 1;
    else if (token === ")" || token === "]" || token === "}") depth -= 1;
    else if (token === ";" && depth === 0) {
      statements.push(text.slice(begin, index + 1));
      begin = index + 1;
    }
  }
  return [...statements, text.slice(begin)];
}

function wordsOf(text: string): string[] {
  return [...new Set(text.replace(TEXT, "''").match(WORD))];
}

function unknownForm(what: string): Error {
  return new Error(
    `elk-worker.min.js has another form than elk.ts knows: it was not found ${what}. Look at elk.ts, or leave it out.`,
  );
}
