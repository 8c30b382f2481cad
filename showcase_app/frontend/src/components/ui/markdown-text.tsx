/** Draws Markdown of others: no HTML of theirs, no picture, and links to whole web and mail addresses alone. */
import { Anchor } from "@mantine/core";
import { type ReactNode, useMemo } from "react";
import ReactMarkdown, { type Components, type Options } from "react-markdown";
import rehypeSanitize, { defaultSchema } from "rehype-sanitize";
import remarkGfm from "remark-gfm";
import { DEEPEST, safeAddress, safeWebAddress } from "@/domain/foreign-text";
import classes from "./markdown.module.css";

type HtmlNode = { type: string; children?: HtmlNode[] };

/** HTML is shown as the text that it is, where the library would leave it out. Raises RangeError: it is too deep. */
function htmlAsText() {
  return (tree: HtmlNode) => {
    let level: HtmlNode[] = [tree];
    for (let depth = 0; level.length > 0; depth += 1) {
      if (depth > DEEPEST) throw new RangeError("the text is too deep to be drawn");
      for (const node of level) if (node.type === "raw") node.type = "text";
      level = level.flatMap((node) => node.children ?? []);
    }
  };
}

const LINKS = ["http", "https", "mailto"];
const SCHEMA = { ...defaultSchema, protocols: { ...defaultSchema.protocols, href: LINKS, src: LINKS } };
const REMARK = [remarkGfm];
const REHYPE: Options["rehypePlugins"] = [htmlAsText, [rehypeSanitize, SCHEMA]];

function Outward({ href, children }: { href: string | null; children: ReactNode }) {
  if (href === null) return children;
  return (
    <Anchor href={href} target="_blank" rel="noopener noreferrer" inherit underline="always">
      {children}
    </Anchor>
  );
}

/** Its headings are none of the page's. */
function Heading({ children }: { children?: ReactNode }) {
  return <p className={classes.heading}>{children}</p>;
}

const COMPONENTS: Components = {
  a: ({ href, children }) => <Outward href={safeAddress(href)}>{children}</Outward>,
  img: ({ src, alt }) => {
    const address = safeWebAddress(src);
    return <Outward href={address}>{alt || address || "(a picture)"}</Outward>;
  },
  input: ({ checked }) => (checked ? "☑ " : "☐ "),
  h1: Heading,
  h2: Heading,
  h3: Heading,
  h4: Heading,
  h5: Heading,
  h6: Heading,
};

export function MarkdownText({ text }: { text: string }) {
  const drawn = useMemo(() => draw(text), [text]);
  return drawn === null ? <div className={classes.written}>{text}</div> : <div className={classes.text}>{drawn}</div>;
}

/** null: it is too deep. */
function draw(text: string): ReactNode {
  try {
    // Called, not placed: it has no state, and what it raises is seen here.
    return ReactMarkdown({ children: text, remarkPlugins: REMARK, rehypePlugins: REHYPE, components: COMPONENTS });
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
