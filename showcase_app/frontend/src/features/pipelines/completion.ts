/** Suggestions in the editor of a definition: while one writes, and with Ctrl+Space. */
import { autocompletion, type Completion, type CompletionContext, startCompletion } from "@codemirror/autocomplete";
import type { Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { type Knowledge, type Suggestion, suggestionsAt } from "@/domain/definition-completion";

/** `knowledge`: as it is when something is to be suggested. */
export function definitionCompletion(knowledge: () => Knowledge): Extension {
  const source = (context: CompletionContext) => {
    const found = suggestionsAt(context.state.doc.toString(), context.pos, knowledge());
    if (found === null) return null;
    // Where nothing is written yet, Enter is for a new line, unless somebody asks.
    const isBegun = found.isQuoted || found.from < context.pos;
    return isBegun || context.explicit ? { from: found.from, options: found.suggestions.map(asCompletion) } : null;
  };
  const asCompletion = (suggestion: Suggestion, place: number): Completion => ({
    label: suggestion.label,
    detail: suggestion.detail,
    ...(suggestion.info === null ? {} : { info: suggestion.info }),
    boost: -Math.min(place, LEAST_BOOST), // in our order, where others are as good
    apply: (view) => take(view, suggestion.label, knowledge()),
  });
  return [autocompletion({ override: [source], icons: false, maxRenderedOptions: 60 }), SCROLLED_BY_KEYS, LOOK];
}

/** The list of suggestions scrolls, so it is to be had by Tab, too. */
const SCROLLED_BY_KEYS = EditorView.updateListener.of(({ view }) =>
  view.requestMeasure({
    key: "scrolled-by-keys",
    read: () => view.dom.querySelector(".cm-tooltip-autocomplete > ul"),
    write: (list) => list?.setAttribute("tabindex", "0"),
  }),
);

const LEAST_BOOST = 99;

/** Takes a suggestion as it is by now, and goes on with what belongs in it. */
function take(view: EditorView, label: string, knowledge: Knowledge): void {
  const found = suggestionsAt(view.state.doc.toString(), view.state.selection.main.head, knowledge);
  const edit = found?.suggestions.find((each) => each.label === label)?.edit;
  if (edit === undefined) return;
  const { from, to, insert, cursor } = edit;
  view.dispatch({
    changes: { from, to, insert },
    selection: { anchor: cursor },
    userEvent: "input.complete",
    scrollIntoView: true,
  });
  if (cursor < from + insert.length) startCompletion(view);
}

const LOOK = EditorView.theme({
  ".cm-tooltip.cm-tooltip-autocomplete": {
    border: "1px solid var(--ia-line)",
    borderRadius: "var(--mantine-radius-sm)",
    boxShadow: "var(--mantine-shadow-md)",
    overflow: "hidden",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": {
    fontFamily: "var(--mantine-font-family-monospace)",
    fontSize: "12.5px",
    maxHeight: "16em",
    maxWidth: "min(560px, 88vw)",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": {
    display: "flex",
    justifyContent: "space-between",
    gap: "16px",
    padding: "4px 10px",
    minHeight: "24px",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": {
    backgroundColor: "light-dark(#dfe7ff, #29365c)",
    color: "var(--mantine-color-text)",
  },
  ".cm-completionLabel": { overflow: "hidden", textOverflow: "ellipsis" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700" },
  ".cm-completionDetail": {
    fontStyle: "normal",
    fontFamily: "var(--mantine-font-family)",
    color: "var(--ia-quiet)",
    marginLeft: "0",
  },
  "li[aria-selected] .cm-completionDetail": { color: "var(--mantine-color-text)" },
  ".cm-tooltip.cm-completionInfo": {
    border: "1px solid var(--ia-line)",
    borderRadius: "var(--mantine-radius-sm)",
    padding: "6px 10px",
    fontSize: "12.5px",
    maxWidth: "min(320px, 88vw)",
  },
  "@media (max-width: 620px)": { ".cm-tooltip.cm-completionInfo": { display: "none" } }, // it would cover them
});
