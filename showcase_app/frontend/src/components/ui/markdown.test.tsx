import { MantineProvider } from "@mantine/core";
import { cleanup, render, screen, waitFor } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { Markdown } from "./markdown";

afterEach(cleanup);

/** What is drawn of a text, as soon as what draws has come. */
async function drawn(text: string): Promise<HTMLElement> {
  render(
    <MantineProvider env="test">
      <Markdown text={`${text}\n\n*end*`} />
    </MantineProvider>,
  );
  const end = await screen.findByText("end", { selector: "em" });
  return end.closest("div") as HTMLElement;
}

it("draws headings, lists, tables, code and what is struck out", async () => {
  const box = await drawn("# Pay?\n\n- [x] seen\n- [ ] paid\n\n|a|b|\n|-|-|\n|1|2|\n\n`code` ~~old~~");
  expect([...box.querySelectorAll("td")].map((cell) => cell.textContent)).toEqual(["1", "2"]);
  expect(box.querySelector("del")?.textContent).toBe("old");
  expect(box.querySelector("code")?.textContent).toBe("code");
  expect([...box.querySelectorAll("li")].map((item) => item.textContent?.trim())).toEqual(["☑  seen", "☐  paid"]);
  expect(box.querySelectorAll("h1, h2, input")).toHaveLength(0);
});

it("links lead to whole web and mail addresses, in a window of their own that knows nothing of this one", async () => {
  const box = await drawn("[web](https://example.org/a) <ann@example.org> www.example.com");
  const links = [...box.querySelectorAll("a")];
  expect(links.map((link) => link.getAttribute("href"))).toEqual([
    "https://example.org/a",
    "mailto:ann@example.org",
    "http://www.example.com",
  ]);
  for (const link of links) expect([link.target, link.rel]).toEqual(["_blank", "noopener noreferrer"]);
});

it.each([
  "[a](javascript:alert(1))",
  "[a](JAVASCRIPT:alert(1))",
  "[a](java&#10;script:alert(1))",
  "[a](data:text/html;base64,PHNjcmlwdD4=)",
  "[a](vbscript:x)",
  "[a](/api/executions)",
  "[a](//example.org)",
  "[a][1]\n\n[1]: javascript:alert(1)",
  "![a](data:image/svg+xml;base64,AAAA)",
  "![a](x onerror=alert(1))",
  "a[^1]\n\n[^1]: note",
])("%s leads nowhere", async (text) => {
  const box = await drawn(text);
  expect(box.querySelectorAll("a, img")).toHaveLength(0);
  expect(box.textContent).toContain("a");
});

it("a picture is a link to it", async () => {
  const box = await drawn("![a cat](https://example.org/cat.png)");
  expect(box.querySelector("img")).toBeNull();
  const link = screen.getByRole<HTMLAnchorElement>("link", { name: "a cat" });
  expect([link.href, link.rel]).toEqual(["https://example.org/cat.png", "noopener noreferrer"]);
});

it.each([
  '<script>alert("x")</script>',
  "<img src=x onerror=alert(1)>",
  'a <b onclick="alert(1)">bold</b>',
  '<iframe src="https://example.org"></iframe>',
  "<style>body{display:none}</style>",
  "<a href='javascript:alert(1)'>b</a>",
])("the HTML %s is shown as it was written", async (text) => {
  const box = await drawn(text);
  expect(box.querySelectorAll("script, img, b, iframe, style, a")).toHaveLength(0);
  expect(box.textContent).toContain(text);
});

it.each([
  ["quotes", ">".repeat(5000)],
  ["lists on a line", "- ".repeat(3000)],
  ["lists in lists", Array.from({ length: 80 }, (_, depth) => `${"  ".repeat(depth)}- a`).join("\n")],
  ["a long text", "word ".repeat(5000)],
])("of %s without end the text is left as it was written", async (_, text) => {
  const { container } = render(
    <MantineProvider env="test">
      <Markdown text={text} />
    </MantineProvider>,
  );
  await waitFor(() => expect(container.textContent).toContain(text.trim()));
  expect(container.querySelectorAll("blockquote, li")).toHaveLength(0);
});
