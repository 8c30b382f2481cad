/** How everything looks: one font, one accent, quiet greys; colour is kept for statuses. */
import { createTheme, type MantineColorsTuple } from "@mantine/core";

const accent: MantineColorsTuple = [
  "#edf2ff",
  "#dbe4ff",
  "#bac8ff",
  "#91a7ff",
  "#748ffc",
  "#5c7cfa",
  "#4c6ef5",
  "#4263eb",
  "#3b5bdb",
  "#364fc7",
];

/** Mantine's greys of the dark theme with the tint of the panels: 0 text, 4 borders, 5 hover, 6 fields, 7 panels, 9 ground. */
const dark: MantineColorsTuple = [
  "#d3d8e1",
  "#b6bdc9",
  "#939cab",
  "#6d7685",
  "#3a424f",
  "#2a303b",
  "#1e232c",
  "#16191f",
  "#12151a",
  "#0f1115",
];

export const theme = createTheme({
  colors: { accent, dark },
  primaryColor: "accent",
  primaryShade: { light: 8, dark: 7 },
  fontFamily: "'Inter Variable', system-ui, sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', 'Cascadia Mono', 'DejaVu Sans Mono', monospace",
  defaultRadius: "md",
  cursorType: "pointer",
  focusRing: "auto",
  headings: {
    fontWeight: "650",
    sizes: { h1: { fontSize: "1.5rem" }, h2: { fontSize: "1.125rem" }, h3: { fontSize: "1rem" } },
  },
});
