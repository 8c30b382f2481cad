/** A text of JSON to write in: coloured, folded, with problems marked at their place. */
import { jsonLanguage } from "@codemirror/lang-json";
import { HighlightStyle, LanguageSupport, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, lintGutter, setDiagnostics } from "@codemirror/lint";
import type { Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import CodeMirror, { type ReactCodeMirrorRef } from "@uiw/react-codemirror";
import { type Ref, useEffect, useImperativeHandle, useMemo, useRef } from "react";
import type { Place } from "@/domain/json-place";

export type EditorProblem = { place: Place; detail: string; severity: "error" | "warning" };

/** What other components may do with an editor. */
export type EditorHandle = { show: (place: Place) => void };

type JsonEditorProps = {
  /** What is written here, for screen readers. */
  label: string;
  value: string;
  onChange?: (text: string) => void;
  problems?: readonly EditorProblem[];
  height?: string;
  minHeight?: string;
  maxHeight?: string;
  handle?: Ref<EditorHandle>;
  /** It is read alone. */
  isReadOnly?: boolean;
  /** What more the editor can do; one and the same from drawing to drawing. */
  extension?: Extension;
};

const NO_PROBLEMS: readonly EditorProblem[] = [];
const NOTHING_MORE: Extension = [];

const LOOK = EditorView.theme({
  "&": { backgroundColor: "var(--ia-panel)", color: "var(--mantine-color-text)", fontSize: "13px" },
  "&.cm-focused": { outline: "2px solid var(--mantine-primary-color-filled)", outlineOffset: "-1px" },
  ".cm-scroller": { fontFamily: "var(--mantine-font-family-monospace)", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--mantine-color-text)" },
  ".cm-cursor": { borderLeftColor: "var(--mantine-color-text)" },
  ".cm-gutters": { backgroundColor: "var(--ia-panel)", color: "var(--ia-quiet)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "light-dark(#f4f6f9, #1c2128)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "light-dark(#cfdcff, #2c3f73)",
  },
  ".cm-foldPlaceholder": { backgroundColor: "transparent", color: "var(--ia-quiet)", borderColor: "var(--ia-line)" },
  ".cm-tooltip, .cm-panels": {
    backgroundColor: "var(--ia-panel)",
    color: "var(--mantine-color-text)",
    borderColor: "var(--ia-line)",
  },
  ".cm-matchingBracket": { backgroundColor: "light-dark(#dfe7ff, #29365c)" },
});

const COLORS = syntaxHighlighting(
  HighlightStyle.define([
    { tag: tags.propertyName, color: "light-dark(#1b5fb8, #79b8ff)" },
    { tag: tags.string, color: "light-dark(#0b6e4f, #8fd6a8)" },
    { tag: [tags.number, tags.bool, tags.null], color: "light-dark(#a33c00, #ffb27a)" },
    { tag: [tags.brace, tags.squareBracket, tags.separator], color: "var(--ia-quiet)" },
  ]),
);

export function JsonEditor(props: JsonEditorProps) {
  const { label, value, onChange, problems = NO_PROBLEMS, handle, ...others } = props;
  const { isReadOnly = false, extension = NOTHING_MORE, ...size } = others;
  const editor = useRef<ReactCodeMirrorRef>(null);
  const extensions = useMemo(
    () => [
      new LanguageSupport(jsonLanguage),
      LOOK,
      COLORS,
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ "aria-label": label, "aria-readonly": String(isReadOnly), tabindex: "0" }),
      isReadOnly ? [] : lintGutter(),
      extension,
    ],
    [label, isReadOnly, extension],
  );
  useImperativeHandle(handle, () => ({ show: (place) => showPlace(editor.current?.view, place) }), []);
  // The editor takes a new value in an effect of its own, before this one: places fit the text that they are of.
  useEffect(() => markProblems(editor.current?.view, problems), [problems]);
  return (
    <CodeMirror
      ref={editor}
      value={value}
      onChange={onChange}
      onCreateEditor={(view) => markProblems(view, problems)}
      extensions={extensions}
      theme="none"
      readOnly={isReadOnly}
      editable={!isReadOnly}
      indentWithTab={false}
      basicSetup={{ autocompletion: false }}
      {...size}
    />
  );
}

function markProblems(view: EditorView | undefined, problems: readonly EditorProblem[]): void {
  if (view === undefined) return;
  const end = view.state.doc.length;
  const marks = problems.map(
    ({ place, detail, severity }): Diagnostic => ({
      from: Math.min(place.from, end),
      to: Math.min(place.to, end),
      severity,
      message: detail,
    }),
  );
  view.dispatch(setDiagnostics(view.state, marks));
}

function showPlace(view: EditorView | undefined, { from }: Place): void {
  if (view === undefined) return;
  const anchor = Math.min(from, view.state.doc.length);
  view.dispatch({ selection: { anchor }, effects: EditorView.scrollIntoView(anchor, { y: "center" }) });
  view.focus();
}
